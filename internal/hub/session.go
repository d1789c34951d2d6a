package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/keyed"
	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/internal/rate"
	"github.com/belfryhq/belfry/internal/visitor"
	"github.com/belfryhq/belfry/protocol"
)

// A Session is one client's side of the protocol: what it is subscribed to,
// and who it is. Only the goroutine of its loop may use it.
type Session struct {
	// What each delivery looks at comes first, so that it is in one line of the
	// processor's cache. Tenant, loop and id are immutable after Connect. The loop
	// owns the others.
	id     protocol.SocketID
	socket Socket // nowhere when the session has ended
	held   *held  // nil while frames go out at once
	tenant *tenant
	loop   int

	// Immutable after Connect.
	began   int64 // when it did, in nanoseconds since 1970
	library protocol.ClientLibrary
	visitor visitor.Visitor

	// Owned by the loop.
	place        seat // among all sessions of the app
	subs         keyed.Set[*subscription]
	identity     *identity // nil until the client signs in
	clientEvents rate.Limiter
	complaints   rate.Limiter
	authorizeBy  time.Time // when it must be authorized; zero when it need not or is
	ended        bool
	resumes      bool // the client asks for missed events
}

// complaints is how many non-fatal errors one client is told, so that a broken
// one is not fed without an end.
var complaints = rate.PerSecond(100)

// ID is the session's socket id.
func (s *Session) ID() protocol.SocketID { return s.id }

// AppID is the id of the session's app.
func (s *Session) AppID() string { return s.app().ID }

// ActivityTimeout is how long the client may be silent before it is pinged.
func (s *Session) ActivityTimeout() time.Duration { return s.app().ActivityTimeout }

// AuthorizeBy is when [Session.CheckAuthorized] should be called, or zero.
func (s *Session) AuthorizeBy() time.Time { return s.authorizeBy }

// CheckAuthorized closes a session that should be authorized by now and is not.
func (s *Session) CheckAuthorized(now time.Time) {
	if !s.authorizeBy.IsZero() && !now.Before(s.authorizeBy) {
		s.close(protocol.ErrNotAuthorized)
	}
}

func (s *Session) app() *apps.App { return s.tenant.app() }

// object tells the client that a message of it is refused, which does not end the
// session, and tells so whoever traces.
func (s *Session) object(now time.Time, message, channel string, e *protocol.Error) {
	s.traceError(message, channel, e)
	s.complain(now, e)
}

// complain tells the client of an error that does not end the session.
func (s *Session) complain(now time.Time, e *protocol.Error) {
	if s.mayComplain(now) {
		s.sendError(e)
	}
}

// mayComplain counts an error, and reports whether the client is told of it.
func (s *Session) mayComplain(now time.Time) bool {
	s.tenant.hub.metrics.complaints.Inc()
	_, ok := s.complaints.Take(now, 1, complaints)
	return ok
}

func (s *Session) sendError(e *protocol.Error) {
	s.send(frame.Text(func(b []byte) []byte { return protocol.AppendError(b, e) }))
}

// verify checks a token: the key part, and then the digest against each of
// the texts that it may have signed.
func (s *Session) verify(auth string, texts ...string) *protocol.Error {
	key, digest, _ := protocol.SplitAuth(auth)
	signer := s.app().Signer(key)
	if signer == nil {
		return protocol.InvalidKey(key)
	}
	for _, text := range texts {
		if signer.Verify([]byte(text), digest) {
			s.tenant.hub.cfg.KeyUses.Note(time.Now(), s.app().ID, key, keyuse.Signature, "")
			return nil
		}
	}
	return protocol.InvalidSignature(texts[0], digest)
}

// authorized is called when the client has shown that the application knows
// it. It reports whether the session may go on: the app's quota may be used
// up, and then it was closed.
func (s *Session) authorized() bool {
	if s.authorizeBy.IsZero() {
		return true
	}
	if !s.tenant.count() {
		s.tenant.hub.metrics.refuse(protocol.CloseOverQuota)
		s.close(protocol.ErrOverQuota)
		return false
	}
	s.tenant.waiting.Add(-1)
	s.authorizeBy = time.Time{}
	return true
}

// unauthorize takes back what authorized did, because the subscription for
// which it was called was refused after all. Due is what authorizeBy was before.
func (s *Session) unauthorize(due time.Time) {
	if due.Equal(s.authorizeBy) {
		return
	}
	s.tenant.connections.Add(-1)
	s.tenant.waiting.Add(1)
	s.authorizeBy = due
}
