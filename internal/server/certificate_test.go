package server

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/certificate/certificatetest"
	"github.com/belfryhq/belfry/internal/natstest"
	"github.com/belfryhq/belfry/protocol"
)

// withCertificate is cfg with a TLS listener.
func withCertificate(t testing.TB, cfg Config, address string) Config {
	p := certificatetest.Write(t, 1)
	cfg.TLSListen, cfg.TLSCertFile, cfg.TLSKeyFile = address, p.Cert, p.Key
	return cfg
}

// HTTP/2 for backends, and WebSocket for clients, on one TLS port.
func TestTLS(t *testing.T) {
	app := testApp()
	app.TLSOnly = true
	n := start(t, withCertificate(t, Config{Apps: []*apps.App{app}}, "127.0.0.1:0"))
	c := dial(t, "wss://"+n.TLSAddr().String()+"/app/key?protocol=7", nil)
	c.expectEstablished()
	c.subscribe("news")
	for _, want := range []string{"HTTP/2.0", "HTTP/1.1"} {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(want == "HTTP/1.1")
		protocols.SetHTTP2(want == "HTTP/2.0")
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: protocols}
		resp := n.trigger(&http.Client{Transport: transport}, "https://"+n.TLSAddr().String(), "news", want)
		if resp.Proto != want {
			t.Errorf("the backend was answered by %s, want %s", resp.Proto, want)
		}
		c.expect(event("news", want))
		expectUpgradeRequired(t, &http.Client{Transport: transport}, "https://"+n.TLSAddr().String(), want)
		transport.CloseIdleConnections()
	}
	dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7", nil).expectRefused(protocol.ErrTLSOnly)
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		conn, err := tls.Dial("tcp", n.TLSAddr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if err == nil {
			conn.Close()
			t.Errorf("TLS %x is accepted, want 1.2 at least", version)
		}
	}
}

// expectUpgradeRequired asks for the address of WebSocket clients. The headers
// of a connection make an answer over HTTP/2 malformed.
func expectUpgradeRequired(t *testing.T, client *http.Client, base, proto string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/app/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := map[string]string{"HTTP/1.1": "websocket"}[proto]
	if got := resp.Header.Get("Upgrade"); resp.StatusCode != http.StatusUpgradeRequired || got != want {
		t.Errorf("GET /app/key over %s = %d with Upgrade %q, want 426 and %q", proto, resp.StatusCode, got, want)
	}
}

// A proxy that ends TLS for us is believed if we were told to.
func TestTLSOnlyBehindAProxy(t *testing.T) {
	app := testApp()
	app.TLSOnly = true
	for trusted, want := range map[string]bool{"127.0.0.0/8": true, "10.0.0.0/8": false} {
		n := start(t, Config{Apps: []*apps.App{app}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix(trusted)}})
		c := dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7", http.Header{"X-Forwarded-Proto": {"https"}})
		if want {
			c.expectEstablished()
		} else {
			c.expectRefused(protocol.ErrTLSOnly)
		}
	}
}

// A renewed certificate is used by the next handshake; who is connected stays.
func TestServerUsesTheRenewedCertificate(t *testing.T) {
	p := certificatetest.Write(t, 1)
	n := start(t, Config{TLSListen: "127.0.0.1:0", TLSCertFile: p.Cert, TLSKeyFile: p.Key})
	c := dial(t, "wss://"+n.TLSAddr().String()+"/app/key?protocol=7", nil)
	c.expectEstablished()
	cert, key := certificatetest.New(t, 2)
	p.Write(p.Cert, cert)
	p.Write(p.Key, key)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for got := int64(1); got != 2; {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		conn, err := d.DialContext(ctx, "tcp", n.TLSAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		got = conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		conn.Close()
	}
	c.subscribe("news")
}

// A client that comes back with a ticket does not cost a whole handshake.
func TestHandshakesAreCounted(t *testing.T) {
	n := start(t, withCertificate(t, Config{AdminListen: "127.0.0.1:0"}, "127.0.0.1:0"))
	tickets := &tls.Config{InsecureSkipVerify: true, ServerName: "x", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for range 3 {
		visit(t, n, tickets)
	}
	_, body := get(t, "http://"+n.AdminAddr().String()+"/metrics")
	for _, want := range []string{
		`belfry_tls_handshakes_total{kind="full",listeners="clients"} 1`, `belfry_tls_handshakes_total{kind="resumed",listeners="clients"} 2`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("the metrics have no line %s", want)
		}
	}
}

// visit makes one request over TLS and reports whether the handshake was a
// resumption.
func visit(t *testing.T, n *testNode, config *tls.Config) (resumed bool) {
	t.Helper()
	c, err := tls.Dial("tcp", n.TLSAddr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); err != nil { // the ticket comes with it
		t.Fatal(err)
	}
	return c.ConnectionState().DidResume
}

// A client that comes to another node of a cluster than before has a ticket that
// this one can read.
func TestTicketsAreGoodAtAllNodes(t *testing.T) {
	engine := natstest.Start(t, natstest.Kept(natstest.AnyPort, t.TempDir()))
	var nodes []*testNode
	for _, name := range []string{"a", "b"} {
		cfg := withCertificate(t, Config{EngineURL: engine.ClientURL(), DataDir: t.TempDir()}, "127.0.0.1:0")
		cfg.Cluster.Name = name
		nodes = append(nodes, start(t, cfg))
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		within(t, "a ticket of one node is good at the other", func() bool {
			tickets := &tls.Config{InsecureSkipVerify: true, ServerName: "x", ClientSessionCache: tls.NewLRUClientSessionCache(1), MaxVersion: version}
			return !visit(t, nodes[0], tickets) && visit(t, nodes[1], tickets) && visit(t, nodes[0], tickets)
		})
	}
}
