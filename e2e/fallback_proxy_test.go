package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// awaitMetric waits until the service has a metric with that value.
func awaitMetric(t testing.TB, s *service.Service, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		text := metrics(ctx, t, s)
		if strings.Contains(text, line+"\n") {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no metric %s in %v:\n%s", line, service.Patience, text)
		case <-again.C:
		}
	}
}

// metrics are all of the service.
func metrics(ctx context.Context, t testing.TB, s *service.Service) string {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.AdminAddr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, text := roundTrip(t, r)
	return text
}

// roundTrip sends a request on a connection of its own, and reads what comes.
func roundTrip(t testing.TB, r *http.Request) (status int, text string) {
	t.Helper()
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// nginxConfig passes on what is said behind it, and not the headers with which a
// WebSocket begins, and leaves all else as it is by default: responses are buffered, and
// requests are of HTTP/1.0.
const nginxConfig = `
daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
%[5]s
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s;
		location = /up {
			proxy_pass http://%[3]s;
		}
		%[4]s
	}
}
`

// startNginx starts an nginx with its defaults in front of a service, and
// returns its address. It skips the test where there is none.
func startNginx(t testing.TB, s *service.Service) string {
	t.Helper()
	return startNginxWith(t, s, "location / { proxy_pass http://"+s.Addr+"; }", "events {}")
}

// startNginxWith is startNginx with other directives for what it passes on, and
// for its connections.
func startNginxWith(t testing.TB, s *service.Service, locations, events string) string {
	t.Helper()
	name, err := exec.LookPath("nginx")
	require(t, err == nil, "nginx is not installed: apt-get install nginx-light")
	dir := t.TempDir()
	addr := fmt.Sprintf("127.0.0.1:%d", service.FreePorts(t, 1)[0])
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConfig, dir, addr, s.Addr, locations, events), 0o600); err != nil {
		t.Fatal(err)
	}
	// As root nginx serves as another user, who must get at its files.
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(name, "-c", file, "-p", dir)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("nginx: %v\n%s%s", err, &output, text)
		}
	})
	awaitUp(t, addr)
	return addr
}

// awaitUp waits until the service answers through a proxy.
func awaitUp(t testing.TB, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/up", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no answer at %s in %v", addr, service.Patience)
		case <-again.C:
		}
	}
}

// TestFallbackBehindAProxyThatBreaksWebSocket: pusher-js with its default
// options, but for the address, ends up connected.
func TestFallbackBehindAProxyThatBreaksWebSocket(t *testing.T) {
	t.Parallel()
	for _, chromium := range []bool{false, true} {
		t.Run(map[bool]string{false: "node", true: "chromium"}[chromium], func(t *testing.T) {
			t.Parallel()
			requireModules(t)
			c := fallbackClient{chromium: chromium}
			if chromium {
				requireChromium(t)
			}
			svc := service.Start(t, service.Config{Apps: fallbackApps})
			proxy := startNginx(t, svc)
			be := startGoBackend(t, svc, theApp)
			s := &scene{t, svc, be, c.open(t, svc, be.AuthURL())}
			options := s.browser.fallbackOptions("ann", "")
			delete(options, "enabledTransports")
			options["wsPort"], options["httpPort"] = port(proxy), port(proxy)
			ann := s.browser.Start("ann", service.Key, options)
			ann.AwaitState("connected")
			ann.Subscribe("private-orders")
			text := strings.Repeat("x", 1000)
			for i := 0; i < 400; i += 10 {
				var batch []batchEvent
				for j := range 10 {
					batch = append(batch, batchEvent{Channel: "private-orders", Event: "e", Data: []any{float64(i + j), text}})
				}
				if _, err := s.backend.TriggerBatch(batch); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 400 {
				ann.AwaitData("private-orders", "e", []any{float64(i), text})
			}
			awaitMetric(t, svc, `belfry_fallback_sessions{transport="xhr_streaming"} 1`)
		})
	}
}
