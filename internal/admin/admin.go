// Package admin answers on the administration port: whether the node lives,
// whether it should get traffic, and its metrics. It also serves the API by
// which operators make and change apps, look at the cluster, and end the node.
//
// Health and metrics ask nobody who he is, so they tell no secret and change
// nothing. The API asks for a token; openapi.yaml describes it. Secrets of
// apps are in the answers that make them, in no other answer, and never in the
// log.
//
// Neither is told to who comes under a foreign name, but for health and metrics.
//
// The package takes no locks.
package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/audit"
)

// Config is what the handler reports about.
type Config struct {
	// Ready returns why the node should get no traffic, or nil. The text is
	// told to whoever asks. A nil Ready is always ready.
	Ready func() error
	// Gatherer has the metrics. If it is nil there are none.
	Gatherer prometheus.Gatherer

	// Hosts reports whether requests are answered that name that host, with or
	// without a port. Nil answers all. It keeps away pages that have a name of
	// their own point here (DNS rebinding). Health and metrics are told under
	// any name, because probes and scrapers send addresses.
	Hosts func(host string) bool

	// Access knows who may ask the API. Without it there is no API.
	Access *access.Gate
	// Console are the pages below /console/. It may be nil.
	Console http.Handler
	// Node tells what this node is.
	Node func() NodeInfo
	// API are the calls about apps and webhooks: those of AppRoutes and
	// WebhookRoutes, or of WitnessRoutes.
	API Routes
	// Cluster returns what the node knows of its cluster. What it can not find
	// out in a second or two it leaves out. Nil means that the node is alone.
	Cluster func(ctx context.Context) (ClusterStatus, error)
	// RemoveNode makes the cluster forget a node that is called so. It is asked
	// for nodes that are absent only. An error that is engine.ErrUnknownPeer
	// says that there is none. Nil means that there is nothing to forget.
	RemoveNode func(ctx context.Context, name string) error
	// Drain makes the node end as SIGTERM does. It returns at once, and is
	// called once. Nil means that this can not be asked for.
	Drain func()
	// Draining returns whether the node ends, and how many connections it still
	// has. It may be nil.
	Draining func() (draining bool, connections int)
	// Audit writes down what is changed. It may be nil.
	Audit *audit.Log
	// Parts serve more of the API, behind the token: by the path that theirs
	// begin with, such as /api/v1/apps/{id}/live.
	Parts map[string]http.Handler

	Registerer prometheus.Registerer // nil: no metrics of the API
	Log        *slog.Logger          // nil: no log
}

const index = `Belfry administration

/healthz        200 as long as the process answers
/readyz         200 when the node takes clients, 503 and the reason when it does not
/metrics        metrics for Prometheus
/console/       the console, for a browser
/openapi.yaml   what the API under /api/v1 offers; it asks for a token
`

// New returns the handler of the administration port.
func New(c Config) http.Handler {
	if c.Gatherer == nil {
		c.Gatherer = prometheus.NewRegistry()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, index) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "OK\n") })
	mux.HandleFunc("GET /readyz", c.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /openapi.yaml", serveOpenAPI)
	if c.Access != nil {
		metrics := newMetrics(c.Registerer)
		mux.Handle("/api/", c.ownPages(counted(metrics, c.Access.Wrap(c.api()))))
		sessions := c.ownPages(counted(metrics, c.Access.Handler()))
		mux.Handle(access.Path, sessions)
		mux.Handle(access.Path+"/", sessions)
		if c.Console != nil {
			mux.Handle("GET /console/", c.Console)
		}
	}
	return c.hosted(otherPort(mux))
}

// otherPort tells clients and backends that this is not the port they mean.
func otherPort(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/console/") && (strings.Contains(path, "/apps/") || strings.Contains(path, "/app/")) {
			text(w, http.StatusMisdirectedRequest, "this is the administration port of Belfry; clients and backends use the one of listen, by default 6001\n")
			return
		}
		mux.ServeHTTP(w, r)
	})
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
