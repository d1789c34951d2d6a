package accept

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait is how long something may take that must happen.
const wait = 30 * time.Second

// A site is an HTTP server whose connections are pending at first.
type site struct {
	*httptest.Server
	t       *testing.T
	pending *Pending
	inside  chan struct{} // gets one for each request to /hold
	leave   chan struct{} // lets one of them end
}

// newSite starts a site, of which a connection can be closed at once.
func newSite(t *testing.T, cfg Config, start func(*httptest.Server)) *site {
	t.Helper()
	s := &site{t: t, pending: New(cfg), inside: make(chan struct{}, 100), leave: make(chan struct{})}
	s.pending.patience = 0
	s.Server = httptest.NewUnstartedServer(nil)
	s.Listener = s.pending.Listen(s.Listener)
	Serve(s.Config, http.HandlerFunc(s.serve))
	start(s.Server)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		if s.pending.all.n != 0 || s.pending.all.oldest != nil || len(s.pending.byPeer) != 0 || s.pending.headers != 0 || s.pending.long.n != 0 {
			t.Errorf("%d connections of %d addresses and %d bytes are left when all have ended", s.pending.all.n, len(s.pending.byPeer), s.pending.headers)
		}
	})
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/hold":
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		s.inside <- struct{}{}
		select {
		case <-s.leave:
		case <-r.Context().Done(): // its client is gone, and nobody tells it to leave
		}
	case "/hijack":
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			s.t.Error(err)
			return
		}
		nc = Release(nc)
		go func() {
			defer nc.Close()
			_, _ = io.WriteString(nc, "hello")
			_, _ = io.Copy(nc, nc)
		}()
	}
}

// dial connects and sends a text.
func (s *site) dial(text string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// until waits until so many connections are pending.
func (s *site) until(n int) {
	s.t.Helper()
	for end := time.Now().Add(wait); s.pending.Len() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%d connections are pending, want %d", s.pending.Len(), n)
		}
	}
}

// ended waits until the other side has closed a connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read from a connection that should be closed: %v", err)
	}
}

// answers sends a request on a connection and expects an answer to it.
func answers(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
}

func TestTheOldestSilentConnectionGoesFirst(t *testing.T) {
	s := newSite(t, Config{Max: 3}, (*httptest.Server).Start)
	var silent []net.Conn
	for i, text := range []string{"", "GET / HTTP/1.1\r\nHost", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"} {
		silent = append(silent, s.dial(text))
		s.until(i + 1)
	}
	idle := s.dial("")
	ended(t, silent[0])
	answers(t, idle)
	s.until(3)
	s.dial("")
	ended(t, silent[1])
	answers(t, idle) // which is the youngest again
	s.dial("")
	ended(t, silent[2])
	answers(t, idle)
	s.dial("")
	s.dial("")
	s.dial("")
	ended(t, idle)
}

func TestOneAddressHasItsShareOnly(t *testing.T) {
	next := make(chan string, 1)
	s := newSite(t, Config{Max: 100, MaxPerAddress: 2, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, func(h *httptest.Server) {
		l := h.Listener.(*listener)
		l.Listener = &pretender{l.Listener, next}
		h.Start()
	})
	from := func(address string) net.Conn {
		next <- address
		return s.dial("")
	}
	first := from("192.0.2.1")
	s.until(1)
	other := from("192.0.2.9")
	for range 3 {
		from("10.0.0.1")
		from("127.0.0.1")
		from("::1")
	}
	from("192.0.2.1")
	s.until(12)
	from("192.0.2.1")
	ended(t, first)
	s.until(12)

	first = from("2001:db8::1")
	s.until(13)
	from("2001:db8::2")
	from("2001:db8::3")
	ended(t, first)
	s.until(14)
	answers(t, other)
}

// A pretender gives its connections other addresses.
type pretender struct {
	net.Listener
	next chan string
}

func (p *pretender) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pretended{c, &net.TCPAddr{IP: net.ParseIP(<-p.next), Port: 1}}, nil
}

type pretended struct {
	net.Conn
	addr net.Addr
}

func (p *pretended) RemoteAddr() net.Addr { return p.addr }

