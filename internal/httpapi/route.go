package httpapi

import (
	"cmp"
	"net/http"
	"strings"
)

// A route is one call of the API.
type route struct {
	name   string // label of metrics
	method string // GET, which allows HEAD too, or POST
	serve  func(*Handler, *call) (answer, error)
	allow  string // what can be asked of the path, if it has two calls
}

// The calls of the API. Those of push notifications are answered by other packages.
var (
	routeEvents        = &route{"events", http.MethodPost, (*Handler).triggerEvent, ""}
	routeBatch         = &route{"batch_events", http.MethodPost, (*Handler).triggerBatch, ""}
	routeChannels      = &route{"channels", http.MethodGet, (*Handler).listChannels, ""}
	routeChannel       = &route{"channel", http.MethodGet, (*Handler).showChannel, ""}
	routeUsers         = &route{"users", http.MethodGet, (*Handler).listUsers, ""}
	routeTerminate     = &route{"terminate_connections", http.MethodPost, (*Handler).terminate, ""}
	routeConnections   = &route{"connections", http.MethodGet, (*Handler).countConnections, ""}
	routeChannelEvents = &route{"channel_events", http.MethodPost, (*Handler).triggerOnChannel, "GET, HEAD, POST"}
	routeHistory       = &route{"channel_history", http.MethodGet, (*Handler).readHistory, "GET, HEAD, POST"}
	routeChannelStats  = &route{"channel_stats", http.MethodGet, (*Handler).channelStats, ""}
)

// find sets the route of c, and what a form of its path names, and reports
// whether there is one.
//
// It reads the path as it stands on the request line: names of channels are
// full of characters that routers have opinions about.
func (a *Handler) find(c *call, path string) bool {
	c.route, c.appID, c.target, c.behind = nil, "", "", ""
	path = a.rest(path)
	if rest, ok := strings.CutPrefix(path, "/apps/"); ok {
		id, rest, _ := strings.Cut(rest, "/")
		c.appID = unescape(id, false)
		return id != "" && c.findInApp(rest)
	}
	if rest, ok := strings.CutPrefix(path, "/users/"); ok { // the Python library forgets the app
		return c.findUser(rest)
	}
	return false
}

// rest is a path without the prefix in front.
func (a *Handler) rest(path string) string { return a.mount.Rest(path, "/apps/", "/users/") }

// findInApp finds what follows /apps/{id}/.
func (c *call) findInApp(path string) bool {
	switch path {
	case "events":
		c.route = routeEvents
		return true
	case "batch_events":
		c.route = routeBatch
		return true
	case "channels":
		c.route = routeChannels
		return true
	case "connections":
		c.route = routeConnections
		return true
	}
	if rest, ok := strings.CutPrefix(path, "channels/"); ok {
		return c.findChannel(rest)
	}
	if rest, ok := strings.CutPrefix(path, "users/"); ok {
		return c.findUser(rest)
	}
	return false
}

// findChannel finds what follows channels/.
func (c *call) findChannel(path string) bool {
	name, rest, more := strings.Cut(path, "/")
	switch {
	case name == "":
		return false
	case !more:
		c.route = routeChannel
	case rest == "users":
		c.route = routeUsers
	case rest == "events":
		c.route = routeChannelEvents
		if routeHistory.allows(c.r.Method) {
			c.route = routeHistory
		}
	case rest == "stats":
		c.route = routeChannelStats
	default:
		return false
	}
	c.target, c.behind = unescape(name, false), path[len(name):]
	return true
}

// findUser finds what follows users/. The id may have slashes, which some
// libraries do not escape: where identities come from elsewhere, ids are URLs.
func (c *call) findUser(path string) bool {
	const behind = "/terminate_connections"
	id, ok := strings.CutSuffix(path, behind)
	if !ok || id == "" {
		return false
	}
	c.route = routeTerminate
	c.target, c.behind = unescape(id, false), behind
	return true
}

func (rt *route) allows(method string) bool {
	return method == rt.method || method == http.MethodHead && rt.method == http.MethodGet
}

// errMethod says which methods the route has instead.
func (rt *route) errMethod() error {
	allow := cmp.Or(rt.allow, rt.method)
	if allow == http.MethodGet {
		allow = "GET, HEAD"
	}
	return &statusError{
		status:  http.StatusMethodNotAllowed,
		message: "405 METHOD NOT ALLOWED",
		header:  "Allow",
		value:   allow,
	}
}
