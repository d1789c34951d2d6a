package accept

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/certificate/certificatetest"
)

// pipes is a listener of connections in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) { return <-p, nil }
func (p pipes) Close() error              { return nil }
func (p pipes) Addr() net.Addr            { return nil }

// A shaker accepts connections in memory and shakes hands.
type shaker struct {
	*Pending
	t        *testing.T
	config   *tls.Config
	listener net.Listener
	pipes    pipes
}

func newShaker(t *testing.T) *shaker {
	t.Helper()
	cert, err := tls.X509KeyPair(certificatetest.New(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	s := &shaker{
		Pending: New(Config{}), t: t, pipes: make(pipes, 1),
		config: &tls.Config{
			GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil },
			SessionTicketsDisabled: true, // which are written while the client writes, too much for a pipe
		},
	}
	s.turns = make(chan struct{}, 1)
	s.listener = s.ListenTLS(s.pipes)
	return s
}

// shake begins a handshake, of which both ends say how it went. Both close the
// connection then.
func (s *shaker) shake() (server, client chan error) {
	s.t.Helper()
	a, b := net.Pipe()
	s.pipes <- b
	conn, err := s.listener.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	server, client = make(chan error, 1), make(chan error, 1)
	go func() {
		c := tls.Server(conn, s.config)
		server <- c.Handshake()
		c.NetConn().Close()
	}()
	go func() {
		c := tls.Client(a, &tls.Config{InsecureSkipVerify: true})
		client <- c.Handshake()
		a.Close()
	}()
	return server, client
}

func TestHandshakesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShaker(t)
		s.Handshakes(s.config)
		s.turns <- struct{}{} // somebody else has his turn
		server, client := s.shake()
		synctest.Wait()
		if len(server)+len(client) > 0 {
			t.Fatal("a handshake did not wait for its turn")
		}
		<-s.turns
		if err := errors.Join(<-server, <-client); err != nil {
			t.Errorf("the handshake failed when it had its turn: %v", err)
		}
		if n := len(s.turns); n > 0 {
			t.Errorf("%d turns are left", n)
		}

		s.turns <- struct{}{}
		start := time.Now()
		server, client = s.shake()
		if err := <-server; !errors.Is(err, errBusy) || <-client == nil {
			t.Errorf("a handshake that got no turn ended with %v, want %v", err, errBusy)
		}
		if got := time.Since(start); got != handshakeWait {
			t.Errorf("it waited for %v, want %v", got, handshakeWait)
		}
	})
}

// Whoever fails in his turn gives it back.
func TestHandshakeThatFailsEndsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShaker(t)
		s.config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }
		s.Handshakes(s.config)
		for range 3 {
			server, client := s.shake()
			if <-server == nil || <-client == nil {
				t.Error("a handshake without a certificate has ended well")
			}
		}
		if n := len(s.turns); n > 0 {
			t.Errorf("%d turns are left", n)
		}
	})
}

// While many wait for their turn, further connections wait to be accepted.
func TestStormWaitsToBeAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShaker(t)
		s.Handshakes(s.config)
		s.turns <- struct{}{}
		var ends []chan error
		for range mostWaiting {
			server, client := s.shake()
			ends = append(ends, server, client)
			synctest.Wait()
		}
		accepted := make(chan [2]chan error, 1)
		go func() {
			server, client := s.shake()
			accepted <- [2]chan error{server, client}
		}()
		time.Sleep(time.Second)
		select {
		case <-accepted:
			t.Errorf("a connection was accepted while %d handshakes waited for their turn", mostWaiting)
		default:
		}
		<-s.turns
		for _, end := range <-accepted {
			ends = append(ends, end)
		}
		for _, end := range ends {
			if err := <-end; err != nil {
				t.Error(err)
			}
		}
	})
}
