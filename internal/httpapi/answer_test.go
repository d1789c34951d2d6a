package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"a b,é€":                   "a b,é€",
		"a\nb\x00\u2028":           "a\uFFFDb\uFFFD\uFFFD",
		"\xff":                     "\uFFFD",
		strings.Repeat("a", 201):   strings.Repeat("a", 200),
		strings.Repeat("€", 67):    strings.Repeat("€", 66),
		strings.Repeat("\x80", 99): strings.Repeat("\uFFFD", 99),
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
	if got := printable(strings.Repeat("\x80", 300)); strings.Contains(got, "\x80") || len(got) > 3*maxEcho {
		t.Errorf("printable(continuation bytes) = %q", got)
	}
}

func TestInspect(t *testing.T) {
	for in, want := range map[string]string{
		"":             "",
		"GET\n/x":      `GET\n/x`,
		`a"b\c`:        `a\"b\\c`,
		"\x00\x7f\r é": `\x00\x7F\x0D é`,
		"\xffa\uFFFD":  `\xFFa` + "\uFFFD",
	} {
		if got := inspect(in); got != want {
			t.Errorf("inspect(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestStatusErrorNamesThePackage(t *testing.T) {
	if got, want := errNotFound.Error(), "httpapi: answer 404: 404 NOT FOUND"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestRequestLine(t *testing.T) {
	for uri, want := range map[string][2]string{
		"/a%40b@?x=%zz?y":             {"/a%40b@", "x=%zz?y"},
		"/a":                          {"/a", ""},
		"http://example.org/a%2Fb?c=": {"/a%2Fb", "c="},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if !strings.HasPrefix(uri, "/") {
			r = httptest.NewRequest(http.MethodGet, uri, nil)
		}
		r.RequestURI = uri
		if path, query := requestLine(r); path != want[0] || query != want[1] {
			t.Errorf("requestLine(%q) = %q, %q, want %q, %q", uri, path, query, want[0], want[1])
		}
	}
}

// TestLargeBuffersAreNotKept makes sure that one large call does not cost
// memory for as long as the process lives.
func TestLargeBuffersAreNotKept(t *testing.T) {
	c := &call{body: make([]byte, keepBuffer+1), out: make([]byte, 10), scratch: make([]byte, keepBuffer+1), channels: make([]string, maxParams+1)}
	c.reset()
	if c.body != nil || c.scratch != nil || c.channels != nil {
		t.Error("a large buffer was kept")
	}
	if cap(c.out) != 10 {
		t.Error("a small buffer was not kept")
	}
}
