// Package admin answers what operators and their tools ask a node: whether it
// is alive, whether it should get traffic, and what it counts.
//
// It belongs on a port that the world does not reach. It shows no secrets.
package admin

import (
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what the handler reports on. Both are required.
type Config struct {
	// Ready returns why the node should get no traffic, or nil.
	Ready    func() error
	Gatherer prometheus.Gatherer
}

// New returns the handler of the admin port.
func New(cfg Config) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := cfg.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "Belfry admin: /healthz /readyz /metrics\n")
	})
	return mux
}
