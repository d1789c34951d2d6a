package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lines joins the lines of a head.
func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

// The heads that stock clients and libraries send, from which the fuzzer starts.
var plainHeads = map[string]string{
	"browser": lines("GET /app/key?protocol=7&client=js&version=8.4.0&flash=false HTTP/1.1", "Host: 127.0.0.1:6001", "Connection: Upgrade",
		"Pragma: no-cache", "Cache-Control: no-cache", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "Upgrade: websocket", "Origin: http://localhost",
		"Sec-WebSocket-Version: 13", "Accept-Encoding: gzip, deflate, br", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
	"firefox": lines("GET /app/key HTTP/1.1", "Host: example.com", "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
	"go":      lines("POST /apps/1/events?auth_key=key&auth_timestamp=1&auth_version=1.0&body_md5=0&auth_signature=0 HTTP/1.1", "Host: a:80", "User-Agent: Go-http-client/1.1", "Content-Length: 2", "Content-Type: application/json", "X-Pusher-Library: pusher-http-go 5.1.1", "Accept-Encoding: gzip"),
	"node":    lines("POST /apps/1/events HTTP/1.1", "content-type: application/json", "x-pusher-library: pusher-http-node 5.2.0", "accept: */*", "content-length: 2", "host: a", "connection: keep-alive"),
	"ruby":    lines("POST /apps/1/events HTTP/1.1", "Accept: */*", "Content-Length: 2", "Connection: close", "Host: [::1]:6001"),
	"asks":    lines("GET /apps/1/channels/a%20b?x=%zz&y=+ HTTP/1.1", "Host: a"),
	"twice":   lines("GET / HTTP/1.1", "Host: a", "X-Forwarded-For: 1.2.3.4", "x-forwarded-for: 2.3.4.5"),
	"blanks":  lines("GET / HTTP/1.1", "Host:\ta \t", "Empty:", "Accept: a\tb"),
	"slashes": lines("GET //app//key HTTP/1.1", "Host: a"),
	"empty":   lines("POST /apps/1/users/2/terminate_connections HTTP/1.1", "Host: a", "Content-Length: 0"),
}

// What is not plain: with most of it requests are smuggled past one of two
// servers that read it in different ways, the rest asks for more than an answer.
var otherHeads = map[string]string{
	"no host":                    lines("GET / HTTP/1.1"),
	"two hosts":                  lines("GET / HTTP/1.1", "Host: a", "Host: a"),
	"empty host":                 lines("GET / HTTP/1.1", "Host:"),
	"host with a path":           lines("GET / HTTP/1.1", "Host: a/b"),
	"host with a user":           lines("GET / HTTP/1.1", "Host: a@b"),
	"host with a blank":          lines("GET / HTTP/1.1", "Host: a b"),
	"two lengths":                lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 2"),
	"the same length twice":      lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Content-Length: 2"),
	"lengths in one field":       lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2, 2"),
	"length with a sign":         lines("POST / HTTP/1.1", "Host: a", "Content-Length: +2"),
	"negative length":            lines("POST / HTTP/1.1", "Host: a", "Content-Length: -2"),
	"hexadecimal length":         lines("POST / HTTP/1.1", "Host: a", "Content-Length: 0x2"),
	"length with a blank":        lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1 2"),
	"length with an underscore":  lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1_2"),
	"length with a vertical tab": lines("POST / HTTP/1.1", "Host: a", "Content-Length: \v2"),
	"empty length":               lines("POST / HTTP/1.1", "Host: a", "Content-Length:"),
	"huge length":                lines("POST / HTTP/1.1", "Host: a", "Content-Length: 18446744073709551618"),
	"length and chunks":          lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Transfer-Encoding: chunked"),
	"chunks":                     lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"),
	"identity":                   lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Transfer-Encoding: identity"),
	"chunks in other case":       lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "tRANSFER-eNCODING: cHUNKED"),
	"chunks behind a tab":        lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Transfer-Encoding:\tchunked"),
	"chunks with a vertical tab": lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Transfer-Encoding: \vchunked"),
	"chunks, misspelled":         lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Transfer-Encoding: xchunked"),
	"blank before the colon":     lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Transfer-Encoding : chunked"),
	"blank before it, length":    lines("POST / HTTP/1.1", "Host: a", "Content-Length : 2"),
	"tab before the colon":       lines("POST / HTTP/1.1", "Host: a", "Content-Length\t: 2"),
	"blank before the name":      lines("POST / HTTP/1.1", " Host: a", "Content-Length: 2"),
	"folded":                     lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "X: a", " b"),
	"folded chunks":              lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Transfer-Encoding:", " chunked"),
	"folded with a tab":          lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "X: a", "\tTransfer-Encoding: chunked"),
	"bare LF":                    "POST / HTTP/1.1\nHost: a\nContent-Length: 2\n\n",
	"one bare LF":                "POST / HTTP/1.1\r\nHost: a\nContent-Length: 2\r\n\r\n",
	"bare LF at the end":         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\n",
	"bare CR":                    "POST / HTTP/1.1\r\nHost: a\rX: b\r\nContent-Length: 2\r\n\r\n",
	"two CR":                     "POST / HTTP/1.1\r\nHost: a\r\r\nContent-Length: 2\r\n\r\n",
	"CR before the colon":        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding\r: chunked\r\n\r\n",
	"NUL in a value":             lines("GET / HTTP/1.1", "Host: a", "X: a\x00b"),
	"NUL in a name":              lines("GET / HTTP/1.1", "Host: a", "X\x00: ab"),
	"DEL in a value":             lines("GET / HTTP/1.1", "Host: a", "X: \x7f"),
	"beyond ASCII":               lines("GET / HTTP/1.1", "Host: a", "X: \xc3\xa4"),
	"no name":                    lines("GET / HTTP/1.1", "Host: a", ": x"),
	"no colon":                   lines("GET / HTTP/1.1", "Host: a", "X"),
	"name in quotes":             lines("GET / HTTP/1.1", "Host: a", `"X": a`),
	"HTTP/1.0":                   lines("GET / HTTP/1.0", "Host: a"),
	"HTTP/1.2":                   lines("GET / HTTP/1.2", "Host: a"),
	"HTTP/2":                     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"HTTP/0.9":                   "GET /\r\n",
	"absolute form":              lines("GET http://a/ HTTP/1.1", "Host: b"),
	"authority form":             lines("CONNECT a:80 HTTP/1.1", "Host: a"),
	"asterisk form":              lines("OPTIONS * HTTP/1.1", "Host: a"),
	"HEAD":                       lines("HEAD / HTTP/1.1", "Host: a"),
	"lower case":                 lines("get / HTTP/1.1", "Host: a"),
	"two blanks":                 lines("GET  / HTTP/1.1", "Host: a"),
	"blank in the target":        lines("GET /a b HTTP/1.1", "Host: a"),
	"tab for a blank":            lines("GET\t/ HTTP/1.1", "Host: a"),
	"blank at the end":           lines("GET / HTTP/1.1 ", "Host: a"),
	"fragment":                   lines("GET /#a HTTP/1.1", "Host: a"),
	"escape that is none":        lines("GET /%zz HTTP/1.1", "Host: a"),
	"target beyond ASCII":        lines("GET /\xc3\xa4 HTTP/1.1", "Host: a"),
	"empty line in front":        "\r\n" + lines("GET / HTTP/1.1", "Host: a"),
	"expectation":                lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Expect: 100-continue"),
	"trailer":                    lines("POST / HTTP/1.1", "Host: a", "Content-Length: 2", "Trailer: X"),
	"h2c":                        lines("GET / HTTP/1.1", "Host: a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
	"upgrade without Connection": lines("GET / HTTP/1.1", "Host: a", "Upgrade: websocket"),
	"Connection without upgrade": lines("GET / HTTP/1.1", "Host: a", "Connection: Upgrade"),
	"upgrade of a POST":          lines("POST / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 2"),
	"two Connections":            lines("GET / HTTP/1.1", "Host: a", "Connection: close", "Connection: keep-alive"),
	"a named field":              lines("GET / HTTP/1.1", "Host: a", "Connection: close, X-Forwarded-For"),
	"GET with a body":            lines("GET / HTTP/1.1", "Host: a", "Content-Length: 2"),
	"GET with an empty body":     lines("GET / HTTP/1.1", "Host: a", "Content-Length: 0"),
	"POST without a length":      lines("POST / HTTP/1.1", "Host: a"),
	"Pragma alone":               lines("GET / HTTP/1.1", "Host: a", "Pragma: no-cache"),
	"long":                       lines("GET /"+strings.Repeat("a", maxHead)+" HTTP/1.1", "Host: a"),
	"long and unfinished":        "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", maxHead),
	"many fields":                lines("GET / HTTP/1.1", "Host: a", strings.TrimSuffix(strings.Repeat("A: b\r\n", 1)+manyFields(), "\r\n")),
	"TLS":                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
}

