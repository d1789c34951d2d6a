package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/belfryhq/belfry/client"
)

// An httpFake serves the HTTP transports of a fake, as the description of
// their wire says: it holds back what a streaming client would lose, and lets
// the newest receiver win.
type httpFake struct {
	f    *fake
	l    *memListener
	hold int // UTF-16 code units after which a streaming answer is not written to

	// onReceive may answer a request to receive, the nth of all.
	onReceive func(n int, w http.ResponseWriter, r *http.Request) bool
	// onSend may answer a request to send.
	onSend  func(w http.ResponseWriter, r *http.Request) bool
	opening string // the first line; "o" if it is empty

	mu       sync.Mutex
	receives []*http.Request
	sends    [][]string
	sessions map[string]*httpSession
}

// An httpSession is a connection over an HTTP transport.
type httpSession struct {
	p *peer

	mu       sync.Mutex
	lines    []string
	changed  chan struct{}
	receiver int // the newest
}

func startHTTP(t testing.TB, f *fake) *httpFake {
	h := &httpFake{f: f, l: newMemListener(), hold: 256 << 10, sessions: map[string]*httpSession{}}
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(h.l)
	t.Cleanup(func() { s.Close() })
	return h
}

// transports makes a client use these transports, in order. HTTP is on a host
// of its own.
func (h *httpFake) transports(list ...client.Transport) func(*client.Config) {
	return func(cfg *client.Config) {
		cfg.Transports = list
		cfg.Endpoint.HTTPHost = "http.test"
		cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "http") {
				return h.l.dial(ctx)
			}
			return h.f.dial(ctx, network, addr)
		}
	}
}

func (h *httpFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	publish()
	parts := strings.Split(r.URL.Path, "/") // "", "pusher", "app", key, N, S, what
	if len(parts) != 7 || parts[1] != "pusher" || parts[2] != "app" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		http.NotFound(w, r)
		return
	}
	name := parts[4] + "/" + parts[5]
	if parts[6] == "xhr_send" {
		h.send(w, r, name)
		return
	}
	h.mu.Lock()
	h.receives = append(h.receives, r)
	n := len(h.receives)
	h.mu.Unlock()
	if h.onReceive != nil && h.onReceive(n, w, r) {
		return
	}
	h.session(name).receive(w, r, parts[6] == "xhr_streaming", h)
}

// session returns the session of a name, new if need be.
func (h *httpFake) session(name string) *httpSession {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[name]
	if s != nil {
		return s
	}
	s = &httpSession{changed: make(chan struct{})}
	h.sessions[name] = s
	h.f.mu.Lock()
	n := len(h.f.peers) + 1
	s.p = &peer{f: h.f, n: n, id: fmt.Sprintf("%d.%d", n, n), open: make(chan struct{})}
	h.f.peers = append(h.f.peers, s.p)
	h.f.mu.Unlock()
	s.p.say = func(text string) {
		list, _ := json.Marshal([]string{text})
		s.line("a" + string(list))
	}
	opening := h.opening
	if opening == "" {
		opening = "o"
	}
	s.line(opening)
	if hello := h.f.hello; hello != nil {
		if text := hello(s.p); text != "" {
			s.p.send(text)
		}
	} else {
		s.p.send(established(s.p))
	}
	return s
}

// line queues a line.
func (s *httpSession) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, text+"\n")
	close(s.changed)
	s.changed = make(chan struct{})
}

// next takes the next line for a receiver, or waits.
func (s *httpSession) next(receiver int) (line string, changed chan struct{}, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receiver != receiver {
		return "", nil, false
	}
	if len(s.lines) == 0 {
		return "", s.changed, true
	}
	line = s.lines[0]
	s.lines = s.lines[1:]
	return line, nil, true
}

// receive answers a request to receive.
func (s *httpSession) receive(w http.ResponseWriter, r *http.Request, streaming bool, h *httpFake) {
	s.mu.Lock()
	s.receiver++
	me := s.receiver
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/javascript; charset=UTF-8")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	flush.Flush()
	units := 0
	for {
		line, changed, mine := s.next(me)
		switch {
		case !mine:
			return
		case line != "":
			io.WriteString(w, line)
			flush.Flush()
			units += len(utf16.Encode([]rune(line)))
			if strings.HasPrefix(line, "c") || !streaming {
				return
			}
			if units > h.hold {
				<-r.Context().Done()
				return
			}
			continue
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// send takes events of a client.
func (h *httpFake) send(w http.ResponseWriter, r *http.Request, name string) {
	var events []string
	if err := json.NewDecoder(r.Body).Decode(&events); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.sends = append(h.sends, events)
	s := h.sessions[name]
	h.mu.Unlock()
	if h.onSend != nil && h.onSend(w, r) {
		return
	}
	if s == nil {
		http.NotFound(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	if len(events) == 0 {
		s.line("a[]")
	}
	for _, text := range events {
		s.p.take([]byte(text))
	}
}

// only is the session, of which there is one.
func (h *httpFake) only(t testing.TB) *httpSession {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sessions) != 1 {
		t.Fatalf("there are %d sessions", len(h.sessions))
	}
	for _, s := range h.sessions {
		return s
	}
	return nil
}
