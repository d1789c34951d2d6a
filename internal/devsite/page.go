package devsite

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"
)

//go:embed page
var files embed.FS

var pageTemplate = template.Must(template.ParseFS(files, "page/page.html"))

// A view is what the page shows.
type view struct {
	Host     string // and port, by which the browser came
	Secure   bool   // it came over TLS, which something in front of the service has
	AppID    string
	Key      string
	Secret   string
	Channel  string
	Event    string
	Snippets []Snippet
	Console  string // where it is; empty: there is none
}

// page answers with the page, on which every address is the one by which it
// was asked for.
func (s *site) page(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if overTLS(r) {
		scheme = "https"
	}
	service := Service{
		Base: &url.URL{Scheme: scheme, Host: r.Host}, AppID: s.App.ID, Pair: s.key,
		Authorizes: true, Command: s.Command,
	}
	v := view{
		Host: r.Host, Secure: scheme == "https", AppID: s.App.ID, Key: s.key.Key, Secret: s.key.Secret,
		Channel: exampleChannel, Event: exampleEvent,
		Snippets: service.Snippets(),
	}
	if s.AdminPort != "" {
		host, _ := splitHost(r.Host, "80")
		if v.Secure { // a tunnel, which leads to the other port alone
			host = "127.0.0.1"
		}
		v.Console = "http://" + net.JoinHostPort(host, s.AdminPort) + "/console/"
	}
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, v); err != nil {
		s.Log.ErrorContext(r.Context(), "page not made", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "+
		"connect-src 'self' ws://"+r.Host+" wss://"+r.Host+"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.Write(text.Bytes())
}

// overTLS reports whether the browser speaks TLS to what is in front of the service, as
// tunnels do. Whoever says so without it sees lines that do not work, and nobody else does.
func overTLS(r *http.Request) bool {
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return r.TLS != nil || strings.EqualFold(strings.TrimSpace(proto), "https")
}

// asset answers with a file that the page loads.
func (s *site) asset(w http.ResponseWriter, r *http.Request) {
	kinds := map[string]string{"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
	name := r.PathValue("file")
	kind, ok := kinds[name]
	text, err := files.ReadFile("page/" + name)
	if !ok || err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(text)
}

// trigger sends what the form on the page says.
func (s *site) trigger(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form can not be read", http.StatusBadRequest)
		return
	}
	e := Event{Channel: r.PostForm.Get("channel"), Name: r.PostForm.Get("event"), Data: r.PostForm.Get("data")}
	if err := s.Trigger(r.Context(), e); err != nil {
		status := http.StatusBadGateway
		if refused, ok := errors.AsType[*Refusal](err); ok {
			status = refused.Status
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
