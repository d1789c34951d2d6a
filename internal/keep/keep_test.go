package keep

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
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
