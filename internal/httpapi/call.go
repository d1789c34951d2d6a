package httpapi

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// keepBuffer is the largest buffer that a call keeps for the next one.
const keepBuffer = 64 << 10

// A call is one request on its way through the API. It is used by one
// goroutine, and used again for another request afterwards, so nothing in it
// may be kept by anybody.
type call struct {
	r     *http.Request
	began time.Time // when its header had been read
	path  string    // as on the request line, with escapes
	query string    // likewise

	route  *route
	appID  string // of the path
	target string // channel or user of the path, decoded; "" if the route has none
	behind string // what follows the target in the path, as in "/users"

	hasty    bool // the call returns errWouldWait instead of waiting
	admitted bool // by the app's rate

	signedPath string // the form of the path that the signature is right for

	params []protocol.Param // of the query; keys are lower case
	app    *apps.App        // set once the request is authenticated
	body   []byte           // all of it; empty if there is none

	channels []string       // where E1 and E7 trigger
	events   []hub.Targeted // what E2 triggers
	infos    []info         // beside events: what is asked about their channels
	keys     []string       // beside events: their idempotency keys, if they have any
	keyed    keyed
	text     []byte      // what the client can have signed
	scratch  []byte      // JSON made of what did not come as JSON
	out      []byte      // the answer
	receipt  hub.Receipt // of the events that were triggered, if any were
}

// reset makes c ready for the next request and lets go of this one.
func (c *call) reset() {
	clear(c.params)
	clear(c.channels)
	clear(c.events)
	clear(c.keys)
	*c = call{
		params:   c.params[:0],
		body:     reuse(c.body),
		channels: c.channels[:0],
		events:   c.events[:0],
		keys:     c.keys[:0],
		infos:    c.infos[:0],
		text:     reuse(c.text),
		scratch:  reuse(c.scratch),
		out:      reuse(c.out),
	}
	if cap(c.params) > maxParams || cap(c.channels) > maxParams || cap(c.events) > maxParams {
		c.params, c.channels, c.events, c.infos, c.keys = nil, nil, nil, nil, nil
	}
}

// reuse empties a buffer, and gives it up if one call in a thousand made it
// large for all the others.
func reuse(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}

// requestLine returns path and query exactly as the client wrote them.
func requestLine(r *http.Request) (path, query string) {
	if !strings.HasPrefix(r.RequestURI, "/") { // absolute form, or a request that no server read
		return r.URL.EscapedPath(), r.URL.RawQuery
	}
	path, query, _ = strings.Cut(r.RequestURI, "?")
	return path, query
}

// param returns the value of the first parameter of the query with that key.
func (c *call) param(key string) (value string, ok bool) {
	for i := range c.params {
		if c.params[i].Key == key {
			return c.params[i].Value, true
		}
	}
	return "", false
}

// info returns the attributes that the query asks for, separated by commas.
// These are also those that were sent as an array, in one of the ways in
// which libraries write those, info[]= and info[0]=.
func (c *call) info() string {
	list := ""
	for _, p := range c.params {
		switch name, _, _ := strings.Cut(p.Key, "["); {
		case name != "info" || p.Value == "":
		case list == "":
			list = p.Value
		default:
			list += "," + p.Value
		}
	}
	return list
}

// checkSingle refuses arrays where a call takes one value.
func (c *call) checkSingle() error {
	for _, p := range c.params {
		switch name, _, array := strings.Cut(p.Key, "["); {
		case !array:
		case name == "filter_by_prefix", name == "name", name == "data", name == "channel", name == "socket_id":
			return badRequest("Expected " + name + " parameter to be a string")
		}
	}
	return nil
}

// checkUTF8 refuses parameters that could not be passed on as JSON. Bodies are
// checked where they are read as what they are.
func (c *call) checkUTF8() error {
	for i := range c.params {
		if !utf8.ValidString(c.params[i].Value) {
			return errInvalidUTF8
		}
	}
	if !utf8.ValidString(c.target) {
		return errInvalidUTF8
	}
	return nil
}

// quote returns s as a JSON string literal that lives as long as the call.
func (c *call) quote(s string) []byte {
	start := len(c.scratch)
	c.scratch = rawjson.AppendString(c.scratch, s)
	return c.scratched(start)
}

// quoteBytes is quote for text in bytes.
func (c *call) quoteBytes(text []byte) []byte {
	start := len(c.scratch)
	c.scratch = rawjson.AppendQuoted(c.scratch, text)
	return c.scratched(start)
}

// quoteJSON is quote for a JSON value that is passed on as text, without the
// white space that means nothing. It also returns how long that text is.
func (c *call) quoteJSON(value []byte) (literal []byte, size int) {
	start := len(c.scratch)
	c.scratch = rawjson.Compact(c.scratch, value)
	text := c.scratched(start)
	return c.quoteBytes(text), len(text)
}

// scratched returns what was appended to c.scratch since it was start long.
// It stays as it is when more is appended.
func (c *call) scratched(start int) []byte {
	return c.scratch[start:len(c.scratch):len(c.scratch)]
}