func manyFields() string {
	var b strings.Builder
	for i := range maxFields + 1 {
		fmt.Fprintf(&b, "X-%d: a\r\n", i)
	}
	return b.String()
}

func TestPlainHeads(t *testing.T) {
	for name, text := range plainHeads {
		if _, size, v := new(Parser).Parse([]byte(text + "ab")); v != Plain || size != len(text) {
			t.Errorf("%s: verdict %d, %d bytes, want %d, %d", name, v, size, Plain, len(text))
		}
		agree(t, []byte(text+"ab"))
	}
}

func TestWhatIsAmbiguousIsLeftToNetHTTP(t *testing.T) {
	for name, text := range otherHeads {
		if _, _, v := new(Parser).Parse([]byte(text)); v != Other {
			t.Errorf("%s: verdict %d, want %d", name, v, Other)
		}
	}
}

// agree checks that a head which is plain is read by net/http in the same way,
// and that it does not matter in which pieces it comes.
func agree(t *testing.T, b []byte) {
	t.Helper()
	var p Parser
	r, size, v := p.Parse(bytes.Clone(b))
	for n := range b {
		_, piece, early := new(Parser).Parse(b[:n])
		switch {
		case early == Incomplete:
		case early != v, early == Plain && piece != size:
			t.Fatalf("verdict %d, %d of the first %d bytes of %q, and %d, %d of all", early, piece, n, b, v, size)
		}
	}
	if v != Plain {
		return
	}
	in := bytes.NewReader(b)
	buffered := bufio.NewReaderSize(in, len(b)+16)
	want, err := http.ReadRequest(buffered)
	if err != nil {
		t.Fatalf("%q is plain, but net/http says: %v", b, err)
	}
	if want.ContentLength > 0 {
		want.Body = nil
	}
	if got := len(b) - in.Len() - buffered.Buffered(); got != size {
		t.Errorf("the head has %d bytes, for net/http %d", size, got)
	}
	want.Header.Del("Host")
	type told struct {
		Method, URI, Proto, Host string
		Path, RawPath, RawQuery  string
		Header                   http.Header
		Length                   int64
		Close                    bool
		Coding                   []string
	}
	of := func(r *http.Request) told {
		return told{r.Method, r.RequestURI, r.Proto, r.Host, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Header, r.ContentLength, r.Close, r.TransferEncoding}
	}
	if diff := cmp.Diff(of(want), of(r)); diff != "" {
		t.Errorf("%q differs from what net/http reads (-net/http +parser):\n%s", b, diff)
	}
}

