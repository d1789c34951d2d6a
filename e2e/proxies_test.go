package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// proxies are those that docs/proxies.md has a tested configuration for, and how
// each is started with the file of the page.
var proxies = map[string]struct {
	section, file string
	// around is what a whole configuration has before and after the page's.
	before, after string
	command       func(dir string) []string
}{
	"nginx": {
		section: "nginx", file: "realtime.conf",
		before: "daemon off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/error.log; events {}\n" +
			"http { access_log off; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;\n",
		after:   "}\n",
		command: func(dir string) []string { return []string{"nginx", "-p", dir, "-c", dir + "/realtime.conf"} },
	},
	"caddy": {
		section: "Caddy", file: "Caddyfile",
		before:  "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n",
		command: func(dir string) []string { return []string{"caddy", "run", "--config", dir + "/Caddyfile"} },
	},
	"haproxy": {
		section: "HAProxy", file: "haproxy.cfg",
		command: func(dir string) []string { return []string{"haproxy", "-db", "-f", dir + "/haproxy.cfg"} },
	},
}

// TestBehindTheProxiesOfThePage connects with pusher-js over TLS, by WebSocket and by
// an HTTP transport, to an app that refuses who comes without TLS.
func TestBehindTheProxiesOfThePage(t *testing.T) {
	t.Parallel()
	for name, proxy := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := exec.LookPath(name)
			require(t, err == nil, name+" is not installed: run scripts/setup")
			svc := service.Start(t, service.Config{
				Settings: settingsOfPage(t),
				Apps:     "  - id: \"1\"\n    keys: [{key: app-key, secret: app-secret}]\n    tls_only: true\n",
			})
			dir := writePage(t, "docs/proxies.md", proxy.section)
			cert := service.NewCertificate(t, dir)
			svc.CAFile = cert.CAFile
			own := service.FreePorts(t, 1)[0]
			completeProxy(t, filepath.Join(dir, proxy.file), proxy.before, proxy.after, cert, svc.Addr, own)
			runProxy(t, dir, cert, own, proxy.command(dir))
			be := startGoBackend(t, svc, theApp)
			b := openBrowser(t, svc, be.AuthURL())
			for transport, metric := range map[string]string{"ws": "", "xhr_streaming": `belfry_fallback_sessions{transport="xhr_streaming"} 1`} {
				options := b.fallbackOptions(transport, transport)
				for _, which := range []string{"wsHost", "httpHost"} {
					options[which] = "localhost"
				}
				options["wssPort"], options["httpsPort"], options["forceTLS"] = own, own, true
				ann := b.Start(transport, service.Key, options)
				ann.AwaitState("connected")
				ann.Subscribe("private-orders")
				if _, err := be.Trigger([]string{"private-orders"}, "paid", order, triggerParams{}); err != nil {
					t.Fatal(err)
				}
				ann.AwaitData("private-orders", "paid", order)
				if metric != "" {
					awaitMetric(t, svc, metric)
				}
			}
		})
	}
}

// settingsOfPage are those that the page says to have, but for the address,
// which is another in each test.
func settingsOfPage(t testing.TB) string {
	t.Helper()
	for _, b := range pageBlocks(t, "docs/proxies.md") {
		if b.file == "belfry.yaml" {
			_, rest, _ := strings.Cut(b.code, "\n")
			return rest
		}
	}
	t.Fatal("docs/proxies.md has no belfry.yaml")
	return ""
}

// completeProxy makes a configuration of the page one for this test: names,
// addresses and certificates are others, and there is something around it.
func completeProxy(t testing.TB, file, before, after string, cert service.Certificate, to string, own int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(file)
	both := filepath.Join(dir, "both.pem")
	var pem []byte
	for _, name := range []string{cert.File, cert.KeyFile} {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pem = append(pem, part...)
	}
	if err := os.WriteFile(both, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + strconv.Itoa(own)
	replaced := strings.NewReplacer(
		"127.0.0.1:6001", to,
		"listen 443", "listen "+address, "bind :443", "bind "+address,
		"realtime.example.com {", fmt.Sprintf("https://localhost:%d {\n\tbind 127.0.0.1\n\ttls %s %s", own, cert.File, cert.KeyFile),
		"realtime.example.com", "localhost",
		"/etc/ssl/realtime.pem", cert.File, "/etc/ssl/realtime.key", cert.KeyFile, "/etc/ssl/realtime-with-key.pem", both,
	).Replace(string(text))
	whole := strings.ReplaceAll(before, "DIR", dir) + replaced + after
	if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runProxy runs a proxy until the test ends, and waits until the service answers
// through it.
func runProxy(t testing.TB, dir string, cert service.Certificate, own int, command []string) {
	t.Helper()
	// As root nginx serves as another user, who must get at its files.
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(command[0], command[1:]...)
	c.Env = append(service.Environment(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var output strings.Builder
	c.Stdout, c.Stderr = &output, &output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		err := c.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("%v: %v\n%s%s", command, err, &output, text)
		}
	})
	pem, err := os.ReadFile(cert.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	url := "https://" + net.JoinHostPort("localhost", strconv.Itoa(own)) + "/up"
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(service.Patience)
	for {
		response, err := client.Get(url)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("no answer through %s: %v", command[0], err)
		}
	}
}

// TestPlainRequestIsAskedForItsProxy when it comes to the address of WebSockets.
func TestPlainRequestIsAskedForItsProxy(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	proxy := startNginx(t, svc) // which does not pass on Upgrade
	request, err := http.NewRequest(http.MethodGet, "http://"+proxy+"/app/"+service.Key+"?protocol=7", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	request.Header.Set("Sec-WebSocket-Version", "13")
	request.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	status, text := roundTrip(t, request)
	if status != http.StatusUpgradeRequired || !strings.Contains(text, "Does a proxy in front not pass on Upgrade?") {
		t.Errorf("a handshake through a proxy that loses it = %d %q", status, text)
	}
}
