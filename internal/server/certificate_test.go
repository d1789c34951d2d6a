package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// newCertificate returns a self-signed certificate and its key, in PEM.
func newCertificate(t testing.TB, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// A pairOnDisk is a certificate in files.
type pairOnDisk struct {
	t         testing.TB
	cert, key string
	age       time.Duration // each write is newer by a second, however coarse the file system
}

func newPairOnDisk(t testing.TB, serial int64) *pairOnDisk {
	dir := t.TempDir()
	p := &pairOnDisk{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), age: time.Hour}
	cert, key := newCertificate(t, serial)
	p.write(p.cert, cert)
	p.write(p.key, key)
	return p
}

func (p *pairOnDisk) write(file string, b []byte) {
	p.t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.age -= time.Second
	at := time.Now().Add(-p.age)
	if err := os.Chtimes(file, at, at); err != nil {
		p.t.Fatal(err)
	}
}

// serial is that of the certificate which is used now.
func serial(t testing.TB, pair *tls.Certificate) int64 {
	t.Helper()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.SerialNumber.Int64()
}

func TestCertificateIsReloaded(t *testing.T) {
	p := newPairOnDisk(t, 1)
	var log bytes.Buffer
	c, err := loadCertificate(p.cert, p.key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	expect := func(after time.Duration, want int64, wantLog string) {
		t.Helper()
		now = now.Add(after)
		log.Reset()
		if got := serial(t, c.current(now)); got != want {
			t.Errorf("certificate %d is used, want %d", got, want)
		}
		if got := log.String(); (got == "") != (wantLog == "") || !strings.Contains(got, wantLog) {
			t.Errorf("the log says %q, want %q", got, wantLog)
		}
	}
	const kept = "TLS certificate not reloaded; the old one stays in use"
	expect(time.Minute, 1, "")
	cert, key := newCertificate(t, 2)
	p.write(p.cert, cert)
	expect(time.Minute, 1, kept) // the key is that of the old one
	expect(time.Minute, 1, "")   // which is said once
	p.write(p.key, key)
	expect(time.Minute, 2, "TLS certificate reloaded")
	expect(time.Minute, 2, "")

	p.write(p.cert, []byte("nonsense"))
	expect(time.Minute, 2, kept)
	if err := os.Remove(p.key); err != nil {
		t.Fatal(err)
	}
	expect(time.Minute, 2, kept)
	cert, key = newCertificate(t, 3)
	p.write(p.cert, cert)
	p.write(p.key, key)
	expect(time.Minute, 3, "reloaded")
	cert, key = newCertificate(t, 4)
	p.write(p.cert, cert)
	p.write(p.key, key)
	expect(certificateCheck/2, 3, "") // the files are not looked at with every handshake
	expect(certificateCheck/2, 4, "reloaded")
}

func TestLoadCertificateRefusesWhatIsNone(t *testing.T) {
	p := newPairOnDisk(t, 1)
	cert, _ := newCertificate(t, 2)
	p.write(p.cert, cert)
	for _, files := range [][2]string{{p.cert, p.key}, {p.cert, "no such file"}, {"no such file", p.key}, {p.key, p.cert}} {
		if _, err := loadCertificate(files[0], files[1], slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "server: TLS certificate") {
			t.Errorf("loadCertificate(%q) = %v, want an error", files, err)
		}
	}
}

// withCertificate is cfg with a TLS listener.
func withCertificate(t testing.TB, cfg Config, address string) Config {
	p := newPairOnDisk(t, 1)
	cfg.TLSListen, cfg.TLSCertFile, cfg.TLSKeyFile = address, p.cert, p.key
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
	p := newPairOnDisk(t, 1)
	n := start(t, Config{TLSListen: "127.0.0.1:0", TLSCertFile: p.cert, TLSKeyFile: p.key})
	c := dial(t, "wss://"+n.TLSAddr().String()+"/app/key?protocol=7", nil)
	c.expectEstablished()
	cert, key := newCertificate(t, 2)
	p.write(p.cert, cert)
	p.write(p.key, key)
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
