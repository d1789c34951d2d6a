package client_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/client"
)

// certificate makes one for a name, valid for a day from a moment, signed by
// itself.
func certificate(t testing.TB, name string, from time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from, NotAfter: from.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// overTLS serves a fake behind TLS: it returns a Config.DialContext.
func (f *fake) overTLS(cert tls.Certificate) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		plain, err := f.dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		mine, theirs := memPipe()
		secured := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{cert}})
		go splice(secured, plain)
		return mine, nil
	}
}

// splice copies both ways until either end closes.
func splice(a, b net.Conn) {
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			io.Copy(pair[0], pair[1])
			a.Close()
			b.Close()
		})
	}
	wg.Wait()
}

// Covers T4.
func TestTLS(t *testing.T) {
	for name, test := range map[string]struct {
		cert  string // name in the certificate
		after time.Duration
		trust bool
		as    any // the kind of error; nil: it works
	}{
		"right":          {"service.test", 0, true, nil},
		"wrong name":     {"other.test", 0, true, new(x509.HostnameError)},
		"expired":        {"service.test", 48 * time.Hour, true, new(x509.CertificateInvalidError)},
		"unknown issuer": {"service.test", 0, false, new(x509.UnknownAuthorityError)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cert, pool := certificate(t, test.cert, time.Now())
				time.Sleep(test.after)
				f := &fake{}
				c := newClient(t, f, func(cfg *client.Config) {
					cfg.Endpoint.Insecure = false
					cfg.DialContext = f.overTLS(cert)
					cfg.TLSConfig = &tls.Config{RootCAs: pool}
					if !test.trust {
						cfg.TLSConfig.RootCAs = x509.NewCertPool()
					}
				})
				c.Connect()
				pass(time.Minute)
				if test.as == nil {
					if c.State() != client.StateConnected {
						t.Errorf("%v: %v", c.State(), c.Err())
					}
					return
				}
				if !errors.As(c.Err(), test.as) || !isType[*client.DialError](c.Err()) || c.State() != client.StateUnavailable {
					t.Errorf("%v: %v", c.State(), c.Err())
				}
				for _, p := range f.peers {
					if len(p.received()) != 0 {
						t.Error("something was sent")
					}
				}
			})
		})
	}
}

// A proxy is one for HTTP or SOCKS in memory.
type proxy struct {
	f      *fake
	cert   *tls.Certificate // not nil: it is spoken to over TLS
	refuse int              // status; 0: none
	socks  bool
	asked  []string // what it was asked for, with credentials
}

func (p *proxy) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !strings.HasPrefix(addr, "proxy.test:") {
		return nil, fmt.Errorf("dialled %s instead of the proxy", addr)
	}
	mine, theirs := memPipe()
	conn := net.Conn(theirs)
	if p.cert != nil {
		conn = tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{*p.cert}})
	}
	go p.serve(conn)
	return mine, nil
}

func (p *proxy) serve(conn net.Conn) {
	defer conn.Close()
	if p.socks {
		p.serveSOCKS(conn)
		return
	}
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	p.asked = append(p.asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	if p.refuse != 0 {
		fmt.Fprintf(conn, "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", p.refuse)
		return
	}
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
	p.tunnel(conn)
}

func (p *proxy) tunnel(conn net.Conn) {
	if target, err := p.f.dial(context.Background(), "tcp", ""); err == nil {
		splice(conn, target)
	}
}

func (p *proxy) serveSOCKS(conn net.Conn) {
	b := make([]byte, 300)
	read := func(n int) []byte { io.ReadFull(conn, b[:n]); return b[:n] }
	greeting := bytes.Clone(read(3))
	if p.refuse != 0 {
		conn.Write([]byte{5, 0xff})
		return
	}
	conn.Write([]byte{5, greeting[2]})
	login := ""
	if greeting[2] == 2 {
		user := string(read(int(read(2)[1])))
		login = user + ":" + string(read(int(read(1)[0])))
		conn.Write([]byte{1, 0})
	}
	host := string(read(int(read(5)[4])))
	port := read(2)
	p.asked = append(p.asked, fmt.Sprintf("SOCKS %s:%d %s", host, int(port[0])<<8|int(port[1]), login))
	conn.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 80})
	p.tunnel(conn)
}

