package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A doctorReport is what belfry doctor --json prints.
type doctorReport struct {
	Healthy bool
	Checks  []struct{ Check, Verdict, Detail, Advice string }
}

// doctor examines an address with the credentials of the app that services
// have.
func doctor(t *testing.T, address string, more ...string) doctorReport {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), service.Patience)
	defer cancel()
	args := append([]string{"doctor", "--json", "--timeout", "5s"}, more...)
	cmd := exec.CommandContext(ctx, service.Binary(), append(args, address)...)
	scheme, host, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(host, "/")
	if path != "" {
		path = "/" + path
	}
	cmd.Args[len(cmd.Args)-1] = scheme + "://" + service.Key + ":" + service.Secret + "@" + host + path + "/apps/" + service.AppID
	cmd.Env = service.Environment()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var r doctorReport
	if json.Unmarshal(stdout.Bytes(), &r) != nil {
		t.Fatalf("doctor: %v\n%s%s", err, &stdout, &stderr)
	}
	if r.Healthy != (err == nil) {
		t.Errorf("healthy is %v, and the status %v", r.Healthy, err)
	}
	if strings.Contains(stdout.String()+stderr.String(), service.Secret) {
		t.Errorf("the secret is printed:\n%s%s", &stdout, &stderr)
	}
	return r
}

// expect compares the verdicts of some checks, written as "upgrade
// failed", and the advice of the first that failed.
func (r doctorReport) expect(t *testing.T, advice string, checks ...string) {
	t.Helper()
	verdicts := map[string]string{}
	first := ""
	for _, c := range r.Checks {
		verdicts[c.Check] = c.Verdict
		if first == "" && c.Verdict == "failed" {
			first = c.Detail + " " + c.Advice
		}
	}
	for _, want := range checks {
		name, verdict, _ := strings.Cut(want, " ")
		if verdicts[name] != verdict {
			t.Errorf("%s is %q, want %q", name, verdicts[name], verdict)
		}
	}
	if !strings.Contains(first, advice) {
		t.Errorf("the first that failed says %q, want %q in it", first, advice)
	}
	if t.Failed() {
		t.Logf("%+v", r)
	}
}

// TestDoctorBehindNginx has nginx in front of a service, as people get it wrong.
func TestDoctorBehindNginx(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	const upgrade = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
	pass := "proxy_pass http://" + s.Addr + "; "
	for name, test := range map[string]struct {
		locations string
		path      string
		args      []string
		advice    string
		checks    []string
	}{
		"right": {"location / { " + pass + upgrade + " }", "", nil, "",
			[]string{"upgrade ok", "connection ok", "clock ok", "signature ok", "subscribe ok", "trigger ok", "receive ok", "xhr_streaming ok", "xhr_polling ok", "sockjs ok"}},
		"no upgrade": {"location / { " + pass + "}", "", nil, "does not pass on Upgrade",
			[]string{"upgrade failed", "signature ok", "trigger ok", "xhr_streaming ok", "xhr_polling ok"}},
		"upgrade in HTTP/1.0": {"location / { " + pass + "proxy_http_version 1.0; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }", "", nil, "does not pass on Upgrade",
			[]string{"upgrade failed"}},
		"buffers": {"location / { " + pass + upgrade + " } location /pusher { " + pass + " proxy_ignore_headers X-Accel-Buffering; }", "", nil, "proxy_buffering off",
			[]string{"upgrade ok", "receive ok", "xhr_streaming failed", "xhr_polling ok"}},
		"wrong port": {"location / { proxy_pass http://127.0.0.1:9; }", "", nil, "does not reach the service",
			[]string{"upgrade failed", "signature failed", "xhr_polling failed"}},
		"redirects": {"location / { return 301 https://elsewhere.example$request_uri; }", "", nil, "https://elsewhere.example/app/",
			[]string{"upgrade failed", "signature failed"}},
		"a web page": {"location / { default_type text/html; return 200 '<!doctype html>hello'; }", "", nil, "a web server answers here",
			[]string{"upgrade failed", "xhr_polling failed", "sockjs failed"}},
		"a login": {"location / { return 401; }", "", nil, "exempt the paths",
			[]string{"upgrade failed", "signature failed"}},
		"no POST": {"location / { limit_except GET { deny all; } " + pass + upgrade + " }", "", nil, "lets no POST through",
			[]string{"upgrade ok", "signature ok", "trigger failed", "xhr_polling failed"}},
		"small bodies": {"location / { client_max_body_size 20; " + pass + upgrade + " }", "", nil, "client_max_body_size",
			[]string{"upgrade ok", "signature ok", "trigger failed"}},
		"no fallback": {"location /app { " + pass + upgrade + " } location /apps { " + pass + " }", "", nil, "",
			[]string{"upgrade ok", "receive ok", "xhr_streaming skipped", "xhr_polling skipped", "sockjs skipped"}},
		"takes a prefix away": {"location /realtime/ { proxy_pass http://" + s.Addr + "/; " + upgrade + " }", "/realtime", nil, "",
			[]string{"upgrade ok", "receive ok", "signature ok"}},
		"cuts silence": {"location / { " + pass + upgrade + " proxy_read_timeout 1s; }", "", []string{"--idle", "4s"}, "proxy_read_timeout",
			[]string{"upgrade ok", "receive ok", "idle failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := startNginxWith(t, s, test.locations, "events {}")
			doctor(t, "http://"+addr+test.path, test.args...).expect(t, test.advice, test.checks...)
		})
	}
}

// TestDoctorOfAnAppThatWantsTLS: the proxy that ends TLS does not say so.
func TestDoctorOfAnAppThatWantsTLS(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{TLS: true, Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    tls_only: true
`})
	doctor(t, "http://"+s.Addr).expect(t, "the app takes TLS only", "upgrade ok", "connection failed", "signature ok")
	t.Run("private authority", func(t *testing.T) {
		doctor(t, "https://"+s.TLSAddr).expect(t, "SSL_CERT_FILE", "tls failed")
	})
}

// TestDoctorFindsTheAdminPort is for who has given the wrong one of two ports.
func TestDoctorFindsTheAdminPort(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	doctor(t, "http://"+s.AdminAddr).expect(t, "administration port", "upgrade failed")
	s.Stop()
	doctor(t, "http://"+s.Addr).expect(t, "nothing listens", "port failed")
}
