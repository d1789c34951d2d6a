package http1

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
)

// scripts are what clients send, to which all sites must answer alike.
func scripts() map[string]string {
	all := map[string]string{
		"nothing":                    "",
		"one":                        post("/echo", "abc"),
		"without a body":             post("/echo", ""),
		"the last":                   post("/echo", "abc", "Connection: close"),
		"the last, and more":         post("/close", "abc"),
		"kept alive":                 post("/echo", "abc", "Connection: keep-alive") + post("/echo", "d"),
		"an error":                   post("/refuse", "abc"),
		"no content":                 post("/empty", ""),
		"no type":                    post("/sniff", ""),
		"a value with line ends":     post("/inject", ""),
		"not found":                  post("/nowhere", ""),
		"an answer that waits":       post("/wait", "abc") + post("/echo", "d"),
		"some that wait":             strings.Repeat(post("/wait", "abc"), 3),
		"pipelined":                  strings.Repeat(post("/echo", "abc"), 100),
		"pipelined to net/http":      strings.Repeat(post("/echo", "abc"), 40) + "GET /a HTTP/1.1\r\nHost: a\r\n\r\n" + post("/echo", "d"),
		"waits, then net/http":       post("/wait", "abc") + post("/elsewhere", "abc") + post("/echo", "d"),
		"elsewhere":                  post("/elsewhere", "abc"),
		"half a body":                post("/echo", "abc")[:len(post("/echo", ""))],
		"half a head":                "POST /echo HTTP/1.1\r\nHost",
		"half a line":                "POST",
		"one and a half":             post("/echo", "abc") + "POST /ec",
		"long body":                  post("/echo", strings.Repeat("x", 100<<10)),
		"long head":                  post("/echo", "abc", "X: "+strings.Repeat("x", 20<<10)),
		"too long head":              post("/echo", "abc", "X: "+strings.Repeat("x", 2<<20)),
		"a takeover":                 "GET /upgrade HTTP/1.1\r\nHost: a\r\n\r\n" + "abc",
		"a takeover after another":   post("/echo", "abc") + "GET /upgrade HTTP/1.1\r\nHost: a\r\n\r\n" + "abc",
		"expectation":                post("/echo", "abc", "Expect: 100-continue"),
		"chunks":                     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + post("/echo", "d"),
		"HTTP/1.0":                   strings.Replace(post("/echo", "abc"), "HTTP/1.1", "HTTP/1.0", 1),
		"HTTP/1.0 that is kept":      strings.Replace(post("/echo", "abc", "Connection: keep-alive"), "HTTP/1.1", "HTTP/1.0", 1),
		"absolute form":              strings.Replace(post("/echo", "abc"), "/echo", "http://b/echo", 1),
		"empty line behind the body": post("/echo", "abc") + "\r\n" + post("/echo", "d"),
		"more line ends":             post("/echo", "abc") + "\n\r\n\r" + post("/echo", "d"),
		"too many line ends":         post("/echo", "abc") + "\r\n\r\n\r\n" + post("/echo", "d"),
		"line ends, then net/http":   post("/echo", "abc") + "\r\n" + post("/elsewhere", "d"),
		"only line ends":             post("/echo", "abc") + "\r\n",
		"line ends behind a wait":    post("/wait", "abc") + "\r\n" + post("/wait", "d"),
		"bytes behind the body":      post("/echo", "abc") + "xyz" + post("/echo", "d"),
	}
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, text := range otherHeads {
		all["ambiguous: "+name] = strings.Replace(text, "POST / ", "POST /echo ", 1) + "0\r\n\r\n" + smuggled
	}
	for name, text := range plainHeads {
		if strings.HasPrefix(text, "POST") {
			all["plain: "+name] = text + "{}" + smuggled
		}
	}
	return all
}

// Whoever answers, the answer is the same, byte for byte but for the date,
// however the request comes.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			alone, loops := newSite(t, kind{tls: secure}, Config{}), newSite(t, kind{loops: true, tls: secure}, Config{})
			all := scripts()
			for _, name := range slices.Sorted(maps.Keys(all)) {
				text := all[name]
				want := alone.says(text, len(text)+1)
				for _, piece := range []int{len(text) + 1, 7, 1} {
					if piece < 7 && len(text) > 2000 {
						continue
					}
					if got := loops.says(text, piece); got != want {
						t.Errorf("%s, in pieces of %d: the answer differs (-net/http +loops):\n%s", name, piece, cmp.Diff(want, got))
					}
				}
			}
			if loops.counted("upgraded") == 0 || loops.counted("answered") == 0 || loops.counted("waited") == 0 {
				t.Errorf("loops have answered %v, upgraded %v, waited for %v", loops.counted("answered"), loops.counted("upgraded"), loops.counted("waited"))
			}
		})
	}
}

// counted is how many requests of a kind loops have served.
func (s *testSite) counted(kind string) float64 {
	families, err := s.metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == kind }) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// exchangeWith sends a request and reads the answer to it.
func exchangeWith(t *testing.T, c io.ReadWriter, in *bufio.Reader, text string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return r
}

// One connection goes from loops to net/http and stays there, and is answered
// all the time.
func TestConnectionGoesToNetHTTP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := newSite(t, kind{loops: true, tls: secure}, Config{})
		c := s.dial()
		in := bufio.NewReader(c)
		for _, path := range []string{"/echo", "/wait", "/echo", "/elsewhere", "/echo", "/elsewhere"} {
			if r := exchangeWith(t, c, in, post(path, "abc")); r.StatusCode != 200 || r.Header.Values("X-Asked")[1] != fmt.Sprint(secure) {
				t.Errorf("%s: %s %v", path, r.Status, r.Header)
			}
		}
	}
}

