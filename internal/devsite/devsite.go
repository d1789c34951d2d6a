// Package devsite is what belfry dev answers besides the protocol. It has a
// page on which a person sees a first event. Its endpoints authorize whatever
// a front end asks for, in place of the backend that does not exist yet.
//
// All of it gives away what the app's secret protects. So it is for a service
// whose credentials are known anyway, on loopback unless more is asked for. It
// refuses requests that came by a name that is not its own. belfry serve has none of it.
// The package takes no locks and starts nothing.
package devsite

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hostname"
)

// Config is what the site is about. All of it is required but for AdminPort.
type Config struct {
	// App is the app that is shown and signed for, with its oldest key.
	App *apps.App
	// Trigger sends an event as a backend does. Its error is shown on the page; a
	// [Refusal] is answered with its status.
	Trigger func(context.Context, Event) error
	// Hosts reports whether requests are answered that name that host, with or
	// without a port.
	Hosts func(host string) bool
	// AdminPort is where the console is; empty if there is none.
	AdminPort string
	// Command is how belfry is called in a terminal.
	Command string
	Log     *slog.Logger
}

// A Refusal is what the service said to an event.
type Refusal struct {
	Status int
	Text   string
}

func (r *Refusal) Error() string { return r.Text }

// An Event is what the form on the page sends.
type Event struct{ Channel, Name, Data string }

// maxForm is far more than any of the forms needs.
const maxForm = 256 << 10

type site struct {
	Config
	key apps.Key
}

// New returns the handler of the site.
func New(c Config) http.Handler {
	s := &site{Config: c, key: c.App.Keys[0]}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /dev/{file}", s.asset)
	mux.Handle("POST /dev/trigger", http.NewCrossOriginProtection().Handler(http.HandlerFunc(s.trigger)))
	for _, prefix := range []string{"/pusher", "/broadcasting"} { // what Pusher's documentation has, and Laravel's
		mux.Handle(prefix+"/auth", s.endpoint(s.authorize))
		mux.Handle(prefix+"/user-auth", s.endpoint(s.authenticate))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "404 NOT FOUND", http.StatusNotFound) // as the HTTP API says it
	})
	return s.known(mux)
}

// known refuses requests whose Host is not a name of the service. A foreign
// name that points to this machine is how a page elsewhere gets around the
// browser's rule of same origin (DNS rebinding).
func (s *site) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hostname.Plain(r.Host) || !s.Hosts(r.Host) {
			http.Error(w, "belfry dev answers to the names of this machine, such as localhost and 127.0.0.1, and to those of --allow-host", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Loopback reports whether a Host header names this machine by an address or
// a name that no server can point elsewhere.
func Loopback(hostport string) bool {
	host, port := splitHost(hostport, "80")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// splitHost returns the host and the port of a Host header.
func splitHost(hostport, standard string) (host, port string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.Trim(hostport, "[]"), standard
	}
	return host, port
}