func TestARequestIsPendingUntilItIsComplete(t *testing.T) {
	s := newSite(t, Config{}, (*httptest.Server).Start)
	c := s.dial("POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
	s.until(1)
	if _, err := io.WriteString(c, "cd"); err != nil {
		t.Fatal(err)
	}
	<-s.inside
	s.until(0)
	s.leave <- struct{}{}
	s.until(1) // it is kept alive
	for range 3 {
		answers(t, c)
		s.until(1)
	}
	if _, err := io.WriteString(c, "POST /hold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-s.inside
	s.until(0)
	s.leave <- struct{}{}
}

// A handler that does not want a body leaves what net/http does with the rest
// of it as it is.
func TestBodiesThatNobodyReadsAreTreatedAsBefore(t *testing.T) {
	s := newSite(t, Config{}, (*httptest.Server).Start)
	for name, tt := range map[string]struct {
		request string
		keeps   bool
	}{
		"short":    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", true},
		"too long": {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n", false},
		"expected": {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", false},
	} {
		r, err := http.ReadResponse(bufio.NewReader(s.dial(tt.request)), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.Body.Close()
		if r.Close == tt.keeps {
			t.Errorf("%s: the connection is to be closed: %t, want %t", name, r.Close, !tt.keeps)
		}
	}
}

func TestHijackedConnectionsAreForgotten(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){"plain": (*httptest.Server).Start, "TLS": (*httptest.Server).StartTLS} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Config{Max: 1}, start)
			c := s.dial("")
			if name == "TLS" {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(c, "GET /hijack HTTP/1.1\r\nHost: a\r\n\r\n")
			if _, err := io.ReadFull(c, make([]byte, len("hello"))); err != nil {
				t.Fatal(err)
			}
			s.until(0)
			s.dial("")
			s.until(1)
			s.dial("")
			fmt.Fprint(c, "more")
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Errorf("a hijacked connection was closed for others: %v", err)
			}
			c.Close()
		})
	}
}

func TestHandshakesThatDoNotEndArePending(t *testing.T) {
	s := newSite(t, Config{Max: 2}, (*httptest.Server).StartTLS)
	first := s.dial("\x16\x03\x01")
	s.until(1)
	s.dial("")
	s.until(2)
	s.dial("")
	ended(t, first)
	r, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
}

func TestIdleConnectionsOfHTTP2ArePending(t *testing.T) {
	s := newSite(t, Config{}, func(h *httptest.Server) {
		h.EnableHTTP2 = true
		h.StartTLS()
	})
	defer s.Client().CloseIdleConnections()
	failed := make(chan error, 2)
	for range 2 {
		go func() {
			r, err := s.Client().Post(s.URL+"/hold", "text/plain", strings.NewReader("abc"))
			if err == nil {
				r.Body.Close()
				if r.ProtoMajor != 2 {
					err = fmt.Errorf("an answer over %s", r.Proto)
				}
			}
			failed <- err
		}()
		<-s.inside
	}
	s.until(0)
	s.leave <- struct{}{}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	s.until(0)
	s.leave <- struct{}{}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	s.until(1)
}

// Those that have sent something wait for this process, so nobody is closed for
// their successors, who wait in the backlog.
func TestNobodyIsClosedWhoWaitsForThisProcess(t *testing.T) {
	if _, ok := Limit(); !ok {
		t.Skip("what a connection has to read is not known on this system")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := New(Config{Max: 1})
	p.patience = 0
	l = p.Listen(l)
	defer l.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	dial()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	dial()
	second := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		second <- c
	}()
	if _, err := first.(*Conn).Conn.(*net.TCPConn).SyscallConn(); err != nil { // it is open
		t.Error(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 1)); err != nil {
		t.Fatalf("a client whose bytes wait to be read: %v", err)
	}
	(<-second).Close() // there is room: the first one is silent now
	dial()
	if c, err := l.Accept(); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

func TestAcceptEndsWithItsListenerAlsoWithoutRoom(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := New(Config{Max: 1})
	p.patience = time.Hour
	l = p.Listen(l)
	over := make(chan error)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				over <- err
				return
			}
			defer c.Close()
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for p.Len() == 0 {
		time.Sleep(time.Millisecond)
	}
	l.Close()
	if err := <-over; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v, want %v", err, net.ErrClosed)
	}
}

func TestContextOfOtherConnections(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	ctx := context.Background()
	if withConn(ctx, a) != ctx || Release(a) != a {
		t.Error("a connection of another listener is not left alone")
	}
	if r := httptest.NewRequest("GET", "/", nil); Full(r) {
		t.Error("a request of another listener is taken for one too many")
	}
}
