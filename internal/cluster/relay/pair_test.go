package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/natstest"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// A cluster is relays on one server in memory, with a clock that jumps. The
// first passes on what the last answers.
type cluster struct {
	t      *testing.T
	relays []*Relay
	losers []*loser // of the relays
	conns  []*nats.Conn
	ids    []node.ID
	handle http.HandlerFunc // of the last relay; set before the first request
}

func (c *cluster) front() *Relay { return c.relays[0] }
func (c *cluster) back() *Relay  { return c.relays[len(c.relays)-1] }

// has is the session of the last relay.
const has = "here"

// run runs a test with n relays, of which the last has a session. Change may
// be nil.
func run(t *testing.T, n int, change func(*Config), test func(c *cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t}
		bus := natstest.Start(t, natstest.InProcess())
		for range n {
			c.ids = append(c.ids, node.NewID())
		}
		for i, id := range c.ids {
			conn, err := nats.Connect("", nats.InProcessServer(bus), nats.NoReconnect())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			cfg := Config{Conn: conn, ID: id, Peers: func() []node.ID { return c.ids }}
			if change != nil {
				change(&cfg)
			}
			r, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			l := &loser{}
			l.on(r)
			if err := r.Start(Host{Has: func(s string) bool { return i == n-1 && s == has }, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.handle(w, r) })}); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := r.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			c.relays, c.conns = append(c.relays, r), append(c.conns, conn)
			c.losers = append(c.losers, l)
		}
		test(c)
	})
}

// forward passes a request on from the first relay to the last, and returns
// what comes of it. The client reads as much as the sink allows.
func (c *cluster) forward(ctx context.Context, s *sink, target string) *outcome {
	c.t.Helper()
	return c.forwardBody(ctx, s, target, http.NoBody, 0)
}

// forwardBody is forward with a body. A size of -1 means that it is not known.
func (c *cluster) forwardBody(ctx context.Context, s *sink, target string, body io.Reader, size int64) *outcome {
	c.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "POST", "http://belfry.test"+target, body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.ContentLength = size
	r.Header.Set("Content-Type", "text/plain")
	r.Header.Set("Cookie", "secret")
	o := &outcome{done: make(chan struct{})}
	go func() {
		defer close(o.done)
		defer func() { o.panicked = recover() }()
		o.answered = c.front().Forward(s, r, c.ids[len(c.ids)-1])
	}()
	return o
}

// An outcome is how Forward ended; read after done is closed.
type outcome struct {
	done     chan struct{}
	answered bool
	panicked any
}

// wait waits for the end.
func (o *outcome) wait(t *testing.T, want time.Duration) {
	t.Helper()
	select {
	case <-o.done:
	case <-time.After(want):
		t.Fatalf("Forward has not returned after %v", want)
	}
}

// atRest checks that nothing is left of any request.
func (c *cluster) atRest(within time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(100 * time.Millisecond) {
		synctest.Wait()
		left := ""
		for i, r := range c.relays {
			if a, s := r.asking.Load(), r.serving.Load(); a != 0 || s != 0 {
				left += fmt.Sprintf(" relay %d: %d passed on, %d answered", i, a, s)
			}
			for _, l := range r.allLinks() {
				if n := len(l.all()); n != 0 {
					left += fmt.Sprintf(" relay %d: %d streams", i, n)
				}
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("left after %v:%s", within, left)
		}
	}
}

// A sink is the ResponseWriter of a client.
type sink struct {
	mu      sync.Mutex
	header  http.Header
	status  int
	body    bytes.Buffer
	flushed int // bytes
	stopped chan struct{}
	changed wakeup.Signal
	until   time.Time
}

func newSink() *sink {
	return &sink{header: make(http.Header), changed: wakeup.New()}
}

// stopReading makes the client read nothing any more.
func (s *sink) stopReading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = make(chan struct{})
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == 0 {
		s.status = status
	}
}

func (s *sink) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	s.mu.Lock()
	stopped, until := s.stopped, s.until
	s.mu.Unlock()
	if stopped != nil {
		var expired <-chan time.Time
		if !until.IsZero() {
			expired = time.After(time.Until(until))
		}
		select {
		case <-stopped:
		case <-expired:
			return 0, errors.New("the client does not read")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Set()
	return s.body.Write(b)
}

func (s *sink) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = s.body.Len()
	s.changed.Set()
}

func (s *sink) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = t
	return nil
}

// text is what has been flushed.
func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.body.Bytes()[:s.flushed])
}

// all is what has been written.
func (s *sink) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body.String()
}

// pattern is text in which a gap or a swap shows.
func pattern(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:size]
}
