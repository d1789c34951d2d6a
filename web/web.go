// Package web holds what browsers load from the service: pusher-js, the files
// that it loads itself when it needs them, and a page that says how to use
// them.
//
// The files come from the npm package that package.json names, through go
// generate, which needs Node, and are embedded in the binary. A build without
// them works too, and says in place of a file how to add it. The package takes
// no locks.
package web

//go:generate npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
//go:generate node copy.mjs

import (
	"embed"
	"errors"
	"io/fs"
	"strings"
)

//go:embed dist
var dist embed.FS

// The plugin for missed events is ours, and is there in every build.
//
//go:embed history/history.js
var plugin []byte

// pluginName is under what name the plugin is served, as latest.
const pluginName = "history.js"

// ErrMissing says that the binary was built without the client files.
var ErrMissing = errors.New("web: built without the client files: make web adds them, and needs Node.js")

// File returns one of the embedded files by its name, such as
// "pusher.min.js". The error is ErrMissing if there are none at all, and
// wraps fs.ErrNotExist if there is none of that name.
func File(name string) ([]byte, error) {
	if Version() == "" {
		return nil, ErrMissing
	}
	if !strings.HasSuffix(name, ".js") && !strings.HasSuffix(name, "LICENSE.txt") {
		return nil, fs.ErrNotExist
	}
	return dist.ReadFile("dist/" + name)
}

// Version is that of the embedded pusher-js, as in "8.6.0", or empty if there
// is none.
func Version() string {
	text, err := dist.ReadFile("dist/version.txt")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// names lists the embedded scripts.
func names() []string {
	entries, err := dist.ReadDir("dist")
	if err != nil {
		return nil
	}
	var list []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".js") {
			list = append(list, e.Name())
		}
	}
	return list
}
