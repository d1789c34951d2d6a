package web

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// The plugin is there as latest only: it
// has no version of pusher-js.
func TestPluginIsServed(t *testing.T) {
	s := New(Config{Path: "/realtime"})
	for path, want := range map[string]int{
		"/latest/history.js": 200, "/realtime/latest/history.js": 200, "/8.6.0/history.js": 404, "/latest/history.d.ts": 404,
	} {
		r := httptest.NewRequest("GET", path, nil)
		h := s.Handler(r)
		if h == nil {
			if want != 404 {
				t.Errorf("%s: not served", path)
			}
			continue
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want || want == 200 && (!strings.Contains(w.Body.String(), "belfryHistory") || w.Header().Get("Cache-Control") != "public, max-age=300") {
			t.Errorf("%s: %d %v, want %d", path, w.Code, w.Header(), want)
		}
	}
}
