package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// Bounds of sessions and codes.
const (
	idleTime    = 30 * time.Minute // without a request of the person
	sessionTime = 12 * time.Hour
	freshTime   = 15 * time.Minute // after the login
	maxSessions = 256              // then the one ends that was not used for the longest time
	codeTime    = time.Minute
	maxCodes    = 16 // then the oldest is forgotten
)

// The names of the cookie: over TLS, and in clear. The prefix makes browsers
// refuse it from any other host, and over anything else than TLS.
const (
	secureCookie = "__Host-belfry"
	clearCookie  = "belfry-session"
)

// PollHeader is in requests that a page makes by itself. They do not keep a
// session from ending.
const PollHeader = "Belfry-Poll"

// A session is a browser that was let in.
type session struct {
	caller
	end   context.CancelFunc // of the caller's life
	began time.Time

	// Guarded by Gate.mu.
	used time.Time
	ends time.Time // however much it is used
}

var errNoSession = jsonhttp.Refuse(http.StatusUnauthorized, "A token is needed, Authorization: Bearer …, or a session that has not ended.")

func (g *Gate) cookieName(r *http.Request) string {
	if g.cfg.TrustedProxies.Secure(r) {
		return secureCookie
	}
	return clearCookie
}

// session returns the session of a request. Cookies do not know ports, so
// another service of the same host can set one of the same name: a request
// with two is refused.
func (g *Gate) session(r *http.Request) (*session, error) {
	cookies := r.CookiesNamed(g.cookieName(r))
	switch {
	case len(cookies) == 0:
		return nil, errNobody
	case len(cookies) > 1:
		return nil, jsonhttp.Refuse(http.StatusUnauthorized, "The cookie of the session came twice: another service under this name sets one. Use another name, such as belfry.localhost.")
	case !ownPage(r):
		return nil, jsonhttp.Refuse(http.StatusUnauthorized, "Sessions are for the pages of this port only.")
	}
	key, now := hash(sha256.Sum256([]byte(cookies[0].Value))), g.cfg.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sessions[key]
	if s == nil || s.over(now) {
		g.forgetLocked(key)
		return nil, errNoSession
	}
	if r.Header.Get(PollHeader) == "" {
		s.used = now
	}
	return s, nil
}

// ownPage reports whether the request comes from a page of this port, or of a
// person. Browsers that do not say are believed: the cookie does not leave its
// site.
func ownPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return false
}

// now is the caller at this moment. Where nobody has to show who he is, nobody is asked
// again.
func (s *session) now(now time.Time) caller {
	c := s.caller
	c.Stale = c.Via != ViaOpen && now.Sub(s.began) >= freshTime
	return c
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.used) >= idleTime || !now.Before(s.ends) || s.life.Err() != nil
}

// begin makes a session and returns its id, which is in the cookie and nowhere
// else.
func (g *Gate) begin(c caller) (string, *session) {
	id, now := rand.Text()+rand.Text(), g.cfg.Now()
	s := &session{caller: c, began: now, used: now, ends: now.Add(sessionTime)}
	s.life, s.end = context.WithTimeout(c.life, sessionTime)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.makeRoomLocked(now)
	g.sessions[sha256.Sum256([]byte(id))] = s
	return id, s
}

// makeRoomLocked forgets sessions that are over and, if there are too many, the
// one that was not used for the longest time. Gate.mu is held.
func (g *Gate) makeRoomLocked(now time.Time) {
	var oldest hash
	for key, s := range g.sessions {
		if s.over(now) {
			g.forgetLocked(key)
			continue
		}
		if o := g.sessions[oldest]; o == nil || s.used.Before(o.used) {
			oldest = key
		}
	}
	if len(g.sessions) >= maxSessions {
		g.forgetLocked(oldest)
	}
}

// end forgets the session of a request.
func (g *Gate) end(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range r.CookiesNamed(g.cookieName(r)) {
		g.forgetLocked(sha256.Sum256([]byte(c.Value)))
	}
}

// forgetLocked ends a session, if there is one, and the requests that it has under
// way. Gate.mu is held.
func (g *Gate) forgetLocked(key hash) {
	if s := g.sessions[key]; s != nil {
		s.end()
		delete(g.sessions, key)
	}
}

// A code begins one session, of whoever has asked for it.
type code struct {
	caller
	until time.Time
}

// makeCode returns a code that is good once, and until when.
func (g *Gate) makeCode(c caller) (string, time.Time) {
	text, now := rand.Text()+rand.Text(), g.cfg.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	var oldest hash
	for key, c := range g.codes {
		if !now.Before(c.until) {
			delete(g.codes, key)
			continue
		}
		if o := g.codes[oldest]; o == nil || c.until.Before(o.until) {
			oldest = key
		}
	}
	if len(g.codes) >= maxCodes {
		delete(g.codes, oldest)
	}
	c.Via = ViaCode
	until := now.Add(codeTime)
	g.codes[sha256.Sum256([]byte(text))] = &code{c, until}
	return text, until
}

// takeCode returns who begins a session with a code, and whether it is good. It is
// not any more.
func (g *Gate) takeCode(text string) (c caller, ok bool) {
	key := hash(sha256.Sum256([]byte(text)))
	g.mu.Lock()
	defer g.mu.Unlock()
	made := g.codes[key]
	delete(g.codes, key)
	if made == nil || !g.cfg.Now().Before(made.until) || made.life.Err() != nil {
		return c, false
	}
	return made.caller, true
}
