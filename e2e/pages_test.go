package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A pageBlock is code of a page of the documentation. Behind the language its first
// line may name the file into which a reader puts it.
type pageBlock struct{ section, language, file, code string }

// pageBlocks returns the code of a page.
func pageBlocks(t testing.TB, page string) (all []pageBlock) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	section, open := "", false
	var block pageBlock
	for line := range strings.Lines(string(text)) {
		info, mark := strings.CutPrefix(line, "```")
		switch {
		case mark && open:
			all = append(all, block)
			open = false
		case mark:
			language, file, _ := strings.Cut(strings.TrimSpace(info), " ")
			block, open = pageBlock{section: section, language: language, file: file}, true
		case open:
			block.code += line
		case strings.HasPrefix(line, "## "):
			section = strings.TrimSpace(line[3:])
		}
	}
	return all
}

// writePage writes the files of a section of a page, or of all of it, into a new
// directory, as its reader does.
func writePage(t testing.TB, page, section string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	written := 0
	for _, b := range pageBlocks(t, page) {
		if b.file == "" || section != "" && b.section != section {
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(b.file))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(b.code), 0o600); err != nil {
			t.Fatal(err)
		}
		written++
	}
	if written == 0 {
		t.Fatalf("%s has no files under %q", page, section)
	}
	return dir
}
