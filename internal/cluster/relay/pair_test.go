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

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/membroker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// A cluster is relays that are joined in memory, with a clock that jumps. The
// first passes on what the last answers.
type cluster struct {
	t       *testing.T
	network *membroker.Network
	relays  []*Relay
	brokers []*membroker.Broker
	ids     []node.ID
	handle  http.HandlerFunc // of the last relay; set before the first request
	peers   http.HandlerFunc // likewise, for questions
}

func (c *cluster) front() *Relay { return c.relays[0] }
func (c *cluster) back() *Relay  { return c.relays[len(c.relays)-1] }

// has is the session of the last relay.
const has = "here"

// lease and beat are those of the brokers.
const (
	lease = 5 * time.Second
	beat  = time.Second
)

// name is what a node is called in the network.
func name(i int) string { return fmt.Sprint("node", i) }

// nobody is a receiver that hears nothing.
type nobody struct{}

func (nobody) Joined(broker.Link)                   {}
func (nobody) Receive(broker.Link, *broker.Message) {}
func (nobody) Lost(broker.Link)                     {}
func (nobody) Left(broker.Link)                     {}

// run runs a test with n relays, of which the last has a session. Change may
// be nil.
func run(t *testing.T, n int, change func(*Config), test func(c *cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, network: membroker.NewNetwork(membroker.Options{Lease: lease})}
		for i := range n {
			var cfg Config
			if change != nil {
				change(&cfg)
			}
			c.join(cfg, i == n-1)
		}
		defer time.Sleep(time.Second) // net/http takes its time to close connections
		for i := range c.relays {
			defer c.close(i)
		}
		synctest.Wait()
		test(c)
	})
}

// join adds a node.
func (c *cluster) join(cfg Config, last bool) {
	c.t.Helper()
	r := New(cfg)
	r.Start(Host{
		Has:     func(s string) bool { return last && s == has },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.handle(w, r) }),
		Peer:    http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.peers(w, r) }),
	})
	b := c.network.Join(name(len(c.relays)))
	if err := b.Start(r.Receiver(nobody{})); err != nil {
		c.t.Fatal(err)
	}
	c.relays, c.brokers, c.ids = append(c.relays, r), append(c.brokers, b), append(c.ids, b.ID())
}

// close ends a node in order.
func (c *cluster) close(i int) {
	c.t.Helper()
	if err := c.relays[i].Close(context.Background()); err != nil {
		c.t.Error(err)
	}
	if err := c.brokers[i].Close(context.Background()); err != nil {
		c.t.Error(err)
	}
}

// cut lets nothing through between a node and all others.
func (c *cluster) cut(i int) {
	for j := range c.relays {
		if j != i {
			c.network.Cut(name(i), name(j))
		}
	}
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
			if a, s := r.passing.Load(), r.serving.Load(); a != 0 || s != 0 {
				left += fmt.Sprintf(" relay %d: %d passed on, %d answered", i, a, s)
			}
			if a, s := r.asking.Load(), r.asked.Load(); a != 0 || s != 0 {
				left += fmt.Sprintf(" relay %d: asks %d, is asked %d", i, a, s)
			}
			for _, p := range r.allPeers() {
				p.mu.Lock()
				if n := len(p.answers); n != 0 {
					left += fmt.Sprintf(" relay %d: %d answers", i, n)
				}
				p.mu.Unlock()
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
	flushes int
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
	s.flushes++
	s.changed.Set()
}

func (s *sink) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = t
	return nil
}

// heads is how often something was flushed, the head included.
func (s *sink) heads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushes
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
