package admin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/access"
)

// A bare handler has no apps, like that of a witness.
func bare(hosts func(string) bool) (http.Handler, *prometheus.Registry) {
	registry := prometheus.NewRegistry()
	return New(Config{Access: access.New(access.Config{Token: testToken, Registerer: registry}), Hosts: hosts, Gatherer: registry, Registerer: registry}), registry
}

func ask(h http.Handler, path, host, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Host = host
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestTheAPIAsksForTheToken(t *testing.T) {
	h, _ := bare(nil)
	for authorization, want := range map[string]int{
		"": 401, "Bearer": 401, "Bearer ": 401, "Bearer 0123456789abcde": 401, "Bearer 0123456789abcdef2": 401, "Basic " + testToken: 401,
		testToken: 401, "Bearer 0123456789ABCDEF": 401, "Bearer " + testToken: 200, "bearer  " + testToken + " ": 200,
	} {
		w := ask(h, "/api/v1/drain", "x", authorization)
		if w.Code != want && !(want == 200 && w.Code == 404) { // there is nothing to drain
			t.Errorf("Authorization: %q = %d, want %d", authorization, w.Code, want)
		}
		if got := strings.HasPrefix(w.Header().Get("WWW-Authenticate"), `Bearer realm="belfry"`); got != (want == 401) {
			t.Errorf("Authorization: %q is challenged with %q", authorization, w.Header().Get("WWW-Authenticate"))
		}
		if strings.Contains(w.Body.String(), "0123") {
			t.Errorf("Authorization: %q = %s", authorization, w.Body)
		}
	}
}

func TestWrongTokensAreSlowedDownAndCounted(t *testing.T) {
	h, registry := bare(nil)
	for i := range 12 {
		w := ask(h, "/api/v1/drain", "x", fmt.Sprint("Bearer wrong-", i))
		if want := map[bool]int{true: 401, false: 429}[i < 10]; w.Code != want {
			t.Errorf("wrong token %d = %d, want %d", i, w.Code, want)
		}
		if after := w.Header().Get("Retry-After"); (w.Code == 429) != (after != "" && after <= "6") {
			t.Errorf("wrong token %d = %d with Retry-After %q", i, w.Code, after)
		}
	}
	for range 20 { // who shows none makes no guess
		if w := ask(h, "/api/v1/drain", "x", ""); w.Code != 401 {
			t.Errorf("without a token = %d, want 401", w.Code)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "belfry_admin_tokens_refused_total" {
				got += fmt.Sprintf("%s %v, ", m.GetLabel()[0].GetValue(), m.GetCounter().GetValue())
			}
		}
	}
	if got != "slowed 2, wrong 10, " {
		t.Errorf("counted %q, want 2 slowed down and 10 wrong", got)
	}
}

func TestForeignNamesGetHealthAndMetricsOnly(t *testing.T) {
	h, _ := bare(func(host string) bool { return host == "127.0.0.1:6002" })
	for path, told := range map[string]bool{
		"/healthz": true, "/readyz": true, "/metrics": true,
		"/": false, "/openapi.yaml": false, "/api/v1/drain": false, "/api/v1/apps": false, "/nothing": false, "/healthz/": false, "//metrics": false, "/metrics/../api/v1/apps": false,
	} {
		for host, known := range map[string]bool{"127.0.0.1:6002": true, "evil.example:6002": false, "": false} {
			w := ask(h, path, host, "Bearer "+testToken)
			if got := w.Code != http.StatusForbidden; got != (told || known) {
				t.Errorf("GET %s with Host: %s = %d", path, host, w.Code)
			}
			if w.Code == http.StatusForbidden && (!strings.Contains(w.Body.String(), "admin.hosts") || w.Header().Get("Content-Type") != "application/problem+json") {
				t.Errorf("GET %s with Host: %s = %s", path, host, w.Body)
			}
		}
	}
}
