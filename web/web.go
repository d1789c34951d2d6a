// Package web holds what browsers load from the service: pusher-js, the files
// that it loads itself when it needs them, and a page that says how to use
// them.
//
// The files come from the npm package that package.json names, through go
// generate, which needs Node. They are committed, so that every build has them,
// and embedded in the binary. The package takes no locks.
package web

//go:generate npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
//go:generate node copy.mjs dist

import (
	"embed"
	"strings"
)

//go:embed dist
var dist embed.FS

//go:embed dist/version.txt
var version string

// SockJS is the script for the iframe that SockJS clients open. It must not be
// changed.
//
//go:embed dist/sockjs.min.js
var SockJS []byte

// Client is pusher-js with encryption, as pages load it.
//
//go:embed dist/pusher-with-encryption.min.js
var Client []byte

// The plugin for missed events is ours.
//
//go:embed history/history.js
var plugin []byte

// pluginName is under what name the plugin is served, as latest.
const pluginName = "history.js"

// Version is that of the embedded pusher-js, as in "8.6.0".
func Version() string { return strings.TrimSpace(version) }

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
