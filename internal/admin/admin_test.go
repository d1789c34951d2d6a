package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func get(h http.Handler, method, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

const misdirected = "this is the administration port of Belfry; clients and backends use the one of listen, by default 6001\n"

func TestAnswers(t *testing.T) {
	h := New(Config{})
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/healthz", 200, "OK\n"},
		{"HEAD", "/healthz", 200, "OK\n"}, // net/http leaves the body out
		{"GET", "/readyz", 200, "OK\n"},
		{"GET", "/", 200, index},
		{"POST", "/readyz", 405, "Method Not Allowed\n"},
		{"GET", "/metric", 404, "404 page not found\n"},
		{"POST", "/apps/1/events", 421, misdirected},
		{"POST", "/realtime/apps/1/events", 421, misdirected},
		{"GET", "/app/key", 421, misdirected},
		{"GET", "/api/v1/apps/1", 404, "404 page not found\n"}, // without a token there is no API
	} {
		if status, body := get(h, tt.method, tt.path); status != tt.status || body != tt.body {
			t.Errorf("%s %s = %d %q, want %d %q", tt.method, tt.path, status, body, tt.status, tt.body)
		}
	}
}

func TestNotReadyTellsTheReasonAndStaysAlive(t *testing.T) {
	var reason error
	h := New(Config{Ready: func() error { return reason }})
	if status, _ := get(h, "GET", "/readyz"); status != 200 {
		t.Errorf("/readyz of a ready node = %d, want 200", status)
	}
	reason = errors.New("draining")
	if status, body := get(h, "GET", "/readyz"); status != 503 || body != "draining\n" {
		t.Errorf("/readyz = %d %q, want 503 and the reason", status, body)
	}
	if status, _ := get(h, "GET", "/healthz"); status != 200 {
		t.Errorf("/healthz of a draining node = %d, want 200: restarting it would cut its clients off", status)
	}
}

func TestMetricsAreThoseOfTheGatherer(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_things_total", Help: "Things."})
	registry.MustRegister(counter)
	counter.Add(3)
	status, body := get(New(Config{Gatherer: registry}), "GET", "/metrics")
	if status != 200 || !strings.Contains(body, "\nbelfry_things_total 3\n") {
		t.Errorf("/metrics = %d %q, want belfry_things_total 3", status, body)
	}
}
