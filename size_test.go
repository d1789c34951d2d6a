package belfry

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mostLines is how many lines the files of a package may have together without blanks,
// comments and tests. Beyond it a package has a second subject, which wants to be one of its own.
const mostLines = 3500

// larger are packages that may have more, and why.
var larger = map[string]string{
	"client":       "a library is one package for who imports it",
	"internal/hub": "one lock guards a channel, who is on it and its history, and what is told of them in one order",
}

func TestPackagesHaveOneSubject(t *testing.T) {
	for _, p := range listed(t) {
		lines := 0
		for _, name := range p.GoFiles {
			lines += codeLines(t, filepath.Join(p.Dir, name))
		}
		t.Logf("%5d %s", lines, p.path())
		if lines > mostLines && larger[p.path()] == "" {
			t.Errorf("%s has %d lines, want %d at most: look for the part that can be a package of its own", p.path(), lines, mostLines)
		}
	}
}

// codeLines counts the lines of a file that are neither blank nor comment.
func codeLines(t *testing.T, name string) (n int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for comment := false; lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case comment:
			comment = !strings.Contains(line, "*/")
		case strings.HasPrefix(line, "/*"):
			comment = !strings.Contains(line, "*/")
		case line != "" && !strings.HasPrefix(line, "//"):
			n++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
