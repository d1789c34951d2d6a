package fallback

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// Elsewhere is the way to the sessions of other nodes. It is asked only for
// sessions that this node does not have, and never for a request that another
// node has passed on to this one.
type Elsewhere interface {
	// Find returns the node that has a session, as [Server.Has] of that node
	// would say. It is false if no node has it, or could say so in time.
	Find(ctx context.Context, session string) (node.ID, bool)
	// Forward has a request answered by [Server.Relayed] of a node. It is
	// false if that has answered with status 421; then nothing was written. Headers
	// that w has already stay, unless the other node has set the same.
	Forward(w http.ResponseWriter, r *http.Request, to node.ID) bool
}

// A traveler is the ResponseWriter of a request that another node has passed
// on, if it knows when that node sends its clients away.
type traveler interface{ Leaving() <-chan struct{} }

// text is the session's name between nodes.
func (id sessionID) text() string { return id.server + "/" + id.session + "/" + id.key }

// Has reports whether the session of that name lives on this node. From the
// first byte of a session's first answer until its end, it does.
func (s *Server) Has(name string) bool {
	parts := strings.SplitN(name, "/", 3)
	return len(parts) == 3 && s.table.find(sessionID{key: parts[2], server: parts[0], session: parts[1]}) != nil
}

// Relayed answers the requests that other nodes have passed on to this one,
// for sessions that live here. Those of others get status 421: a request that was
// passed on opens no session, and so nothing depends on what this node would
// take for the client's address.
func (s *Server) Relayed() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rt, ok := s.route(r.URL.EscapedPath())
		if !ok || rt.endpoint.alone() || r.Method != rt.endpoint.method() {
			refuse(w, http.StatusNotFound, "not a request of a session")
			return
		}
		rt.relayed = true
		s.answer(w, r, rt)
	})
}

// maxForwards is how many nodes are tried that say that they have a session,
// and do not any more when the request arrives there.
const maxForwards = 3

// elsewhere passes the request on to the node that has its session, with that
// body, and reports whether there is one.
func (s *Server) elsewhere(w http.ResponseWriter, r *http.Request, rt route, body []byte) bool {
	if s.cfg.Elsewhere == nil {
		return false
	}
	r = r.WithContext(r.Context())
	for range maxForwards {
		to, ok := s.cfg.Elsewhere.Find(r.Context(), rt.id.text())
		if !ok {
			return false
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if s.cfg.Elsewhere.Forward(w, r, to) {
			return true
		}
	}
	return false
}

// misdirected answers a request that another node has passed on, for a session
// that is not here any more.
func misdirected(w http.ResponseWriter) {
	refuse(w, http.StatusMisdirectedRequest, "the session is not on this node")
}