// FuzzParse compares the parser with net/http. What is plain is read alike, and
// whatever comes, in whatever pieces, there is one verdict.
func FuzzParse(f *testing.F) {
	for _, heads := range []map[string]string{plainHeads, otherHeads} {
		for _, text := range heads {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) <= 2*maxHead {
			agree(t, b)
		}
	})
}

// What is read of one request is not found in the next.
func TestParserIsUsedAgain(t *testing.T) {
	var p Parser
	for range 2 {
		for name, text := range plainHeads {
			r, _, v := p.Parse([]byte(text))
			want, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(text), strings.NewReader("{}"))))
			if err != nil {
				t.Fatal(err)
			}
			if v != Plain || !cmp.Equal(r.Header, want.Header) || r.ContentLength != want.ContentLength || r.Close != want.Close {
				t.Errorf("%s: %d %v %d, want %v %d", name, v, r.Header, r.ContentLength, want.Header, want.ContentLength)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"go", "browser"} {
		b.Run(name, func(b *testing.B) {
			text := []byte(plainHeads[name])
			var p Parser
			b.ReportAllocs()
			for b.Loop() {
				if _, _, v := p.Parse(text); v != Plain {
					b.Fatal(v)
				}
			}
		})
	}
}

// BenchmarkReadRequest is what net/http takes for the same.
func BenchmarkReadRequest(b *testing.B) {
	text := plainHeads["go"]
	in := strings.NewReader(text)
	buffered := bufio.NewReader(in)
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(text)
		buffered.Reset(in)
		if _, err := http.ReadRequest(buffered); err != nil {
			b.Fatal(err)
		}
	}
}
