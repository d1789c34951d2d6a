package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// startTimeout bounds the wait for a started service to answer.
	startTimeout = 20 * time.Second
	// stopTimeout bounds the wait for a service to end after SIGTERM.
	stopTimeout = 20 * time.Second
)

// A service is one process of the server under test, started by the suite.
type service struct {
	// Immutable after startService.
	name      string
	addr      string // WebSocket and HTTP API
	tlsAddr   string
	adminAddr string
	log       string // file with all that the process wrote
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended

	err error // how it ended; read after exited
}

// startService runs the binary with the configuration, to which it adds the
// addresses, and returns when the service answers.
func startService(binary, dir, name string, config map[string]any) (*service, error) {
	s := &service{name: name, log: filepath.Join(dir, name+".log"), exited: make(chan struct{})}
	if err := s.configure(filepath.Join(dir, name+".yaml"), dir, config); err != nil {
		return nil, err
	}
	out, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has its own descriptor
	s.cmd = exec.Command(binary, "serve", "--config", filepath.Join(dir, name+".yaml"))
	s.cmd.Dir = dir
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.awaitReady(); err != nil {
		_ = s.kill()
		text, _ := os.ReadFile(s.log)
		return nil, fmt.Errorf("start %s: %w\n%s", name, err, text)
	}
	return s, nil
}

// configure writes the configuration. JSON is YAML too, so the file is JSON.
func (s *service) configure(file, dir string, config map[string]any) error {
	addrs, err := freeAddresses(3)
	if err != nil {
		return err
	}
	s.addr, s.tlsAddr, s.adminAddr = addrs[0], addrs[1], addrs[2]
	config["listen"] = s.addr
	config["admin"] = map[string]any{"listen": s.adminAddr}
	config["data_dir"] = filepath.Join(dir, s.name+"-data")
	if pair, ok := config["tls"].(map[string]any); ok {
		pair["listen"] = s.tlsAddr
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// freeAddresses returns loopback addresses that nobody listened on just now.
func freeAddresses(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all stay taken until all are chosen
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// awaitReady polls the readiness of the admin port.
func (s *service) awaitReady() error {
	deadline := time.After(startTimeout)
	for {
		resp, err := http.Get("http://" + s.adminAddr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("GET /readyz = %d, want 200", resp.StatusCode)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("it ended before it was ready: %w", errors.Join(s.err, errEnded))
		case <-deadline:
			return fmt.Errorf("not ready after %v: %w", startTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var errEnded = errors.New("process ended")

// terminate asks the process to end and does not wait.
func (s *service) terminate() error { return s.cmd.Process.Signal(syscall.SIGTERM) }

// stop ends the process the way an operator does and reports how it ended.
func (s *service) stop() error {
	select {
	case <-s.exited:
		return fmt.Errorf("service %s ended by itself: %w", s.name, errors.Join(s.err, errEnded))
	default:
	}
	if err := s.terminate(); err != nil {
		return err
	}
	return s.awaitExit()
}

// awaitExit waits for the process, kills it when it takes too long, and
// returns an error unless it ended with status 0.
func (s *service) awaitExit() error {
	select {
	case <-s.exited:
		if s.err != nil {
			return fmt.Errorf("service %s: %w", s.name, s.err)
		}
		return nil
	case <-time.After(stopTimeout):
		_ = s.kill()
		return fmt.Errorf("service %s did not end within %v after SIGTERM", s.name, stopTimeout)
	}
}

func (s *service) kill() error {
	err := s.cmd.Process.Kill()
	<-s.exited
	return err
}

// complaints returns what must never be in a log: panics, data races, and any
// of the secrets.
func (s *service) complaints(secrets []string) error {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err
	}
	var errs []error
	for _, word := range []string{"panic:", "panicked", "DATA RACE", "goroutine 1 ["} {
		if bytes.Contains(text, []byte(word)) {
			errs = append(errs, fmt.Errorf("the log of %s contains %q", s.name, word))
		}
	}
	for _, secret := range secrets {
		if bytes.Contains(text, []byte(secret)) {
			errs = append(errs, fmt.Errorf("the log of %s contains a secret", s.name))
		}
	}
	return errors.Join(errs...)
}

// printLog writes the end of the log, where the reason of a failure is.
func (s *service) printLog(w io.Writer) {
	const most = 16 << 10
	text, err := os.ReadFile(s.log)
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	fmt.Fprintf(w, "--- log of service %s\n%s\n", s.name, text)
}