// Covers T36.
func TestProxies(t *testing.T) {
	for name, test := range map[string]struct {
		url    string
		refuse int
		want   string
		status int
	}{
		"http":                {"http://proxy.test:3128", 0, "CONNECT service.test:80 ", 0},
		"http, no port":       {"http://proxy.test", 0, "CONNECT service.test:80 ", 0},
		"http, credentials":   {"http://me:pw@proxy.test:3128", 0, "CONNECT service.test:80 Basic bWU6cHc=", 0},
		"https":               {"https://proxy.test", 0, "CONNECT service.test:80 ", 0},
		"http, refused":       {"http://proxy.test:3128", 407, "CONNECT service.test:80 ", 407},
		"socks5":              {"socks5://proxy.test", 0, "SOCKS service.test:80 ", 0},
		"socks5, credentials": {"socks5h://me:pw@proxy.test:1081", 0, "SOCKS service.test:80 me:pw", 0},
		"socks5, refused":     {"socks5://proxy.test", 1, "", 0},
		"unknown":             {"ftp://proxy.test", 0, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{}
				p := &proxy{f: f, refuse: test.refuse, socks: strings.HasPrefix(test.url, "socks")}
				cert, pool := certificate(t, "proxy.test", time.Now())
				if strings.HasPrefix(test.url, "https:") {
					p.cert = &cert
				}
				u, err := url.Parse(test.url)
				if err != nil {
					t.Fatal(err)
				}
				c := newClient(t, f, func(cfg *client.Config) {
					cfg.DialContext = p.dial
					cfg.Proxy = http.ProxyURL(u)
					cfg.TLSConfig = &tls.Config{RootCAs: pool}
					cfg.Reconnect.FailFast = true
				})
				c.Connect()
				settle()
				works := test.refuse == 0 && name != "unknown"
				if works != (c.State() == client.StateConnected) {
					t.Errorf("%v: %v", c.State(), c.Err())
				}
				if got := strings.Join(p.asked, "|"); got != test.want {
					t.Errorf("it was asked for %q, want %q", got, test.want)
				}
				if e, ok := errors.AsType[*client.DialError](c.Err()); !works && (!ok || e.StatusCode != test.status) {
					t.Errorf("Err = %+v, want status %d", c.Err(), test.status)
				}
			})
		})
	}
}

// Covers T37.
func TestHerd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 1000
		f := &fake{}
		for range n {
			c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect.Jitter = 0.5; cfg.Reconnect.StableAfter = time.Second })
			c.Connect()
		}
		pass(5 * time.Second)
		closeAll := func(code int) (start time.Time) {
			for _, p := range f.live() {
				p.close(code, "")
			}
			return time.Now()
		}
		closeAll(4200)
		settle()
		if got := f.count(); got != 2*n {
			t.Errorf("%d dials at once, want %d", got-n, n)
		}
		pass(5 * time.Second)
		start := closeAll(1012)
		pass(10 * time.Second)
		seconds := map[int]int{}
		for _, at := range f.times[2*n:] {
			seconds[int(at.Sub(start)/(500*time.Millisecond))]++
		}
		if len(f.times) != 3*n {
			t.Errorf("%d dials, want %d", len(f.times)-2*n, n)
		}
		for half, count := range seconds {
			if half < 5 || half > 10 || count > n/2 {
				t.Errorf("%d clients come back between %d and %d half seconds", count, half, half+1)
			}
		}
	})
}

// TestCompression has both sides compress, as agreed on.
func TestCompression(t *testing.T) {
	bubble(t, func(t *testing.T) {
		offered := ""
		f := &fake{onUpgrade: func(_ int, r *http.Request) *http.Response {
			offered = r.Header.Get("Sec-WebSocket-Extensions")
			return &http.Response{StatusCode: 101, Header: http.Header{
				"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {acceptKey(r.Header.Get("Sec-WebSocket-Key"))},
				"Sec-Websocket-Extensions": {"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
			}}
		}}
		f.afterUpgrade = true
		var got string
		c := newClient(t, f, func(cfg *client.Config) { cfg.Compression = true; cfg.MaxMessageSize = 100000 })
		c.Bind("e", func(_ context.Context, e client.Event) { got = e.Data })
		connect(t, c)
		p := f.peer(t, 1)
		packed := func(text string) {
			var b bytes.Buffer
			w, _ := flate.NewWriter(&b, flate.DefaultCompression)
			w.Write([]byte(text))
			w.Flush()
			h := ws.Header{Fin: true, Rsv: ws.Rsv(true, false, false), OpCode: ws.OpText, Length: int64(b.Len() - 4)}
			p.wmu.Lock()
			ws.WriteHeader(p.conn, h)
			p.conn.Write(b.Bytes()[:b.Len()-4])
			p.wmu.Unlock()
		}
		for _, size := range []int{0, 10, 40000} {
			data := strings.Repeat("é", size)
			packed(`{"event":"e","data":"` + data + `"}`)
			settle()
			if got != data {
				t.Errorf("%d characters arrive as %d bytes", size, len(got))
			}
		}
		p.event("e", "c", "not compressed")
		settle()
		if got != "not compressed" || !strings.Contains(offered, "permessage-deflate") {
			t.Errorf("got %q, offered %q", got, offered)
		}
		for range 2 {
			if err := c.Send(t.Context(), "client-x", strings.Repeat("z", 5000), ""); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		if sent := p.received("client-x"); len(sent) != 2 || len(sent[1].Data) != 5002 || p.compressed != 2 {
			t.Errorf("%d events, %d compressed", len(sent), p.compressed)
		}
		packed(`{"event":"e","data":"` + strings.Repeat("x", 200000) + `"}`) // a bomb
		settle()
		if c.State() == client.StateConnected || len(p.closing) != 1 || p.closing[0] != 1009 {
			t.Errorf("%v, closed with %v", c.State(), p.closing)
		}
	})
	bubble(t, func(t *testing.T) { // an answer that was not asked for
		f := &fake{onUpgrade: func(_ int, r *http.Request) *http.Response {
			return &http.Response{StatusCode: 101, Header: http.Header{
				"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {acceptKey(r.Header.Get("Sec-WebSocket-Key"))},
				"Sec-Websocket-Extensions": {"permessage-deflate"},
			}}
		}}
		c := newClient(t, f)
		c.Connect()
		settle()
		if !isType[*client.DialError](c.Err()) {
			t.Errorf("Err = %v", c.Err())
		}
	})
}
