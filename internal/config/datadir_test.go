package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataDirectoryThatIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(Source{Environ: []string{"BELFRY_DATA_DIR=" + file}})
	if want := "BELFRY_DATA_DIR: data_dir: " + file + " is a file and not a directory"; err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
}

func TestDataDirectoryThatEverybodyCanWrite(t *testing.T) {
	dir := t.TempDir()
	for mode, warned := range map[os.FileMode]bool{0o700: false, 0o775: false, 0o777: true, 0o777 | os.ModeSticky: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Source{Environ: []string{"BELFRY_DATA_DIR=" + dir}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(c.Warnings.Error(), "chmod o-w "+dir); got != warned {
			t.Errorf("mode %v is warned of: %t (%v)", mode, got, c.Warnings)
		}
	}
}
