package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/e2e/alerts"
	"github.com/belfryhq/belfry/e2e/service"
)

// pebble is the authority for tests of those who run Let's Encrypt, and
// challtestsrv answers what it asks the DNS: everything is at 127.0.0.1.
const (
	pebbleModule  = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3"
	pebbleNames   = "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv@v2.10.3"
	pebbleDomain  = "realtime.example.com"
	pebbleTimeout = 5 * time.Minute // to build it where nothing is cached
)

// pebbleDir has the built programs.
var pebbleDir = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(service.Binary()), "pebble")
	ctx, cancel := context.WithTimeout(context.Background(), pebbleTimeout)
	defer cancel()
	install := exec.CommandContext(ctx, "go", "install", pebbleModule, pebbleNames)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pebble: %w\n%s", err, out)
	}
	return dir, nil
})

// An authority is a running pebble. It asks for the domain at two balancers.
type authority struct {
	t         testing.TB
	directory string
	caFile    string // who signed the certificate of directory
	roots     string // URL of the authority's own certificate
	output    *service.Output
}

// startAuthority starts one whose certificates are valid for so long.
func startAuthority(t testing.TB, httpPort, tlsPort int, valid time.Duration) *authority {
	t.Helper()
	programs, err := pebbleDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ports := service.FreePorts(t, 4)
	address := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	own := service.NewCertificate(t, dir)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address(0), "managementListenAddress": address(1), "certificate": own.File, "privateKey": own.KeyFile,
		"httpPort": httpPort, "tlsPort": tlsPort, "keyAlgorithm": "ecdsa", "retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{"description": "the only one", "validityPeriod": int(valid.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	a := &authority{
		t: t, directory: "https://" + address(0) + "/dir", caFile: own.CAFile, roots: "https://" + address(1) + "/roots/0", output: new(service.Output),
	}
	a.run(exec.Command(filepath.Join(programs, "pebble-challtestsrv"), "-dnsserver", address(2), "-management", address(3),
		"-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""))
	a.run(exec.Command(filepath.Join(programs, "pebble"), "-config", file, "-dnsserver", address(2)), "PEBBLE_VA_NOSLEEP=1")
	service.AwaitListening(t, address(0), address(1), address(2))
	return a
}

// run runs a program until the end of the test.
func (a *authority) run(cmd *exec.Cmd, env ...string) {
	a.t.Helper()
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = a.output, a.output
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// settings are what a service needs to get certificates, in its file.
func (a *authority) settings(tlsAddr string) string {
	return fmt.Sprintf("tls: {listen: %q, acme: {domains: [%s], email: ops@example.com, directory: %q, ca_file: %q}}",
		tlsAddr, pebbleDomain, a.directory, a.caFile)
}

// pool has the authority's own certificate, which clients have to trust.
func (a *authority) pool() *x509.CertPool {
	a.t.Helper()
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := web.Get(a.roots)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		a.t.Fatalf("%s answers %d %q, %v", a.roots, resp.StatusCode, text, err)
	}
	return pool
}

// issued is how many certificates the authority gave.
func (a *authority) issued() int {
	return strings.Count(a.output.String(), "Issued certificate serial")
}

// awaitCertificate waits until a service has a certificate that clients accept,
// other than the one with that serial number.
func (a *authority) awaitCertificate(addr, other string) *x509.Certificate {
	a.t.Helper()
	config := &tls.Config{RootCAs: a.pool(), ServerName: pebbleDomain}
	deadline := time.Now().Add(service.Patience)
	for {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: service.Patience}, "tcp", addr, config)
		if err == nil {
			leaf := conn.ConnectionState().PeerCertificates[0]
			conn.Close()
			if leaf.SerialNumber.String() != other {
				return leaf
			}
			err = fmt.Errorf("it has certificate %s still", other)
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("no certificate at %s: %v\n%s", addr, err, a.output)
		}
		time.Sleep(50 * time.Millisecond) // an order takes its time
	}
}

