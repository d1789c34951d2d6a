// Package service runs the real binary for tests: it builds it, writes its
// configuration file, starts it on free ports of the loopback interface, and
// stops it politely or not. It knows nothing of the server's packages.
package service

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience is how long tests wait for something that must happen. It decides
// only how soon a failure is noticed.
const Patience = 60 * time.Second

// The app that a service has unless Config says otherwise: everything an app
// can switch on is on.
const (
	AppID  = "1"
	Key    = "app-key"
	Secret = "app-secret"
)

const defaultApps = `
  - id: "1"
    name: everything on
    keys: [{key: app-key, secret: app-secret}]
    client_events: true
    subscription_count: true
    watchlist_events: true
`

// Config says what a test needs of its service. The zero value is one app
// with everything on, without TLS.
type Config struct {
	// Apps is the value of "apps" in the file, a YAML list indented by two.
	Apps string
	// Settings are further lines of the file.
	Settings string
	// TLS adds a TLS listener, with a certificate for localhost and
	// *.pusher.com from an authority of its own.
	TLS bool
	// DataDir is a data directory that is there already. Empty means a new one.
	DataDir string
}

// A Service is the binary, running or stopped. One goroutine uses it.
type Service struct {
	Addr      string // host and port of WebSockets and the HTTP API
	TLSAddr   string // the same over TLS; empty without
	AdminAddr string
	CAFile    string // the authority of the certificate; empty without TLS

	t      testing.TB
	token  string   // of the admin API
	args   []string // of the command line
	cmd    *exec.Cmd
	output *bytes.Buffer // of the process; read after it has ended
	exited chan error    // receives the result of Wait, once
}

// Start starts a service and waits until it is ready. The test's end stops
// it, and fails the test if it does not stop cleanly.
func Start(t testing.TB, cfg Config) *Service {
	t.Helper()
	s := prepare(t, cfg)
	s.Restart()
	return s
}

// firstOfApp is where an app begins. With BELFRY_TEST_HISTORY all apps keep their
// events, which clients do not notice that do not ask for them.
var firstOfApp = regexp.MustCompile(`(?m)^  - `)

// prepare writes the configuration of a service, which the test's end stops.
func prepare(t testing.TB, cfg Config) *Service {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "belfry.yaml")
	s := &Service{t: t, args: []string{"serve", "--config", file}, token: "admin-token-of-tests"}
	ports := FreePorts(t, 3)
	s.Addr, s.AdminAddr = loopback(ports[0]), loopback(ports[1])
	text := fmt.Sprintf("listen: %s\nadmin: {listen: %s, token: %s}\ndata_dir: %s\n%s\n",
		s.Addr, s.AdminAddr, s.token, cmp.Or(cfg.DataDir, filepath.Join(dir, "data")), cfg.Settings)
	if cfg.TLS {
		s.TLSAddr = loopback(ports[2])
		cert := NewCertificate(t, dir)
		s.CAFile = cert.CAFile
		text += fmt.Sprintf("tls: {listen: %s, cert_file: %s, key_file: %s}\n", s.TLSAddr, cert.File, cert.KeyFile)
	}
	apps := cfg.Apps
	if apps == "" {
		apps = defaultApps
	}
	if os.Getenv("BELFRY_TEST_HISTORY") != "" && !strings.Contains(apps, "history:") {
		apps = firstOfApp.ReplaceAllString(apps, "  - history: {enabled: true}\n    ")
	}
	text += "apps:\n" + strings.Trim(apps, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// StartDev starts what a newcomer starts, belfry dev, and is otherwise like
// Start.
func StartDev(t testing.TB, flags ...string) *Service {
	t.Helper()
	ports := FreePorts(t, 2)
	s := &Service{t: t, Addr: loopback(ports[0]), AdminAddr: loopback(ports[1]), token: "admin-token-of-dev"}
	s.args = append([]string{"dev", "--listen", s.Addr, "--admin-listen", s.AdminAddr}, flags...)
	t.Cleanup(s.Stop)
	s.Restart()
	return s
}

// Token is what the admin API asks for.
func (s *Service) Token() string { return s.token }

// StartTogether starts two services that wait for each other.
func StartTogether(t testing.TB, a, b Config) (*Service, *Service) {
	t.Helper()
	both := StartAll(t, a, b)
	return both[0], both[1]
}

// StartAll starts services that wait for each other.
func StartAll(t testing.TB, configs ...Config) (all []*Service) {
	t.Helper()
	for _, cfg := range configs {
		all = append(all, prepare(t, cfg))
	}
	for _, s := range all {
		s.launch()
	}
	for _, s := range all {
		s.awaitReady()
	}
	return all
}

// Launch starts stopped services again, and does not wait for them: [Ready] tells
// when each is.
func Launch(all ...*Service) {
	for _, s := range all {
		s.t.Helper()
		s.launch()
	}
}

// Restart starts the stopped service again: same settings, same ports.
func (s *Service) Restart() {
	s.t.Helper()
	s.launch()
	s.awaitReady()
}

// launch starts the process.
func (s *Service) launch() {
	s.t.Helper()
	s.output = new(bytes.Buffer)
	s.exited = make(chan error, 1)
	s.cmd = exec.Command(binary, s.args...)
	s.cmd.Env = Environment()
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		s.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, exited chan<- error) { exited <- cmd.Wait() }(s.cmd, s.exited)
}

