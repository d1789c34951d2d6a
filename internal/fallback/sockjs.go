package fallback

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// named takes the first message of a SockJS client, which names its app, as in
// {"path":"/app/KEY?protocol=7"}.
//
// The page's origin is not known here: the requests come from an iframe that
// any page may open, and whose origin is our own. So apps with a list of
// origins are not reached over SockJS, not even those that allow [apps.NoOrigin].
func (s *session) named(message []byte) {
	path, ok := "", false
	err := rawjson.Object(message, func(key, value []byte) {
		if string(key) == "path" {
			path, ok = rawjson.String(value)
		}
	})
	if err != nil || !ok {
		s.Close(protocol.ErrPathNotFound)
		return
	}
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		s.Close(protocol.ErrPathNotFound)
		return
	}
	assumeVersion(values)
	r := s.request
	r.Path, r.Query, r.Origin = s.server.mount.Rest(path, "/app/"), values, unknownOrigin
	s.connect(r)
	s.schedule()
}

// serveInfo tells SockJS clients what there is. They close the connection if
// they hear nothing for two of the announced intervals.
func (s *Server) serveInfo(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Cache-Control", "no-store, no-cache, no-transform, must-revalidate, max-age=0")
	about := struct {
		WebSocket    bool     `json:"websocket"`
		Origins      []string `json:"origins"`
		CookieNeeded bool     `json:"cookie_needed"`
		Entropy      uint32   `json:"entropy"`
		Heartbeat    int64    `json:"server_heartbeat_interval"` // milliseconds
		Hostname     string   `json:"hostname,omitempty"`
	}{false, []string{"*:*"}, false, rand.Uint32(), s.cfg.Heartbeat.Milliseconds(), s.cfg.Hostname}
	_, _ = w.Write(mustJSON(about))
}

// iframePage is the page that SockJS clients open in an iframe, with our own
// copy of the script in it. Clients name one in the address, but then any
// page could run any script on our origin. Nil: there is no copy.
func iframePage(script []byte) []byte {
	if len(script) == 0 {
		return nil
	}
	// The script is ours, and still it must not end early.
	script = bytes.ReplaceAll(script, []byte("</script"), []byte(`<\/script`))
	var page bytes.Buffer
	page.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"UTF-8\"><title>SockJS</title>\n<script>\n")
	page.Write(script)
	page.WriteString("\n</script>\n<script>SockJS.bootstrap_iframe();</script>\n</head><body></body></html>\n")
	return page.Bytes()
}

// serveIframe answers with the page, which may be cached: clients give it
// little time.
func (s *Server) serveIframe(w http.ResponseWriter, r *http.Request) {
	if s.iframe == nil {
		refuse(w, http.StatusNotFound, "this service has no page for iframes")
		return
	}
	sum := sha256.Sum256(s.iframe)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=UTF-8")
	h.Set("Cache-Control", "public, max-age=86400")
	h.Set("ETag", etag)
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(s.iframe)
}

// unknownOrigin is what a browser says of a page that is not to be known.
const unknownOrigin = "null"
