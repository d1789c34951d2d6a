package server

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// A door answers for a node that is not complete yet: in a cluster it may wait
// for others for minutes. Clients that are refused at once try elsewhere, and
// whoever watches the process sees that it lives.
type door struct{ inside atomic.Pointer[http.Handler] }

// open makes h answer from now on.
func (d *door) open(h http.Handler) { d.inside.Store(&h) }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch h := d.inside.Load(); {
	case h != nil:
		(*h).ServeHTTP(w, r)
	case r.URL.Path == "/healthz" || r.URL.Path == "/up":
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte("OK\n"))
	case strings.HasPrefix(r.URL.Path, "/api/"):
		notYet.ServeHTTP(w, r)
	default:
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "starting", http.StatusServiceUnavailable)
	}
}

// notYet is what callers of the admin API are told.
var notYet = jsonhttp.Handler(slog.New(slog.DiscardHandler), func(http.ResponseWriter, *http.Request) error {
	return jsonhttp.Refuse(http.StatusServiceUnavailable, "The node is starting; its log says what it waits for.")
})