// Append adds lines to the end of the configuration file.
func (s *Service) Append(text string) {
	s.t.Helper()
	f, err := os.OpenFile(s.args[2], os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// Signal sends a signal to the process, which goes on or not.
func (s *Service) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal the service: %v", err)
	}
}

// AwaitEnd waits until the process has ended by itself, without a fault.
func (s *Service) AwaitEnd() {
	s.t.Helper()
	select {
	case err := <-s.exited:
		s.cmd = nil
		if err != nil {
			s.t.Errorf("the service ended with %v\n%s", err, s.output)
		}
	case <-time.After(Patience):
		s.t.Fatalf("the service has not ended after %v", Patience)
	}
}

// awaitReady asks the admin port until the service says that it is ready.
func (s *Service) awaitReady() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !Ready(ctx, s.AdminAddr) {
		select {
		case err := <-s.exited:
			s.cmd = nil
			s.t.Fatalf("the service ended before it was ready: %v\n%s", err, s.output)
		case <-ctx.Done():
			s.t.Fatalf("the service was not ready after %v", Patience)
		case <-again.C:
		}
	}
}

// Ready reports whether the service with that administration port wants
// clients.
func Ready(ctx context.Context, addr string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return false
	}
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Stop asks the service to end, as a deploy does, and waits until it has. A
// stopped service is left alone.
func (s *Service) Stop() {
	s.t.Helper()
	err, ran := s.end(syscall.SIGTERM)
	if ran && err != nil {
		s.t.Errorf("the service stopped with %v, want status 0\n%s", err, s.output)
	}
}

// Log returns what the process wrote before it was stopped or killed.
func (s *Service) Log() string {
	s.t.Helper()
	if s.cmd != nil {
		s.t.Fatal("Log of a service that runs")
	}
	return s.output.String()
}

// Kill ends the service without giving it a chance to say goodbye.
func (s *Service) Kill() {
	s.t.Helper()
	s.end(syscall.SIGKILL)
}

// end signals the process, waits for its end and looks at what it wrote.
// It reports false if there was none.
func (s *Service) end(sig os.Signal) (err error, ran bool) {
	s.t.Helper()
	if s.cmd == nil {
		return nil, false
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("signal the service: %v", err)
	}
	select {
	case err = <-s.exited:
	case <-time.After(Patience):
		s.cmd.Process.Kill()
		<-s.exited
		err = fmt.Errorf("no end within %v of %v", Patience, sig)
	}
	s.cmd = nil
	for _, trouble := range []string{"DATA RACE", "panic: ", "fatal error: "} {
		if strings.Contains(s.output.String(), trouble) {
			s.t.Errorf("the service wrote %q:\n%s", trouble, s.output)
		}
	}
	return err, true
}

// Environment is ours without settings of the service.
func Environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BELFRY_") {
			env = append(env, v)
		}
	}
	return env
}
