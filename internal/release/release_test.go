package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// prepared is a release whose program and files are made up.
func prepared(t *testing.T, out string, p platform) *release {
	t.Helper()
	r := &release{version: "v1.2.3", out: out, work: t.TempDir(), platforms: []platform{p}, time: time.Unix(1_700_000_000, 0).UTC()}
	r.shared = filepath.Join(r.work, "shared")
	for name, text := range map[string]string{r.binary(p): "program", filepath.Join(r.shared, "README.md"): "read", filepath.Join(r.shared, "man1", "belfry.1"): "page"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestArchivesAreTheSameBytesEachTime(t *testing.T) {
	for _, p := range []platform{{"linux", "amd64"}, {"windows", "arm64"}} {
		var bodies [][]byte
		for range 2 { // each time with other directories, and files of other times
			out := t.TempDir()
			r := prepared(t, out, p)
			if err := errors.Join(r.archive(p), r.checksums()); err != nil {
				t.Fatal(err)
			}
			sums, err := os.ReadFile(filepath.Join(out, "checksums.txt"))
			if err != nil {
				t.Fatal(err)
			}
			_, name, _ := strings.Cut(strings.TrimSpace(string(sums)), "  ")
			body, err := os.ReadFile(filepath.Join(out, name))
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, append(body, sums...))
		}
		if !bytes.Equal(bodies[0], bodies[1]) {
			t.Errorf("%s: two archives of the same files differ", p)
		}
	}
}

func TestArchivesHaveOneDirectoryAndAProgramThatRuns(t *testing.T) {
	out := t.TempDir()
	for _, p := range []platform{{"darwin", "arm64"}, {"windows", "amd64"}} {
		if err := prepared(t, out, p).archive(p); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(filepath.Join(out, "belfry_1.2.3_darwin_arm64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = h.Mode
	}
	const top = "belfry_1.2.3_darwin_arm64/"
	if len(got) != 3 || got[top+"belfry"] != 0o755 || got[top+"README.md"] != 0o644 || got[top+"man1/belfry.1"] != 0o644 {
		t.Errorf("the archive has %v", got)
	}
	w, err := zip.OpenReader(filepath.Join(out, "belfry_1.2.3_windows_amd64.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var names []string
	for _, f := range w.File {
		names = append(names, strings.TrimPrefix(f.Name, "belfry_1.2.3_windows_amd64/"))
	}
	if want := []string{"README.md", "belfry.exe", "man1/belfry.1"}; !slices.Equal(names, want) {
		t.Errorf("the archive for Windows has %q, want %q", names, want)
	}
}

func TestNotesAreThoseOfTheVersion(t *testing.T) {
	const changes = "# Changes\n\nWhat.\n\n## Unreleased\n\n* new\n\n## 1.2.0 (2026-01-31)\n\n* one\n* two\n\n## 1.1.0 (2026-01-01)\n\n* zero\n"
	for version, want := range map[string]string{"v1.2.0": "* one\n* two\n", "v1.1.0": "* zero\n", "v1.2.0-4-gabc": "* new\n"} {
		if got, err := section(changes, version); err != nil || got != want {
			t.Errorf("section(%s) = %q, %v, want %q", version, got, err, want)
		}
	}
	if got, err := section(changes, "v1.3.0"); err == nil || !strings.Contains(err.Error(), "## 1.3.0 (") {
		t.Errorf("section of a version without one = %q, %v, want to be told to write it", got, err)
	}
}

func TestVersionsThatAreNone(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for version, want := range map[string]string{"v1.2.3": "v1.2.3", "v1.2.3-rc.1": "v1.2.3-rc.1", "d7e9b97-dirty": "v0.0.0-gd7e9b97-dirty"} {
		if r, err := newRelease(t.Context(), version, "", platforms); err != nil || r.version != want {
			t.Errorf("version %s = %v, %v, want %s", version, r, err, want)
		}
	}
	for _, version := range []string{"", "v1 2"} {
		if _, err := newRelease(t.Context(), version, "", platforms); err == nil {
			t.Errorf("version %q is taken", version)
		}
	}
}

// TestUnitIsUnderstood has systemd read the unit, and say how exposed it is.
func TestUnitIsUnderstood(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze here")
	}
	text, err := os.ReadFile("../../packaging/linux/belfry.service")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "ExecStart=/usr/bin/belfry serve\n") {
		t.Fatal("the unit starts something else")
	}
	program, err := os.Executable() // one that is there
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "belfry.service")
	if err := os.WriteFile(unit, []byte(strings.Replace(string(text), "/usr/bin/belfry", program, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// From 0 to 100; a unit without any protection has 96.
	if out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", unit).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}
