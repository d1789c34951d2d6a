// Package mount knows the path prefix under which a proxy has put the service,
// and finds what a request asks for behind it.
//
// There are two kinds of proxy. One hands requests on as they came, prefix
// included; the other strips the prefix. Both may leave one slash too many in
// front. So a request means the same with and without the prefix, and with any
// number of leading slashes. It is never redirected to another spelling:
// WebSocket clients do not follow, and backends sign the path that they send.
//
// The package takes no locks.
package mount

import (
	"slices"
	"strings"
)

// A Point is where the service is mounted: a path with a leading slash and
// without one at its end, as in "/realtime". The zero Point is the root.
type Point string

// At returns the point of a path, which need not have the slash in front and
// may have some at its end.
func At(path string) Point {
	if path = strings.Trim(path, "/"); path == "" {
		return ""
	}
	return Point("/" + path)
}

// Rest returns an escaped path as the service knows it: without the prefix, if
// that is there, and with one slash in front. What does not begin with a slash
// is no path, and returned as it is.
//
// A prefix may be called like a path of the service: with "/app", the path
// "/app/KEY" is that of a client whose proxy has stripped the prefix. So callers
// name what they know: "/up" is that path, and "/app/" all that it begins. What
// is known with the prefix, and is not known without it, is returned with it.
func (p Point) Rest(path string, known ...string) string {
	path = fold(path)
	if p == "" {
		return path
	}
	rest, ok := strings.CutPrefix(path, string(p))
	if !ok || !strings.HasPrefix(rest, "/") {
		return path
	}
	if rest = fold(rest); among(known, path) && !among(known, rest) {
		return path
	}
	return rest
}

// among reports whether a path is one of those known, or begins with one of
// those that end in a slash.
func among(known []string, path string) bool {
	return slices.ContainsFunc(known, func(k string) bool {
		behind, ok := strings.CutPrefix(path, k)
		return ok && strings.HasSuffix(k, "/") == (behind != "")
	})
}

// fold takes all leading slashes but one away.
func fold(path string) string {
	for strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	return path
}
