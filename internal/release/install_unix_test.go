//go:build unix

package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user without any rights.
const nobody = 65534

// tools are what install.sh needs, and one of fetchers.
var (
	tools    = []string{"sh", "uname", "mktemp", "grep", "sha256sum", "cut", "tar", "gzip", "mkdir", "cp", "chmod", "mv", "rm"}
	fetchers = []string{"curl", "wget"}
)

// An installation is a user's home and what is on the way to programs.
type installation struct {
	t    *testing.T
	home string
	path string
}

// newInstallation has the tools, and one fetcher alone.
func newInstallation(t *testing.T, fetcher string) installation {
	t.Helper()
	dir, err := os.MkdirTemp("", "install-") // that of the test is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	i := installation{t, filepath.Join(dir, "home"), filepath.Join(dir, "bin")}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(i.home, 0o755), os.Mkdir(i.path, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, tool := range append([]string{fetcher}, tools...) {
		file, err := exec.LookPath(tool)
		if err != nil {
			t.Skipf("there is no %s here", tool)
		}
		if err := os.Symlink(file, filepath.Join(i.path, tool)); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(i.home, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// run runs install.sh as a user who is not root.
func (i installation) run(args ...string) (output string, err error) {
	i.t.Helper()
	script, err := os.ReadFile("../../packaging/install.sh")
	if err != nil {
		i.t.Fatal(err)
	}
	command := exec.CommandContext(i.t.Context(), filepath.Join(i.path, "sh"), append([]string{"-s", "--"}, args...)...)
	command.Dir, command.Stdin = i.home, bytes.NewReader(script)
	command.Env = []string{"HOME=" + i.home, "PATH=" + i.path}
	if os.Geteuid() == 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := command.CombinedOutput()
	return string(out), err
}

// installed lists what is in a directory of the home.
func (i installation) installed(dir string) []string {
	names, err := filepath.Glob(filepath.Join(i.home, dir, "*"))
	if err != nil {
		i.t.Fatal(err)
	}
	hidden, _ := filepath.Glob(filepath.Join(i.home, dir, ".*"))
	return append(names, hidden...)
}

// serveRelease serves a release as its page does, after change has had its files.
func serveRelease(t *testing.T, change func(dir string)) (url string) {
	t.Helper()
	root := t.TempDir()
	for _, place := range []string{"latest/download", "download/v1.2.3"} {
		dir := filepath.Join(root, filepath.FromSlash(place))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		p := platform{runtime.GOOS, runtime.GOARCH}
		r := prepared(t, dir, p)
		if err := os.WriteFile(r.binary(p), []byte("#!/bin/sh\necho belfry v1.2.3 for $1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.archive(p), r.checksums()); err != nil {
			t.Fatal(err)
		}
		change(dir)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(root)))
	t.Cleanup(server.Close)
	return server.URL
}

func TestInstallScriptNeedsNoRoot(t *testing.T) {
	url := serveRelease(t, func(string) {})
	for _, fetcher := range fetchers {
		t.Run(fetcher, func(t *testing.T) {
			i := newInstallation(t, fetcher)
			out, err := i.run("--from", url)
			if err != nil || !strings.Contains(out, "installed "+i.home+"/.local/bin/belfry: belfry v1.2.3 for version\n") || !strings.Contains(out, "is not in your PATH") {
				t.Fatalf("install.sh: %v\n%s", err, out)
			}
			if got := i.installed(".local/bin"); len(got) != 1 {
				t.Errorf("installed are %q, want one file", got)
			}
			if out, err = i.run("--from", url, "--version", "v1.2.3", "--to", i.home+"/here"); err != nil || len(i.installed("here")) != 1 {
				t.Errorf("install.sh of a version: %v\n%s", err, out)
			}
		})
	}
}

func TestInstallScriptRefuses(t *testing.T) {
	archive := "belfry_1.2.3_" + platform{runtime.GOOS, runtime.GOARCH}.String() + ".tar.gz"
	write := func(name, text string) func(string) {
		return func(dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		change func(dir string)
		args   []string
		want   string
	}{
		"an archive that was changed": {write(archive, "other"), nil, "as it should; nothing was installed"},
		"no checksum":                 {write("checksums.txt", ""), nil, "has no archive for"},
		"no list":                     {write("checksums.txt", "<a href=x>_"+platform{runtime.GOOS, runtime.GOARCH}.String()+".tar.gz"), nil, "is not a list of checksums"},
		"a file elsewhere":            {write("checksums.txt", "0  belfry_../../x/"+archive), nil, "not one of a release"},
		"a version that is not there": {func(string) {}, []string{"--version", "v9.9.9"}, "v9.9.9/checksums.txt can not be downloaded"},
		"an unknown word":             {func(string) {}, []string{"--user"}, "--user is not known"},
		"a word without its value":    {func(string) {}, []string{"--to"}, "--to needs a value"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstallation(t, "curl")
			out, err := i.run(append([]string{"--from", serveRelease(t, tt.change)}, tt.args...)...)
			if err == nil || !strings.Contains(out, tt.want) {
				t.Errorf("install.sh: %v, want %q\n%s", err, tt.want, out)
			}
			if got := i.installed(".local/bin"); len(got) > 0 {
				t.Errorf("installed are %q", got)
			}
		})
	}
}
