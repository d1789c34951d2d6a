package datadir

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestTextIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	text, made, err := Text(dir, "word", rand.Text)
	if err != nil || !made || len(text) < 20 {
		t.Fatalf("Text = %d characters, %t, %v, want a long one that was made", len(text), made, err)
	}
	again, made, err := Text(dir, "word", rand.Text)
	if err != nil || made || again != text {
		t.Errorf("second Text = %t, %v, want the same, not made", made, err)
	}
	name := filepath.Join(dir, "word")
	for file, want := range map[string]os.FileMode{dir: 0o700, name: 0o600} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %s = %v (%v), want %v", file, info.Mode().Perm(), err, want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the data directory has %d files, want 1", len(left))
	}
	if err := os.WriteFile(name, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Text(dir, "word", rand.Text); err == nil {
		t.Error("Text with an empty file = nil, want an error")
	}
}

func TestTextOfProcessesThatStartTogether(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	var wg sync.WaitGroup
	texts, makers := map[string]bool{}, 0
	for range 8 {
		wg.Go(func() {
			text, made, err := Text(dir, "word", rand.Text)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			texts[text] = true
			if made {
				makers++
			}
		})
	}
	wg.Wait()
	if len(texts) != 1 || makers != 1 {
		t.Errorf("%d different texts and %d makers, want 1 and 1", len(texts), makers)
	}
}

func TestDirectoryThatIsOfNoUse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a file":         Make(file),
		"a file's token": func() error { _, _, err := Text(file, "word", rand.Text); return err }(),
		"below a file":   Make(filepath.Join(file, "data")),
		"no permission":  unusable(dir, &fs.PathError{Op: "open", Path: filepath.Join(dir, "word"), Err: syscall.EACCES}),
	} {
		if err == nil || !strings.Contains(err.Error(), "data_dir: ") || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "--data-dir") {
			t.Errorf("%s: %v, want the directory and what to do", name, err)
		}
	}
	if err := Make(filepath.Join(dir, "new", "data")); err != nil {
		t.Errorf("a new directory: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "new", "data")); len(left) != 0 {
		t.Errorf("%d files are left in a directory that was tried", len(left))
	}
}
