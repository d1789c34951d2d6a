package fallback

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// An endpoint is one kind of request.
type endpoint uint8

const (
	xhrStreaming endpoint = iota + 1
	xhr
	xhrSend
	eventSource
	htmlFile
	jsonp
	jsonpSend
	info
	iframe
	timelineJSONP
	timelineXHR
)

// endpoints are those of a session, by the last part of the path.
var endpoints = map[string]endpoint{
	"xhr_streaming": xhrStreaming,
	"xhr":           xhr,
	"xhr_send":      xhrSend,
	"eventsource":   eventSource,
	"htmlfile":      htmlFile,
	"jsonp":         jsonp,
	"jsonp_send":    jsonpSend,
}

func (e endpoint) method() string {
	switch e {
	case xhrStreaming, xhr, xhrSend, jsonpSend:
		return http.MethodPost
	}
	return http.MethodGet
}

// short reports whether a GET has an answer that ends by itself, so that HEAD
// makes sense.
func (e endpoint) short() bool { return e == info || e == iframe || e.reports() }

// alone reports whether the endpoint has no session.
func (e endpoint) alone() bool { return e.short() }

// reports reports whether the endpoint takes the clients' statistics.
func (e endpoint) reports() bool { return e == timelineJSONP || e == timelineXHR }

// A sessionID is all that a session is found by: ids are the clients' choice,
// so those of one app lead to no session of another.
type sessionID struct {
	key     string // of the app; empty on the paths of SockJS
	server  string
	session string
}

// sockJS reports whether the session is one of SockJS.
func (id sessionID) sockJS() bool { return id.key == "" }

// A route is what a path asks for.
type route struct {
	endpoint endpoint
	id       sessionID // of endpoints with a session
	app      string    // escaped path of the app, /app/{key}; empty with SockJS
	receiver string    // number of the JSONP receiver of a report
	relayed  bool      // another node has passed the request on
}

// maxID is the longest server or session part of a path.
const maxID = 64

// route reads an escaped path. It is false for a path that is none of the
// package's.
func (s *Server) route(path string) (route, bool) {
	if rt, ok := s.routeBehind(s.mount.Rest(path)); ok {
		return rt, ok
	}
	return s.routeBehind(path) // whose start only looks like the prefix, as where both are /pusher
}

// routeBehind is route without a prefix.
func (s *Server) routeBehind(path string) (route, bool) {
	all := segments(path)
	if len(all) == 4 && all[0] == "timeline" && all[1] == "v2" {
		return reportRoute(all[2], all[3])
	}
	rest, ok := cutSegments(all, s.base)
	if !ok {
		return route{}, false
	}
	switch {
	case len(rest) == 1 && rest[0] == "info":
		return route{endpoint: info}, true
	case len(rest) == 1 && strings.HasPrefix(rest[0], "iframe") && strings.HasSuffix(rest[0], ".html"):
		return route{endpoint: iframe}, true
	case len(rest) == 5 && rest[0] == "app":
		return appRoute(rest[1], rest[2], rest[3], rest[4])
	case len(rest) == 3 && rest[0] != "app":
		e := endpoints[rest[2]]
		id := sessionID{server: rest[0], session: rest[1]}
		return route{endpoint: e, id: id}, e != 0 && validID(id)
	}
	return route{}, false
}

// appRoute is a route of pusher-js's own transports.
func appRoute(escapedKey, server, session, last string) (route, bool) {
	e := endpoints[last]
	if e != xhrStreaming && e != xhr && e != xhrSend {
		return route{}, false
	}
	key, err := url.PathUnescape(escapedKey)
	if err != nil {
		return route{}, false
	}
	id := sessionID{key, server, session}
	return route{endpoint: e, id: id, app: "/app/" + escapedKey}, validID(id)
}

// reportRoute is a route of the statistics.
func reportRoute(kind, number string) (route, bool) {
	switch {
	case kind == "jsonp" && len(number) <= 9 && strings.Trim(number, "0123456789") == "":
		return route{endpoint: timelineJSONP, receiver: number}, true
	case kind == "xhr" && number == "2":
		return route{endpoint: timelineXHR}, true
	}
	return route{}, false
}

// cutSegments returns what stands behind a prefix.
func cutSegments(all, prefix []string) ([]string, bool) {
	if len(all) < len(prefix) || !slices.Equal(all[:len(prefix)], prefix) {
		return nil, false
	}
	return all[len(prefix):], true
}

// validID reports whether both parts are ids as clients make them.
func validID(id sessionID) bool {
	for _, part := range [...]string{id.server, id.session} {
		if len(part) > maxID {
			return false
		}
		for i := range len(part) {
			c := part[i]
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}
