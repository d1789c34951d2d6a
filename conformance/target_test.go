package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// target is what the suite is run against.
var target = targetServer{services: make(map[string]*lazyService)}

// A targetServer is either a server that somebody else runs, or services that
// the suite builds and starts when a test first needs them.
type targetServer struct {
	// Immutable after open.
	external *app            // nil when the suite starts services itself
	switches map[string]bool // what is switched on for the external app
	dir      string          // binary, configurations, certificate, logs
	binary   string

	mu       sync.Mutex
	services map[string]*lazyService
}

// A lazyService is started by the first test that asks for it.
type lazyService struct {
	once    sync.Once
	service *service
	err     error
}

// open reads the environment, and builds the server when it is to be started.
func (s *targetServer) open() error {
	if address := os.Getenv("BELFRY_TEST_URL"); address != "" {
		return s.openExternal(address)
	}
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return err
	}
	s.dir = dir
	if err := writeCertificate(dir); err != nil {
		return err
	}
	if s.binary = os.Getenv("BELFRY_TEST_BINARY"); s.binary != "" {
		s.binary, err = filepath.Abs(s.binary)
		return err
	}
	s.binary = filepath.Join(dir, "belfry")
	args := []string{"build", "-o", s.binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "github.com/belfryhq/belfry/cmd/belfry")...)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func (s *targetServer) openExternal(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("BELFRY_TEST_URL: %w", err)
	}
	secure := u.Scheme == "https" || u.Scheme == "wss"
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[bool]string{false: "80", true: "443"}[secure])
	}
	s.external = &app{
		id: os.Getenv("BELFRY_TEST_APP_ID"), key: os.Getenv("BELFRY_TEST_KEY"), secret: os.Getenv("BELFRY_TEST_SECRET"),
		addr: host, secure: secure, prefix: strings.TrimSuffix(u.Path, "/"),
	}
	if s.external.id == "" || s.external.key == "" || s.external.secret == "" {
		return errors.New("BELFRY_TEST_URL needs BELFRY_TEST_APP_ID, BELFRY_TEST_KEY and BELFRY_TEST_SECRET too")
	}
	s.switches = make(map[string]bool)
	for name := range strings.FieldsFuncSeq(os.Getenv("BELFRY_TEST_SWITCHES"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if !slices.Contains(switches, name) {
			return fmt.Errorf("BELFRY_TEST_SWITCHES: %q is none of %s", name, strings.Join(switches, ", "))
		}
		s.switches[name] = true
	}
	s.external.counts = s.switches["subscription_count"]
	return nil
}

// service returns the service of that name, started.
func (s *targetServer) service(t *testing.T, name string) *service {
	t.Helper()
	s.mu.Lock()
	lazy := s.services[name]
	if lazy == nil {
		lazy = new(lazyService)
		s.services[name] = lazy
	}
	s.mu.Unlock()
	lazy.once.Do(func() { lazy.service, lazy.err = startService(s.binary, s.dir, name, fixtureConfig(name)) })
	if lazy.err != nil {
		t.Fatal(lazy.err)
	}
	return lazy.service
}

// private starts a service of the test's own, with the apps and settings of
// the fixture of that name. The test stops it, or it is killed at the end.
func (s *targetServer) private(t *testing.T, fixture string) *service {
	t.Helper()
	if s.external != nil {
		skip(t, "needs a service that the test may stop: the suite must start the service itself")
	}
	own, err := startService(s.binary, s.dir, unique(fixture), fixtureConfig(fixture))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-own.exited:
		default:
			_ = own.kill()
		}
		if err := own.complaints(fixtureSecrets()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			own.printLog(os.Stderr)
		}
	})
	return own
}

// close stops what was started and looks into the logs.
func (s *targetServer) close() error {
	var errs []error
	for _, lazy := range s.services {
		if lazy.service == nil {
			continue // it did not start, which its tests have reported
		}
		errs = append(errs, lazy.service.stop(), lazy.service.complaints(fixtureSecrets()))
	}
	return errors.Join(errs...)
}

func (s *targetServer) printLogs(w io.Writer) {
	for _, lazy := range s.services {
		if lazy.service != nil {
			lazy.service.printLog(w)
		}
	}
}

func (s *targetServer) remove() {
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// writeCertificate makes a certificate for 127.0.0.1 and its key.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "conformance"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), cert, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)
}