// One port of the domain is enough, whichever it is. What the authority gave is
// there after a crash, and is renewed when it is due.
func TestCertificateFromAnAuthority(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]struct{ http, tls bool }{"HTTP-01": {http: true}, "TLS-ALPN-01": {tls: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s atomic.Pointer[service.Service]
			tlsAddr := fmt.Sprintf("127.0.0.1:%d", service.FreePorts(t, 1)[0])
			nobody := service.FreePorts(t, 1)[0]
			ports := [2]int{nobody, nobody}
			if open.http {
				ports[0] = port(startBalancer(t, func() string { return s.Load().Addr }).listener.Addr().String())
			}
			if open.tls {
				ports[1] = port(startBalancer(t, func() string { return tlsAddr }).listener.Addr().String())
			}
			const valid = 15 * time.Second
			a := startAuthority(t, ports[0], ports[1], valid)
			s.Store(service.Start(t, service.Config{Settings: a.settings(tlsAddr)}))
			first := a.awaitCertificate(tlsAddr, "")
			expectEvents(t, a, tlsAddr)
			s.Load().Kill()
			s.Load().Restart()
			if again := a.awaitCertificate(tlsAddr, ""); again.SerialNumber.Cmp(first.SerialNumber) != 0 || a.issued() != 1 {
				t.Errorf("after a crash the certificate is %v and %d were issued, want %v and 1", again.SerialNumber, a.issued(), first.SerialNumber)
			}
			s.Load().Stop()
			<-time.After(time.Until(first.NotAfter)) // by the authority's clock
			s.Load().Restart()
			a.awaitCertificate(tlsAddr, first.SerialNumber.String())
		})
	}
}

// TestCertificateExpires: operators are told of a certificate that is not renewed
// though it should have been.
func TestCertificateExpires(t *testing.T) {
	t.Parallel()
	tlsAddr := fmt.Sprintf("127.0.0.1:%d", service.FreePorts(t, 1)[0])
	nobody := service.FreePorts(t, 1)[0]
	balancer := startBalancer(t, func() string { return tlsAddr })
	l := alerts.Watch(t, map[string]string{"node-1": service.Start(t, service.Config{}).AdminAddr})
	a := startAuthority(t, nobody, port(balancer.listener.Addr().String()), 15*24*time.Hour)
	s := service.Start(t, service.Config{Settings: a.settings(tlsAddr)})
	a.awaitCertificate(tlsAddr, "")
	l.Move("node-1", s.AdminAddr)
	l.Await("belfry_acme_certificate_expires_timestamp_seconds{domain=\""+pebbleDomain+"\"}", alerts.Above(0))
	l.Expect("BelfryCertificateExpires node-1")
}

// expectEvents has a client connect over TLS.
func expectEvents(t *testing.T, a *authority, addr string) {
	t.Helper()
	c, err := client.New(service.Key, client.Config{
		Endpoint:  client.Endpoint{Host: "127.0.0.1", Port: port(addr)},
		TLSConfig: &tls.Config{RootCAs: a.pool(), ServerName: pebbleDomain},
		Proxy:     func(*http.Request) (*url.URL, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), service.Patience)
	defer cancel()
	defer c.Shutdown(ctx)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitConnected(ctx); err != nil {
		t.Errorf("a client does not connect with the certificate: %v", err)
	}
}

// Three nodes order one certificate, whichever of them the authority asks for the
// proof, and all of them use it.
func TestClusterHasOneCertificate(t *testing.T) {
	t.Parallel()
	var nodes []*service.Service
	started := make(chan struct{})
	var asked atomic.Int64
	next := func() string { // each of the authority's requests goes to another node
		select {
		case <-started:
		case <-t.Context().Done():
			return ""
		}
		return nodes[int(asked.Add(1))%len(nodes)].Addr
	}
	a := startAuthority(t, port(startBalancer(t, next).listener.Addr().String()), service.FreePorts(t, 1)[0], 24*time.Hour)
	ports := service.FreePorts(t, 6)
	address := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	var configs []service.Config
	for i := range 3 {
		configs = append(configs, service.Config{Settings: fmt.Sprintf(
			"cluster: {name: node-%d, listen: %q, secret: 0123456789abcdef0123456789abcdef, lease: 30s}\njoin: [%q, %q, %q]\n%s",
			i, address(i), address(0), address(1), address(2), a.settings(address(3+i)))})
	}
	nodes = service.StartAll(t, configs...)
	close(started)
	var serials []string
	for i := range nodes {
		serials = append(serials, a.awaitCertificate(address(3+i), "").SerialNumber.String())
	}
	if serials[0] != serials[1] || serials[0] != serials[2] || a.issued() != 1 {
		t.Errorf("nodes use the certificates %v of %d that were issued, want the same one", serials, a.issued())
	}
}
