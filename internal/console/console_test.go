package console

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest("GET", "http://localhost:6002"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	New([]byte("var Pusher")).ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	baseOf  = regexp.MustCompile(`<base href="([^"]*)">`)
	filesOf = regexp.MustCompile(`"(files/[^"]*)"`)
)

// TestEveryPathIsThePage also below a path of a proxy, which is not in the
// request.
func TestEveryPathIsThePage(t *testing.T) {
	for _, path := range []string{"", "apps/1", "apps/1/keys", "apps/1/webhooks/x%2Fy", "nothing/at/all/"} {
		r := get(t, Path+path)
		page := text(t, r.Body)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s = %s %v, want the page, which is not kept", path, r.Status, r.Header)
		}
		outside, err := url.Parse("https://ops.example/belfry" + Path + path)
		if err != nil {
			t.Fatal(err)
		}
		base, err := outside.Parse(baseOf.FindStringSubmatch(page)[1])
		if err != nil || base.Path != "/belfry/console/" {
			t.Errorf("base of %s = %v, %v, want /belfry/console/", path, base, err)
		}
		if found := filesOf.FindAllString(page, -1); len(found) != 2 {
			t.Errorf("the page loads %q, want a script and a style", found)
		}
	}
}

func TestFilesAreKeptForEver(t *testing.T) {
	page := text(t, get(t, Path).Body)
	for _, m := range filesOf.FindAllStringSubmatch(page, -1) {
		plain := get(t, Path+m[1])
		body := text(t, plain.Body)
		if plain.StatusCode != 200 || !strings.HasSuffix(plain.Header.Get("Cache-Control"), "immutable") || len(body) < 1000 {
			t.Errorf("GET %s = %s %v with %d bytes", m[1], plain.Status, plain.Header, len(body))
		}
		small := get(t, Path+m[1], "Accept-Encoding", "gzip, br")
		z, err := gzip.NewReader(small.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, z); got != body {
			t.Errorf("the compressed %s is another", m[1])
		}
	}
	if r := get(t, Path+"files/console-000000000000.js"); r.StatusCode != 404 || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a file of another version = %s %v, want a 404 that is not kept", r.Status, r.Header)
	}
}

func TestThePageMayDoLittle(t *testing.T) {
	for _, path := range []string{"", "apps/1", "files/none"} {
		h := get(t, Path+path).Header
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(h.Get("Content-Security-Policy"), want) {
				t.Errorf("policy of %q = %s, want %s in it", path, h.Get("Content-Security-Policy"), want)
			}
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if h.Get(name) != want {
				t.Errorf("%s of %q = %q, want %s", name, path, h.Get(name), want)
			}
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%q is told to pages elsewhere", path)
		}
	}
}

// TestDocumentationIsThere as text that the page shows, and no other file is.
func TestDocumentationIsThere(t *testing.T) {
	r := get(t, Path+"files/docs/protocol.md")
	if page := text(t, r.Body); r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/markdown; charset=utf-8" || !strings.Contains(page, "| 4100 |") {
		t.Errorf("GET protocol.md = %s %v %.100q", r.Status, r.Header, page)
	}
	if kept := r.Header.Get("Cache-Control"); kept != "no-cache" {
		t.Errorf("Cache-Control = %q: the name is the same in the next version", kept)
	}
	for _, name := range []string{"nothing.md", "docs.go", "../console.go", "design/2026-11-21-cluster.md", ""} {
		if r := get(t, Path+"files/docs/"+url.PathEscape(name)); r.StatusCode != 404 {
			t.Errorf("GET %q = %s, want 404", name, r.Status)
		}
	}
}

// TestFrameIsShutOff: it may talk to the hosts that its address names, and has
// nothing of the console.
func TestFrameIsShutOff(t *testing.T) {
	r := get(t, Path+"diagnostics/frame?to=https://belfry.example&to=http://127.0.0.1:3000")
	page := text(t, r.Body)
	const want = "sandbox allow-scripts; default-src 'none'; script-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; " +
		"connect-src https://belfry.example wss://belfry.example http://127.0.0.1:3000 ws://127.0.0.1:3000"
	if got := r.Header.Get("Content-Security-Policy"); r.StatusCode != 200 || got != want {
		t.Errorf("the frame = %s with the policy\n%s\nwant\n%s", r.Status, got, want)
	}
	scripts := regexp.MustCompile(`src="\.\./(files/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(scripts) != 2 {
		t.Fatalf("the frame loads %q, want pusher-js and ours", scripts)
	}
	for _, m := range scripts {
		f := get(t, Path+m[1])
		if f.StatusCode != 200 || f.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
			t.Errorf("%s = %s %v, want a script that the frame may load", m[1], f.Status, f.Header)
		}
	}
	if !strings.Contains(scripts[1][1], "probe-") {
		t.Errorf("the last script is %s, want ours, which needs the other", scripts[1][1])
	}
	for _, to := range []string{"", "to=", "to=https://a;script-src%20*", "to=https://a%20b", "to=https://a/", "to=ftp://a", "to=*", "to=https://*", "to=https://a,b",
		"to=https://u@a", "to=https://a?x", "to=javascript:1", "to=https://a&to=https://b&to=https://c", "to=//a", "to=https://a%0d%0ax:y", "to=https://'self'"} {
		if r := get(t, Path+"diagnostics/frame?"+to); r.StatusCode != 400 || strings.Contains(r.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s = %s, want 400", to, r.Status)
		}
	}
}
