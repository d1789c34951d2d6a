package web

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// notCopied is what dist holds beside what go generate puts there.
const notCopied = "README.txt"

func TestCommittedFilesAreThoseOfThePackage(t *testing.T) {
	if _, err := os.Stat("node_modules/pusher-js/package.json"); err != nil {
		if os.Getenv("E2E_REQUIRED") != "" {
			t.Fatal("the package pusher-js is missing: scripts/setup gets it")
		}
		t.Skip("the package pusher-js is missing: scripts/setup gets it")
	}
	dir := t.TempDir()
	if out, err := exec.Command("node", "copy.mjs", dir).CombinedOutput(); err != nil {
		t.Fatalf("node copy.mjs: %v\n%s", err, out)
	}
	committed, err := dist.ReadDir("dist")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range committed {
		if e.Name() == notCopied {
			continue
		}
		got, err := dist.ReadFile("dist/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, e.Name())
		if want, err := os.ReadFile(copied); err != nil || !bytes.Equal(got, want) {
			t.Errorf("dist/%s is not what the package has: go generate ./web (%v)", e.Name(), err)
		}
		_ = os.Remove(copied)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("dist/%s is not committed: go generate ./web, and add it", e.Name())
	}
}
