// Package docs has the pages of this directory, so that the console can show them
// beside what they explain. It takes no locks.
package docs

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

//go:embed *.md start/*.md move/*.md
var files embed.FS

// Index is the name of the page that lists the others. It is made of their titles.
const Index = "index.md"

// Pages are the pages by their names, such as protocol.md and start/node.md.
func Pages() map[string][]byte {
	pages := make(map[string][]byte)
	for _, pattern := range []string{"*.md", "start/*.md", "move/*.md"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			panic(err) // the pattern is a constant
		}
		for _, name := range names {
			if pages[name], err = files.ReadFile(name); err != nil {
				panic(err) // it is embedded
			}
		}
	}
	pages[Index] = index(pages)
	return pages
}

// sections are the directories of the pages, as the index has them.
var sections = []struct{ dir, title string }{
	{"start", "First steps"}, {".", "Running it"}, {"move", "Moving here"},
}

// index lists the pages by their titles.
func index(pages map[string][]byte) []byte {
	var b strings.Builder
	b.WriteString("# Documentation\n")
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		for _, name := range slices.Sorted(maps.Keys(pages)) {
			if path.Dir(name) == s.dir {
				fmt.Fprintf(&b, "* [%s](%s)\n", title(pages[name]), name)
			}
		}
	}
	return []byte(b.String())
}

// title is what the first heading of a page says.
func title(page []byte) string {
	line, _, _ := strings.Cut(string(page), "\n")
	return strings.TrimPrefix(line, "# ")
}
