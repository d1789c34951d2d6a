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

import "strings"

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
func (p Point) Rest(path string) string {
	path = fold(path)
	if p == "" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, string(p)); ok && strings.HasPrefix(rest, "/") {
		return fold(rest)
	}
	return path
}

// fold takes all leading slashes but one away.
func fold(path string) string {
	for strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	return path
}
