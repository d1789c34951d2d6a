package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// write replaces belfry.yaml of a directory.
func write(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *running) hangUp() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
}

const appA, appB = "  - {id: a, keys: [{key: ka, secret: hunter2}]}\n", "  - {id: b, keys: [{key: kb, secret: hunter2}]}\n"

func TestSIGHUPReloads(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "reload: false\napps:\n"+appA+appB)
	r := serveIn(t, dir, "--config=belfry.yaml")
	a, b := r.connect("ka"), r.connect("kb")
	write(t, dir, "reload: false\nmax_connections: 2\nlog: {level: debug}\nlisten: 127.0.0.1:1\ndata_dir: x\napps:\n"+appA+"  - {id: c, keys: [{key: kc, secret: s}]}\n")
	r.hangUp()
	r.err.await(t, `msg="these settings stay as they were until the next start" settings=data_dir`) // listen is overridden by a flag
	r.err.await(t, `msg="configuration reloaded" because=SIGHUP config=belfry.yaml apps=2`)
	b.expectClosed(4001)
	a.alive()
	r.connect("kc").alive()
	r.dial("kc").expectClosed(4100)
	r.trigger("a", "ka", "hunter2")
	r.err.await(t, `level=DEBUG msg="request answered"`)

	// A file with mistakes changes nothing.
	write(t, dir, "lissten: x\napps:\n"+appB+appB)
	r.hangUp()
	r.err.await(t, `level=ERROR msg="configuration not reloaded; the running one stays in use" place=belfry.yaml:1 setting=lissten`)
	r.err.await(t, `setting=apps[1].keys[0].key`)
	a.alive()
	write(t, dir, "\tx")
	r.hangUp()
	r.err.await(t, "not YAML")
	a.alive()
	if strings.Contains(r.err.String(), "hunter2") {
		t.Errorf("the log has a secret:\n%s", r.err)
	}
	if _, metrics := get(t, "http://"+r.admin+"/metrics"); !strings.Contains(metrics, `belfry_config_reloads_total{result="refused"} 2`) || !strings.Contains(metrics, `belfry_config_reloads_total{result="taken"} 1`) {
		t.Errorf("the metrics do not tell the reloads:\n%s", metrics)
	}
	if status := r.stop(); status != 0 {
		t.Errorf("status after a reload = %d", status)
	}
}

func TestFileThatChangesIsReloaded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "apps:\n"+appA)
	r := serveIn(t, dir, "--config=belfry.yaml")
	a := r.connect("ka")
	write(t, dir, "apps:\n"+appA+appB)
	r.err.await(t, `msg="configuration reloaded" because="the file has changed"`)
	r.connect("kb").alive()
	write(t, dir, "apps: 5")
	r.err.await(t, "configuration not reloaded")
	if err := os.Rename(filepath.Join(dir, "belfry.yaml"), filepath.Join(dir, "old.yaml")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "apps:\n"+appB+"  - {id: a, disabled: true, keys: [{key: ka, secret: hunter2}]}\n")
	r.err.await(t, `msg="configuration reloaded"`)
	a.expectClosed(4003)
}

// An app of the file has what it wants of the apps that were made at run time.
func TestFileIsBeforeTheStoreWhenItIsReloaded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "apps:\n"+appA)
	r := serveIn(t, dir, "--config=belfry.yaml")
	made := r.create("--app-id=b")
	c := r.connect(made.Keys[0].Key)
	if status, _, err := r.apps("update", "a", "--name=x"); status != 1 || !strings.Contains(err, "stands in the configuration") {
		t.Errorf("update of an app of the file = %d %s", status, err)
	}
	write(t, dir, "apps:\n"+appA+appB)
	r.err.await(t, "the configuration has one with its id")
	r.err.await(t, "configuration reloaded")
	r.connect("kb").alive()
	c.alive()
	if out := r.do("list"); strings.Count(out, "configuration") != 2 || strings.Contains(out, "store") {
		t.Errorf("list:\n%s", out)
	}
	write(t, dir, "apps:\n"+appA)
	r.err.await(t, "configuration reloaded")
	r.connect(made.Keys[0].Key).alive()
}

func TestAppsOfDev(t *testing.T) {
	p := start(t, setup{}, "dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	plain := address(p.err.await(t, "listener=plain"))
	admin := address(p.err.await(t, "listener=admin"))
	r := &running{p, t, t.TempDir(), plain, admin}
	made := r.create("--name=other")
	r.connect(made.Keys[0].Key).alive()
	if out := r.do("list"); !strings.Contains(out, "dev") || !strings.Contains(out, "other") {
		t.Errorf("list:\n%s", out)
	}
}

// A page elsewhere can make its own name point to this machine. Whatever it
// asks dev then, it is refused.
func TestDevAnswersToNamesOfThisMachineOnly(t *testing.T) {
	p := start(t, setup{}, "dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	plain := address(p.err.await(t, "listener=plain"))
	admin := address(p.err.await(t, "listener=admin"))
	for _, url := range []string{
		plain + "/", plain + "/app/app-key?protocol=7", plain + "/apps/app-id/channels", plain + "/pusher/auth", plain + "/up",
		admin + "/api/v1/apps", admin + "/metrics",
	} {
		for host, want := range map[string]bool{"evil.example": false, "evil.example:6001": false, "localhost": true, "127.0.0.1:1": true, "x.localhost": true} {
			request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+url, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host, request.Close = host, true
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if got := response.StatusCode != http.StatusForbidden; got != want {
				t.Errorf("%s with Host: %s = %d", url, host, response.StatusCode)
			}
		}
	}
	upgrade := fmt.Sprintf("GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", "dGhlIHNhbXBsZSBub25jZQ==")
	if answer := rawRequest(t, plain, upgrade); !strings.HasPrefix(answer, "HTTP/1.1 403 ") {
		t.Errorf("an upgrade with a foreign Host is answered %q", answer)
	}
}
