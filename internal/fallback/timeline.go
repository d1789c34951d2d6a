package fallback

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
)

// A timeline takes what clients with enableStats report about their
// connections, and counts it. It answers whatever it is told: a client could
// do nothing about an error.
//
// Anybody can send reports, so they need the key of an app, and what they say
// becomes a label only if it is one of few values.
type timeline struct {
	apps    *apps.Registry
	reports *prometheus.CounterVec
	events  *prometheus.CounterVec

	mu       sync.Mutex
	versions map[string]bool // that have a label of their own
}

const (
	// maxVersions is how many versions are told apart.
	maxVersions = 32
	// maxEvents is how many events of one report count; clients keep as many.
	maxEvents = 50

	other = "other"
)

// clientTransports are the transports of pusher-js, as they are called in
// reports: with an s behind the name when they use TLS.
var clientTransports = map[string]bool{
	"ws": true, "wss": true,
	"xhr_streaming": true, "xhr_streamings": true,
	"xhr_polling": true, "xhr_pollings": true,
	"xdr_streaming": true, "xdr_streamings": true,
	"xdr_polling": true, "xdr_pollings": true,
	"sockjs": true, "sockjss": true,
}

// clientStates are the states of a transport's connection.
var clientStates = map[string]bool{
	"initializing": true, "initialized": true, "connecting": true, "open": true, "closed": true, "failed": true,
}

var versionForm = regexp.MustCompile(`^[0-9]{1,2}\.[0-9]{1,3}(\.[0-9]{1,3})?$`)

func newTimeline(registry *apps.Registry, r prometheus.Registerer) *timeline {
	t := &timeline{
		apps: registry,
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_client_reports_total", Help: "Reports of clients with enableStats, by client and version.",
		}, []string{"client", "version"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_client_transport_events_total", Help: "What clients with enableStats say became of their transports: tried, or a state it came to.",
		}, []string{"transport", "event", "client", "version"}),
		versions: make(map[string]bool),
	}
	if r != nil {
		r.MustRegister(t.reports, t.events)
	}
	return t
}

// serve takes one report.
func (t *timeline) serve(w http.ResponseWriter, r *http.Request, rt route) {
	query := r.URL.Query()
	value := func(name string) string {
		text, err := base64.StdEncoding.DecodeString(query.Get(name))
		if err != nil {
			return ""
		}
		return string(text)
	}
	if r.Method == http.MethodGet && t.apps.ByKey(value("key")) != nil {
		t.count(value("lib"), value("version"), []byte(value("timeline")))
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if rt.endpoint == timelineXHR {
		h.Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
		return
	}
	h.Set("Content-Type", typeScript)
	_, _ = w.Write([]byte("Pusher.ScriptReceivers[" + rt.receiver + "](null, {});\n"))
}

// An event is what a report says of one moment. Others than those about a
// transport are left out.
type event struct {
	Connection json.RawMessage `json:"cid"`
	Transport  string          `json:"transport"`
	State      string          `json:"state"`
}

// count counts a report.
func (t *timeline) count(client, version string, text []byte) {
	if client != "js" {
		client = other
	}
	version = t.versionLabel(version)
	t.reports.WithLabelValues(client, version).Inc()
	var events []event
	if json.Unmarshal(text, &events) != nil {
		return
	}
	transports := make(map[string]string) // by connection
	for _, e := range events[:min(len(events), maxEvents)] {
		connection := string(e.Connection)
		what := e.State
		switch {
		case connection == "":
			continue
		case e.Transport != "":
			transports[connection] = label(e.Transport, clientTransports)
			what = "tried"
		case what == "":
			continue
		default:
			what = label(what, clientStates)
		}
		transport := transports[connection]
		if transport == "" {
			transport = "unknown" // it was in an earlier report
		}
		t.events.WithLabelValues(transport, what, client, version).Inc()
	}
}

// label returns text if it is one of the known, or "other".
func label(text string, known map[string]bool) string {
	if known[text] {
		return text
	}
	return other
}

// versionLabel returns version if it looks like one and few have been seen.
func (t *timeline) versionLabel(version string) string {
	if !versionForm.MatchString(version) {
		return other
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.versions[version] {
		if len(t.versions) == maxVersions {
			return other
		}
		t.versions[version] = true
	}
	return version
}
