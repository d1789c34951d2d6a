// Package docs has the pages of this directory, so that the console can show them
// beside what they explain. It takes no locks.
package docs

import (
	"embed"
	"io/fs"
)

//go:embed *.md
var files embed.FS

// Pages are the pages by their names, such as protocol.md.
func Pages() map[string][]byte {
	names, err := fs.Glob(files, "*.md")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	pages := make(map[string][]byte, len(names))
	for _, name := range names {
		if pages[name], err = files.ReadFile(name); err != nil {
			panic(err) // it is embedded
		}
	}
	return pages
}
