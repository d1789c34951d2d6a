package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// freePort is a port of this machine that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// writeFile writes a file into dir.
func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Programs keep their host, port, key and secret, and an event of a size that
// their server took is taken.
func TestClientsGoOnAfterAnImport(t *testing.T) {
	for server, tt := range map[string]struct {
		env  string // with a port
		size int
	}{
		"soketi":             {"SOKETI_PORT=%s\nSOKETI_DEFAULT_APP_ID=7\nSOKETI_DEFAULT_APP_KEY=old-key\nSOKETI_DEFAULT_APP_SECRET=old-secret\n", 40_000},
		"reverb":             {"REVERB_SERVER_PORT=%s\nREVERB_APP_ID=7\nREVERB_APP_KEY=old-key\nREVERB_APP_SECRET=old-secret\n", 9_000},
		"laravel-websockets": {"LARAVEL_WEBSOCKETS_PORT=%s\nPUSHER_APP_ID=7\nPUSHER_APP_KEY=old-key\nPUSHER_APP_SECRET=old-secret\n", 50_000},
	} {
		t.Run(server, func(t *testing.T) {
			dir, port := t.TempDir(), freePort(t)
			writeFile(t, dir, ".env", fmt.Sprintf(tt.env, port))
			status, _, text := runCommand(t, setup{dir: dir}, "import", server)
			if status != 0 || !strings.Contains(text, "belfry serve --config belfry.yaml") {
				t.Fatalf("import = %d %s", status, text)
			}
			if info, err := os.Stat(filepath.Join(dir, "belfry.yaml")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("belfry.yaml is %v, %v", info, err)
			}
			if status, _, text := runCommand(t, setup{dir: dir}, "check", "--config", "belfry.yaml"); status != 0 {
				t.Errorf("check = %d %s", status, text)
			}
			if file, err := os.ReadFile(filepath.Join(dir, "belfry.yaml")); !strings.Contains(string(file), ":"+port+"\n") {
				t.Errorf("the port is not kept: %s %v", file, err)
			}
			serve := start(t, setup{dir: dir}, "serve", "--config", "belfry.yaml", "--listen", "127.0.0.1:"+port, "--admin-listen", "127.0.0.1:0")
			serve.err.await(t, "listener=plain")
			old := withURL("http://old-key:old-secret@127.0.0.1:" + port + "/apps/7")
			subscribe := start(t, old, "subscribe", "news", "--count", "1")
			subscribe.err.await(t, "subscribed to news")
			if status, _, text := runCommand(t, old, "trigger", "news", "hello", strings.Repeat("x", tt.size)); status != 0 {
				t.Errorf("trigger = %d %s", status, text)
			}
			if status := subscribe.end(); status != 0 || len(subscribe.out.String()) < tt.size {
				t.Errorf("subscribe = %d, %d bytes\n%s", status, len(subscribe.out.String()), subscribe.err)
			}
		})
	}
}

func TestImportNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, ".env", "PUSHER_APP_ID=1\nPUSHER_APP_KEY=k\nPUSHER_APP_SECRET=hunter2\n")
	writeFile(t, dir, "belfry.yaml", "mine: true\n")
	status, _, text := runCommand(t, setup{dir: dir}, "import", "pusher")
	kept, _ := os.ReadFile(filepath.Join(dir, "belfry.yaml"))
	if status != 1 || !strings.Contains(text, "belfry.yaml is there already") || !strings.Contains(text, "--output") || string(kept) != "mine: true\n" {
		t.Errorf("import = %d %s; the file is %s", status, text, kept)
	}
	status, out, text := runCommand(t, setup{dir: dir}, "import", "pusher", "--dry-run", "--output", "other.yaml")
	there, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if status != 0 || !strings.Contains(out, "key: k") || strings.Contains(out+text, "hunter2") || len(there) != 1 {
		t.Errorf("import --dry-run = %d %s%s; files %q", status, out, text, there)
	}
}

func TestImportNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, ".env", "SOKETI_DEFAULT_APP_SECRET=app-secret\n")
	writeFile(t, dir, "tls.env", "SOKETI_DEFAULT_APP_SECRET=s\nSOKETI_SSL_CERT=there.pem\nSOKETI_SSL_KEY=there.key\n")
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"import"}, 2, "import from which server? soketi, reverb"},
		{[]string{"import", "centrifugo"}, 1, `"centrifugo" is not a server that can be imported from`},
		{[]string{"import", "soketi"}, 1, ".env:1: soketi serves an app with its default credentials"},
		{[]string{"import", "soketi", "none.env"}, 1, "none.env"},
		{[]string{"import", "soketi", "tls.env", "--dry-run"}, 1, "tls.cert_file"},
	} {
		if status, _, text := runCommand(t, setup{dir: dir}, tt.args...); status != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%v = %d %s, want %q", tt.args, status, text, tt.want)
		}
	}
}

func TestFileOfAnotherServerIsRecognized(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "config.json", `{"appManager": {"array": {"apps": [{"id": "1", "key": "k", "secret": "hunter2"}]}}}`)
	for _, command := range []string{"check", "serve"} {
		status, _, text := runCommand(t, setup{dir: dir, env: []string{"BELFRY_CONFIG=config.json"}}, command)
		if status != 1 || !strings.Contains(text, "config.json is a file of soketi") || !strings.Contains(text, "belfry import soketi config.json") || strings.Contains(text, "hunter2") {
			t.Errorf("%s = %d %s", command, status, text)
		}
	}
}