// What is pending is what has no request under way: idle connections are, also
// those whose answer takes its time before and after it, and clients are not.
func TestPendingConnections(t *testing.T) {
	s := newSite(t, kind{loops: true}, Config{})
	c := s.dial()
	in := bufio.NewReader(c)
	s.until(1, 0)
	exchangeWith(t, c, in, post("/echo", "abc"))
	s.until(1, 0)
	if _, err := io.WriteString(c, post("/hold", "")); err != nil {
		t.Fatal(err)
	}
	<-s.held
	s.until(0, 0)
	s.release <- struct{}{}
	exchangeWith(t, c, in, "")
	s.until(1, 0)
	if _, err := io.WriteString(c, "GET /upgrade HTTP/1.1\r\nHost: a\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	want := "HTTP/1.1 101 Switching Protocols\r\n\r\nabc"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
		t.Errorf("a takeover is answered %q, %v", got, err)
	}
	s.until(0, 1)
	c.Close()
	s.until(0, 0)
}

// until waits for so many pending connections and sockets of clients.
func (s *testSite) until(pending, sockets int) {
	s.t.Helper()
	for end := time.Now().Add(patience); s.pending.Len() != pending || s.group.Sockets() != sockets; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%d connections are pending and %d sockets are there, want %d and %d", s.pending.Len(), s.group.Sockets(), pending, sockets)
		}
	}
}

// A panic ends the connection of its request and nothing else, and is told.
func TestPanicsOfServices(t *testing.T) {
	for _, path := range []string{"/panic", "/panic-later", "/abort"} {
		s := newSite(t, kind{loops: true}, Config{})
		if got := s.says(post(path, "")+post("/echo", "abc"), 1000); got != "" {
			t.Errorf("%s is answered %q", path, got)
		}
		if got := s.says(post("/echo", "abc"), 1000); !strings.Contains(got, "abc") {
			t.Errorf("after %s: %q", path, got)
		}
		if told := strings.Contains(s.log.String(), "http: panic serving 127.0.0.1:"); told != (path != "/abort") {
			t.Errorf("%s: the log says %q", path, s.log.String())
		}
	}
}

// What does not come in time ends the connection without a word.
func TestConnectionsThatAreLate(t *testing.T) {
	const short = 100 * time.Millisecond
	for name, test := range map[string]struct {
		cfg  Config
		text string
	}{
		"nothing":          {Config{Header: short}, ""},
		"half a head":      {Config{Header: short}, "POST /echo HTTP/1.1\r\nHost"},
		"half a body":      {Config{Header: short, Read: short}, post("/echo", "abc")[:len(post("/echo", ""))]},
		"half of a second": {Config{Header: short}, post("/echo", "abc") + "POST"},
		"no second":        {Config{Idle: short}, post("/echo", "abc")},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSite(t, kind{loops: true}, test.cfg).dial()
			if _, err := io.WriteString(c, test.text); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(c)
			if err != nil || strings.HasPrefix(test.text, post("/echo", "abc")) != strings.HasSuffix(string(answer), "abc127") {
				t.Errorf("%q, %v", answer, err)
			}
		})
	}
}

// A client that sends and takes no answers is not read any more, and its answers
// do not fill the memory.
func TestAnswersThatNobodyTakes(t *testing.T) {
	s := newSite(t, kind{loops: true}, Config{})
	c := s.dial()
	sent := make(chan int)
	go func() {
		text, n := post("/many", ""), 0
		_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		for {
			if _, err := io.WriteString(c, text); err != nil {
				sent <- n
				return
			}
			n++
		}
	}()
	<-sent
	if most, got := 100.0, s.counted("answered"); got > most {
		t.Errorf("%v answers of 100 KiB were made for a client that takes none", got)
	}
}

// When the server is shut down, what is between requests ends, and what is not
// is answered, and told that it was the last.
func TestShutdown(t *testing.T) {
	s := newSite(t, kind{loops: true}, Config{})
	idle, busy := s.dial(), s.dial()
	exchangeWith(t, idle, bufio.NewReader(idle), post("/echo", "abc"))
	if _, err := io.WriteString(busy, post("/hold", "")); err != nil {
		t.Fatal(err)
	}
	<-s.held
	done := make(chan error)
	go func() { done <- s.loops.Shutdown(t.Context()) }()
	if rest, err := io.ReadAll(idle); err != nil || len(rest) > 0 {
		t.Errorf("an idle connection gets %q, %v", rest, err)
	}
	s.release <- struct{}{}
	answer, err := io.ReadAll(busy)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") || !strings.Contains(string(answer), "\r\nConnection: close\r\n") {
		t.Errorf("the last answer is %q, %v", answer, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TLS that is none, and HTTP that is not encrypted, are told as net/http does.
func TestHandshakesThatFail(t *testing.T) {
	s := newSite(t, kind{loops: true, tls: true}, Config{})
	s.tls = false
	if got, want := s.says("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1000), "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if said := s.log.String(); !strings.Contains(said, "http: TLS handshake error from 127.0.0.1:") {
		t.Errorf("the log says %q", said)
	}
}
