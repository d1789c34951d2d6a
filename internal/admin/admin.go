// Package admin answers on the administration port: whether the node lives,
// whether it should get traffic, and its metrics.
//
// Nothing here asks who is calling, so nothing here tells a secret or changes
// anything. The package takes no locks.
package admin

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what the handler reports about.
type Config struct {
	// Ready returns why the node should get no traffic, or nil. The text is
	// told to whoever asks. A nil Ready is always ready.
	Ready func() error
	// Gatherer has the metrics. If it is nil there are none.
	Gatherer prometheus.Gatherer
}

const index = `Belfry administration

/healthz   200 as long as the process answers
/readyz    200 when the node takes clients, 503 and the reason when it does not
/metrics   metrics for Prometheus
`

// New returns the handler of the administration port.
func New(c Config) http.Handler {
	if c.Gatherer == nil {
		c.Gatherer = prometheus.NewRegistry()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, index) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "OK\n") })
	mux.HandleFunc("GET /readyz", c.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{}))
	return mux
}

func (c Config) ready(w http.ResponseWriter, _ *http.Request) {
	if c.Ready != nil {
		if err := c.Ready(); err != nil {
			text(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
	}
	text(w, http.StatusOK, "OK\n")
}

// text answers with a few words that no cache may keep.
func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}
