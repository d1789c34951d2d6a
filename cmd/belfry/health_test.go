package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHealthAsksTheNodeOfItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	_, plain, admin := startServe(t, dir)
	_, port, err := net.SplitHostPort(admin)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "belfry.yaml")
	// A running node does not mind a file with mistakes, and neither do we.
	if err := os.WriteFile(file, []byte("drain_timeout: soon\nadmin: {listen: \"0.0.0.0:"+port+"\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := setup{dir: dir}
	for _, args := range [][]string{
		{"--admin-listen", admin}, {"--config", file}, {"--config", file, "--live"},
		{"--admin-listen", "off", "--listen", plain}, {"--admin-listen", "off", "--listen", plain, "--live"},
	} {
		if status, out, err := runCommand(t, s, append([]string{"health"}, args...)...); status != 0 || out == "" || err != "" {
			t.Errorf("health %v = %d %q %q, want 0", args, status, out, err)
		}
	}
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK\n")) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "draining", http.StatusServiceUnavailable) })
	node := httptest.NewServer(mux)
	defer node.Close()
	encrypted := httptest.NewTLSServer(mux)
	defer encrypted.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	nobody := httptest.NewServer(mux)
	nobody.Close()
	for name, tt := range map[string]struct {
		args   []string
		status int
		text   string
	}{
		"not ready": {[]string{"--admin-listen", node.Listener.Addr().String()}, 1, `/readyz says "draining"`},
		"alive":     {[]string{"--live", "--admin-listen", node.Listener.Addr().String()}, 0, ""},
		"encrypted": {[]string{"--live", "--admin-listen", encrypted.Listener.Addr().String(), "--admin-tls-cert-file", "of-another-name.pem"}, 0, ""},
		"another":   {[]string{"--admin-listen", other.Listener.Addr().String()}, 1, "answers with status 404; does another program listen there?"},
		"nobody":    {[]string{"--admin-listen", nobody.Listener.Addr().String()}, 1, "nothing listens on"},
		"off":       {[]string{"--admin-listen", "off", "--listen", "off"}, 1, "nobody to ask"},
		"any port":  {[]string{"--admin-listen", "127.0.0.1:0"}, 1, "changes with each start"},
	} {
		if status, _, err := runCommand(t, setup{dir: t.TempDir()}, append([]string{"health"}, tt.args...)...); status != tt.status || !strings.Contains(err, tt.text) {
			t.Errorf("%s: health = %d %q, want %d and %q", name, status, err, tt.status, tt.text)
		}
	}
}
