package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// request asks a server with that configuration.
func request(t *testing.T, cfg Config, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h := New(cfg).Handler(r)
	if h == nil {
		return nil
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOtherPathsAreNotOurs(t *testing.T) {
	for _, path := range []string{"/", "/app/key", "/apps/1/events", "/pusher/info", "/v1/x.js", "/8.6.0", "/8.6.0/a/b.js", "/1.2.3.4/pusher.js", "/latest/../x", "/1/channels", "/up"} {
		if r := request(t, Config{}, "GET", path); r != nil {
			t.Errorf("%s = %d, want it left to others", path, r.StatusCode)
		}
	}
	if r := request(t, Config{Path: "/realtime"}, "GET", "/realtimes/8.6.0/pusher.js"); r != nil {
		t.Errorf("with another prefix = %d, want it left to others", r.StatusCode)
	}
	for _, path := range []string{"/8.6.0/pusher.js", "/realtime/8.6.0/pusher.js", "//8.6.0/pusher.js", "//realtime//8.6.0/pusher.js"} {
		if request(t, Config{Path: "/realtime"}, "GET", path) == nil {
			t.Errorf("GET %s is left to others, want an answer with and without the prefix", path)
		}
	}
}

func TestFilesThatTheLoaderAsksFor(t *testing.T) {
	const day, year, minutes = "public, max-age=86400", "public, max-age=31536000, immutable", "public, max-age=300"
	short := Version()[:strings.LastIndex(Version(), ".")]
	tests := map[string]string{
		"/3.2.4/sockjs.min.js":                         day,
		"/4.4.0/json2.min.js":                          day,
		"/7.6.0/sockjs.js":                             day,
		"/latest/sockjs.js":                            minutes,
		"/latest/pusher.min.js":                        minutes,
		"/" + short + "/pusher.js":                     day,
		"/" + Version() + "/sockjs.js":                 year,
		"/" + Version() + "/json2.js":                  year,
		"/" + Version() + "/pusher-with-encryption.js": year,
		"/" + Version() + "/pusher.worker.min.js":      year,
		"//" + Version() + "//pusher.js":               year,
	}
	for path, caching := range tests {
		r := request(t, Config{}, "GET", "http://x"+path)
		if r == nil || r.StatusCode != 200 || r.Header.Get("Cache-Control") != caching || r.Header.Get("ETag") == "" ||
			r.Header.Get("Content-Type") != "application/javascript; charset=utf-8" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("GET %s = %+v, want the file, for %s", path, r, caching)
			continue
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if want, _ := dist.ReadFile("dist/" + name); body(t, r.Body) != string(want) {
			t.Errorf("GET %s is not %s", path, name)
		}
	}
	for _, path := range []string{"/7.0.0/pusher.js", "/8/pusher.js", "/" + Version() + "/nothing.js", "/" + Version() + "/version.txt"} {
		if r := request(t, Config{}, "GET", path); r.StatusCode != http.StatusNotFound || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s = %d, want a 404 that is not kept", path, r.StatusCode)
		}
	}
	if r := request(t, Config{}, "POST", "/latest/pusher.js"); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d, want 405", r.StatusCode)
	}
}

func TestAskingAgainCostsNothing(t *testing.T) {
	for _, coding := range []string{"identity", "gzip"} {
		r := request(t, Config{}, "GET", "/latest/pusher.js", "Accept-Encoding", coding)
		again := request(t, Config{}, "GET", "/latest/pusher.js", "Accept-Encoding", coding, "If-None-Match", `"x", W/`+r.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || body(t, again.Body) != "" {
			t.Errorf("%s: asking again = %d, want 304", coding, again.StatusCode)
		}
	}
}

func TestCompression(t *testing.T) {
	for accept, want := range map[string]string{"": "", "br": "", "gzip": "gzip", "br, gzip;q=0.5": "gzip", "gzip;q=0": "", "gzip; q=0.0": ""} {
		r := request(t, Config{}, "GET", "/latest/pusher.js", "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding"); got != want || r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: coding %q, want %q", accept, got, want)
		}
		if want != "gzip" {
			continue
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if plain, _ := dist.ReadFile("dist/pusher.js"); body(t, z) != string(plain) {
			t.Errorf("the compressed file is another")
		}
	}
}

func TestPageShowsTheLines(t *testing.T) {
	tests := map[string]struct {
		cfg    Config
		target string
		want   []string
		not    string
	}{
		"plain": {Config{}, "http://belfry.test:6001/latest/",
			[]string{`http://belfry.test:6001/` + Version() + `/pusher.min.js`, `wsPort: 6001`, `forceTLS: false`, `httpHost: &#34;belfry.test&#34;`}, "httpPath"},
		"TLS": {Config{Secure: func(*http.Request) bool { return true }}, "http://belfry.test/latest/",
			[]string{`https://belfry.test/` + Version(), `wssPort: 443`, `forceTLS: true`}, "httpPath"},
		"paths": {Config{Path: "/realtime", HTTPPath: "/pusher"}, "http://belfry.test/realtime/" + Version() + "/",
			[]string{`http://belfry.test/realtime/` + Version(), `wsPath: &#34;/realtime&#34;`, `httpPath: &#34;/realtime/pusher&#34;`}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := request(t, tt.cfg, "GET", tt.target)
			text := body(t, r.Body)
			for _, want := range tt.want {
				if !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, "&#34;", `"`)) {
					t.Errorf("the page does not say %s:\n%s", want, text)
				}
			}
			if tt.not != "" && strings.Contains(text, tt.not) {
				t.Errorf("the page says %s", tt.not)
			}
		})
	}
}
