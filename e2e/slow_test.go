//go:build unix

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/e2e/service"
)

// A slowConn is a client's connection through a narrow network: bytes come
// slowly, but steadily.
type slowConn struct {
	net.Conn
	rate int // bytes a second
}

func (c slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), c.rate/10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	return n, err
}

// A client on a connection of 400 kbit/s that has to get 1 MiB at once gets it,
// and stays, over TLS in the process as without it.
func TestSlowClientGetsAMegabyteAndStays(t *testing.T) {
	for name, secure := range map[string]bool{"tls": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := service.Start(t, service.Config{TLS: true, Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
`})
			w := dialSlowly(t, s, secure, 400_000/8)
			w.subscribe("news", "")
			backend := &pusher.Client{AppID: service.AppID, Key: service.Key, Secret: service.Secret, Host: s.Addr}
			const events = 90 // with their names, less than the send buffer holds
			data := strings.Repeat("x", 10_000)
			for range events {
				if err := backend.Trigger("news", "e", data); err != nil {
					t.Fatal(err)
				}
			}
			for range events {
				if got := string(w.read()); !strings.Contains(got, data) {
					t.Fatalf("the client got %.100q", got)
				}
			}
			if err := w.write(`{"event":"pusher:ping","data":{}}`); err != nil {
				t.Fatal(err)
			}
			if got := string(w.read()); !strings.Contains(got, "pusher:pong") {
				t.Errorf("the client got %.100q, want an answer to its ping", got)
			}
		})
	}
}

// dialSlowly connects a client that gets so many bytes a second, and for which
// no system on the way keeps much.
func dialSlowly(t *testing.T, s *service.Service, secure bool, rate int) *wire {
	t.Helper()
	address, scheme, addr := net.Dialer{Control: smallBuffer}, "ws", s.Addr
	if secure {
		scheme, addr = "wss", s.TLSAddr
	}
	d := ws.Dialer{
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := address.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return slowConn{c, rate}, nil
		},
		TLSConfig: trusting(t, s),
	}
	conn, early, _, err := d.Dial(t.Context(), scheme+"://"+addr+"/app/"+service.Key+"?protocol=7")
	if err != nil {
		t.Fatal(err)
	}
	return greeted(t, conn, early)
}

// smallBuffer keeps the systems from holding much of what the client has not read.
func smallBuffer(_, _ string, c syscall.RawConn) error {
	var err error
	cerr := c.Control(func(fd uintptr) {
		// Segments as small as outside of the loopback interface, for which a
		// system lends a sender megabytes.
		err = errors.Join(syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1200))
	})
	if cerr != nil {
		return cerr
	}
	return err
}

// trusting is the configuration of a client that trusts the service's authority.
func trusting(t *testing.T, s *service.Service) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("the authority's certificate can not be read")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}
