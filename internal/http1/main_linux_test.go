package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/certificate/certificatetest"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something may take that must happen.
const patience = 30 * time.Second

// A testSite is a service over HTTP. Its paths say what they do.
type testSite struct {
	t       *testing.T
	addr    string
	tls     bool
	server  *http.Server
	loops   *Server // nil: net/http serves all
	group   *loop.Group
	pending *accept.Pending
	metrics *prometheus.Registry
	log     *syncBuffer
	held    chan struct{} // gets one for each request to /hold
	release chan struct{} // lets them go on
}

// A syncBuffer is written to by several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// kind is how a site is served.
type kind struct{ loops, tls bool }

// newSite starts a site, whose times are those of cfg.
func newSite(t *testing.T, k kind, cfg Config) *testSite {
	t.Helper()
	s := &testSite{t: t, tls: k.tls, log: new(syncBuffer), held: make(chan struct{}, 100), release: make(chan struct{}), metrics: prometheus.NewRegistry()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.pending = accept.New(accept.Config{Max: 100})
	s.group = loop.NewGroup(loop.Config{Loops: 2})
	s.server = &http.Server{ErrorLog: log.New(s.log, "", 0), ReadHeaderTimeout: patience, ReadTimeout: patience, IdleTimeout: patience}
	accept.Serve(s.server, http.HandlerFunc(s.serve))
	if k.tls {

		cert, key := certificatetest.New(t, 1)
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
		s.server.TLSConfig = cfg.TLS
	}
	serve := func() error { return s.server.Serve(s.pending.Listen(l)) }
	switch {
	case k.loops:
		cfg.Pending, cfg.Log, cfg.Metrics = s.pending, s.server.ErrorLog, NewMetrics(s.metrics)
		for _, d := range []*time.Duration{&cfg.Header, &cfg.Read, &cfg.Idle} {
			if *d == 0 {
				*d = patience
			}
		}
		if s.loops, err = Listen(l, cfg); err != nil {
			t.Fatal(err)
		}
		s.loops.Open(Site{Loops: s.group, Find: s.find})
		serve = func() error { return s.server.Serve(s.loops) }
	case k.tls:
		serve = func() error { return s.server.ServeTLS(s.pending.ListenTLS(l), "", "") }
	}
	done := make(chan error, 1)
	go func() { done <- serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if s.loops != nil {
			if err := s.loops.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}
		s.server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		if err := s.group.Stop(ctx); err != nil {
			t.Error(err)
		}
		if n := s.pending.Len(); n != 0 && s.loops != nil {
			t.Errorf("%d connections are pending when all have ended", n)
		}
	})
	return s
}

// find serves POST on loops, and what asks for a takeover.
func (s *testSite) find(r *http.Request) Handler {
	if r.URL.Path == "/elsewhere" || r.Method != http.MethodPost && r.URL.Path != "/upgrade" {
		return nil
	}
	return s
}

// ServeLoop implements Handler. What waits is what has to.
func (s *testSite) ServeLoop(w *Response, r *http.Request) func() {
	switch r.URL.Path {
	case "/wait", "/hold", "/panic-later":
		return func() { s.serve(w, r) }
	}
	s.serve(w, r)
	return nil
}

func (s *testSite) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/close":
		w.Header().Set("Connection", "close")
		fallthrough
	case "/echo", "/wait", "/elsewhere":
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(text) + len(r.RemoteAddr[:3]))}
		w.Header()["Content-Type"] = []string{"text/plain"}
		w.Header()["X-Asked"] = []string{r.Host + " " + r.RequestURI, strconv.FormatBool(r.TLS != nil)}
		_, _ = w.Write(append(text, r.RemoteAddr[:3]...))
	case "/hold":
		s.held <- struct{}{}
		<-s.release
	case "/many":
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100<<10))
	case "/refuse":
		w.Header().Set("Retry-After", "7")
		http.Error(w, "too many", http.StatusTooManyRequests)
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
	case "/sniff":
		_, _ = io.WriteString(w, "<html>")
	case "/inject":
		w.Header()["X-A"] = []string{"a\r\nX-B: b"}
	case "/panic", "/panic-later":
		panic("as it was told")
	case "/abort":
		panic(http.ErrAbortHandler)
	case "/upgrade":
		s.upgrade(w)
	default:
		http.NotFound(w, r)
	}
}

// upgrade sends back what comes.
func (s *testSite) upgrade(w http.ResponseWriter) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.t.Error(err)
		return
	}
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
	_ = rw.Flush()
	if own, ok := nc.(interface {
		Become(func(*loop.Socket) loop.Handler)
	}); ok {
		own.Become(func(socket *loop.Socket) loop.Handler { return &echo{socket} })
		return
	}
	nc = accept.Release(nc)
	go func() {
		defer nc.Close()
		_, _ = io.Copy(nc, rw)
	}()
}

// echo sends back what comes.
type echo struct{ socket *loop.Socket }

func (e *echo) Input(b []byte)  { e.socket.Send(frame.Bytes(bytes.Clone(b))) }
func (e *echo) Expired()        {}
func (e *echo) Overflow()       {}
func (e *echo) Drain(time.Time) {}
func (e *echo) Closed(error)    {}
func (e *echo) PeerEnded() bool { e.socket.Finish(); return true }

// dial connects.
func (s *testSite) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	if s.tls {
		t := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		if err := t.Handshake(); err != nil {
			s.t.Fatal(err)
		}
		return t
	}
	return c
}

var dates = regexp.MustCompile(`Date: [^\r]*GMT`)

// says writes a text in pieces of that size, says that there is no more, and
// returns the whole answer, without dates.
func (s *testSite) says(text string, piece int) string {
	s.t.Helper()
	c := s.dial()
	for len(text) > 0 {
		n := min(piece, len(text))
		if _, err := io.WriteString(c, text[:n]); err != nil {
			break // it was refused, which the answer says
		}
		text = text[n:]
	}
	_ = c.(interface{ CloseWrite() error }).CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil && len(answer) == 0 {
		return "error"
	}
	return dates.ReplaceAllString(string(answer), "Date: (now)")
}

// post is a request with a body.
func post(path, body string, fields ...string) string {
	fields = append([]string{"POST " + path + " HTTP/1.1", "Host: a", "Content-Length: " + strconv.Itoa(len(body))}, fields...)
	return strings.Join(fields, "\r\n") + "\r\n\r\n" + body
}
