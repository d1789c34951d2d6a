package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/loop"
)

// Config says what a server serves. All of it is needed, unless it says
// otherwise.
type Config struct {
	Pending *accept.Pending
	// Header is how long a TLS handshake or a header may take, Read a request
	// as a whole, and Idle the time between requests.
	Header, Read, Idle time.Duration
	// TLS is that of a listener for TLS. Nil means that it is not encrypted.
	TLS *tls.Config
	// Log gets the lines that net/http would write about connections.
	Log *log.Logger
	// Metrics may be shared.
	Metrics *Metrics
}

// A Handler answers a kind of requests on loops.
type Handler interface {
	// ServeLoop answers a request, and does not wait. What may have to wait for
	// something it returns, with nothing written so far: that runs on a goroutine
	// of its own, with the same request and response. It keeps neither of them.
	ServeLoop(w *Response, r *http.Request) (rest func())
}

// A Site is what a server answers on loops.
type Site struct {
	Loops *loop.Group
	// Find returns who answers a request on a loop, or nil if net/http does. It
	// is called on the loop, and more than once for one request. The body is not
	// there yet. It must not block.
	Find func(*http.Request) Handler
}

// A Server accepts connections and serves them on loops, as far as they can be.
// The rest of them it gives to whoever accepts from it: it is the listener of
// net/http. Until [Server.Open], that is all of them.
type Server struct {
	listener net.Listener // whose connections it serves
	cfg      Config
	site     atomic.Pointer[Site]

	ctx       context.Context // of handshakes; it ends when the server is closed
	cancel    context.CancelFunc
	leaving   atomic.Bool
	accepting sync.WaitGroup           // goroutines that accept
	waiting   sync.WaitGroup           // handshakes, and requests that wait
	exchanges [loop.MaxLoops]*exchange // of each loop, which alone touches its own

	mu sync.Mutex
	// Guarded by mu.
	queue  []net.Conn    // for net/http
	ready  chan struct{} // has one if the queue has something
	closed bool
	err    error              // why nothing is accepted any more
	open   map[*conn]struct{} // on loops
	gone   chan struct{}      // closed when the last of them has gone; nil: nobody waits
}

// begin makes what all servers have.
func begin(l net.Listener, cfg Config) *Server {
	s := &Server{listener: l, cfg: cfg, ready: make(chan struct{}, 1), open: make(map[*conn]struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Open makes loops answer what they can.
func (s *Server) Open(site Site) { s.site.Store(&site) }

// Accept implements [net.Listener]: it returns the next connection that is not
// served on a loop.
func (s *Server) Accept() (net.Conn, error) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			nc := s.queue[0]
			s.queue[0] = nil
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return nc, nil
		}
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		<-s.ready
	}
}

// give gives a connection to net/http. What waits is bounded by what may be
// pending.
func (s *Server) give(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		nc.Close()
		return
	}
	s.queue = append(s.queue, nc)
	s.signalLocked()
}

// signalLocked wakes Accept. The lock is held.
func (s *Server) signalLocked() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// failed is called when the system accepts nothing any more.
func (s *Server) failed(err error) {
	if errors.Is(err, net.ErrClosed) {
		return // of this server, which may still give connections to net/http
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.err = err
		s.signalLocked()
	}
}

// Close implements [net.Listener]: no more connections are accepted, and none is
// given to net/http. Those that are on loops stay until [Server.Shutdown].
func (s *Server) Close() error {
	err := s.stopAccepting()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.closed, s.err = true, net.ErrClosed
	close(s.ready)
	for _, nc := range s.queue {
		nc.Close()
	}
	s.queue = nil
	return err
}

// stopAccepting ends the goroutines that accept. It may be called again.
func (s *Server) stopAccepting() error {
	err := s.listener.Close()
	s.cancel()
	s.accepting.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Addr implements [net.Listener].
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Shutdown accepts no more connections. It closes those on loops that are between
// requests, and the others when they have been answered. It waits for that, until
// ctx ends. Meanwhile net/http may be given some. So it comes before Close.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.stopAccepting(); err != nil {
		return err
	}
	s.leaving.Store(true)
	s.mu.Lock()
	gone := make(chan struct{})
	s.gone = gone
	for c := range s.open {
		c.loop.Post(func(int) { c.retire() }, 1)
	}
	if len(s.open) == 0 {
		s.gone = nil
		close(gone)
	}
	s.mu.Unlock()
	select {
	case <-gone:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.waiting.Wait() // for what has no connection any more
	return nil
}

// exchange is the memory that a loop answers with.
func (s *Server) exchange(l *loop.Loop) *exchange {
	x := s.exchanges[l.Index()]
	if x == nil {
		x = new(exchange)
		s.exchanges[l.Index()] = x
	}
	return x
}

// enter and forget keep the list of connections on loops.
func (s *Server) enter(c *conn) {
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	if s.gone != nil && len(s.open) == 0 {
		close(s.gone)
		s.gone = nil
	}
}

// Metrics count what servers do.
type Metrics struct {
	answered, waited, upgraded, handed prometheus.Counter
}

// NewMetrics registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_http_loop_requests_total",
		Help: "HTTP requests that were answered on loops, by what came of them; those that net/http answers are not counted.",
	}, []string{"kind"})
	handed := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "belfry_http_handed_over_total",
		Help: "Connections that began on loops and went on with net/http.",
	})
	reg.MustRegister(requests, handed)
	return &Metrics{
		answered: requests.WithLabelValues("answered"), waited: requests.WithLabelValues("waited"),
		upgraded: requests.WithLabelValues("upgraded"), handed: handed,
	}
}

var errEvicted = errors.New("http1: closed to make room for others")
