package web

import (
	_ "embed"
	"html/template"
	"net"
	"net/http"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// A place is where a page reaches this service.
type place struct {
	Base     string // of the addresses of files, without a version
	Version  string
	Files    []string
	Host     string
	Port     string
	Path     string // wsPath; empty for none
	HTTPPath string // httpPath; empty where clients need not be told
	TLS      bool
}

// defaultHTTPPath is what clients take when they are not told another.
const defaultHTTPPath = "/pusher"

// servePage shows the lines that a web page needs.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	p := place{Version: Version(), Files: names(), Path: s.cfg.Path, TLS: s.cfg.Secure(r)}
	scheme := "http"
	p.Port = "80"
	if p.TLS {
		scheme, p.Port = "https", "443"
	}
	p.Base = scheme + "://" + r.Host + s.cfg.Path
	p.Host = r.Host
	if host, port, err := net.SplitHostPort(r.Host); err == nil {
		p.Host, p.Port = host, port
	}
	if path := s.cfg.Path + s.cfg.HTTPPath; path != defaultHTTPPath {
		p.HTTPPath = path
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_ = page.Execute(w, p) // who does not listen any more can not be told either
}
