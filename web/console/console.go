// Package console holds the built files of the console, the web application on
// the administration port.
//
// The source is in src/. go generate builds it into dist/, which is committed,
// so that the console is in every binary, however it was built. The package
// takes no locks.
package console

//go:generate go run ../../internal/console/bundle

import (
	"embed"
	"io/fs"
)

// Page is the name of the page that loads the others.
const Page = "index.html"

//go:embed dist
var dist embed.FS

// Files are the built files by their names.
func Files() map[string][]byte {
	entries, err := fs.ReadDir(dist, "dist")
	if err != nil {
		panic(err) // the directory is embedded
	}
	files := make(map[string][]byte, len(entries))
	for _, e := range entries {
		body, err := dist.ReadFile("dist/" + e.Name())
		if err != nil {
			panic(err)
		}
		files[e.Name()] = body
	}
	return files
}
