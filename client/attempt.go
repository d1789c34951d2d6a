package client

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"
)

// When the HTTP transports join an attempt that is not over.
const (
	fallbackAfter = 2 * time.Second // after WebSocket
	pollingAfter  = 4 * time.Second // after streaming
)

// An attempt is one try to connect, over one transport or several at a time.
// The goroutine of the session owns it.
type attempt struct {
	s       *session
	number  int
	waiting []Transport // not begun yet
	running int
	join    *timer
	err     error // of the first transport that failed
}

// connect makes one attempt. It returns the link that won, or why there is
// none, or neither if the session is over.
func (s *session) connect(ctx context.Context) (*opened, *failure) {
	if ctx.Err() == nil {
		bounded, cancel := context.WithTimeoutCause(ctx, s.life.cfg.HandshakeTimeout, ErrHandshakeTimeout)
		defer cancel()
		a := s.attempt()
		defer a.end()
		a.next(bounded, ctx)
		return a.await(bounded, ctx)
	}
	s.next(ctx) // which is not ok
	return nil, nil
}

// attempt returns the next attempt.
func (s *session) attempt() *attempt {
	transports := s.life.cfg.Transports
	a := &attempt{s: s, number: s.retries + 1}
	for _, t := range transports {
		if t != XHRStreaming || s.cuts < 2 {
			a.waiting = append(a.waiting, t)
		}
	}
	if len(a.waiting) == 0 { // streaming alone, and it keeps dying
		a.waiting = slices.Clone(transports)
	}
	s.life.n.attempts.Add(1)
	return a
}

// await waits for the first link that is open, or for the end of the attempt.
func (a *attempt) await(ctx, session context.Context) (*opened, *failure) {
	for {
		m, ok := a.s.next(session)
		switch {
		case !ok:
			return nil, nil
		case m.kind == mailRestart:
			return nil, restart()
		case m.kind != mailOpened || m.from != a:
			m.discard()
		case m.opened != nil:
			return m.opened, nil
		default:
			if f := a.failed(ctx, session, m.err); f != nil {
				return nil, f
			}
		}
	}
}

// end keeps transports that have not begun from doing so.
func (a *attempt) end() {
	a.waiting = nil
	a.s.agenda.cancel(a.join)
}

// next begins with the next transport, and sees to it that the one after it
// joins in time. The attempt ends with ctx, a link with the session.
func (a *attempt) next(ctx, session context.Context) {
	s := a.s
	s.agenda.cancel(a.join)
	a.join = nil
	if len(a.waiting) == 0 {
		return
	}
	t := a.waiting[0]
	a.waiting = a.waiting[1:]
	a.running++
	where := s.target(t)
	s.life.goroutines.start(func() {
		o, err := where.open(ctx, session, a.number)
		m := mail{kind: mailOpened, from: a, opened: o, err: err}
		if !s.agenda.post(m) {
			m.discard()
		}
	})
	if len(a.waiting) > 0 {
		after := fallbackAfter
		if t != WebSocket {
			after = pollingAfter
		}
		a.join = s.agenda.after(after, func() { a.next(ctx, session) })
	}
}

// failed takes the failure of one transport. The attempt is over if none is
// left, or if the service has said what it wants.
func (a *attempt) failed(ctx, session context.Context, err error) *failure {
	a.running--
	if a.err == nil {
		a.err = err
	}
	if isType[*CloseError](err) || errors.Is(err, ErrAbort) {
		return classify(err, false)
	}
	if len(a.waiting) > 0 {
		a.next(ctx, session)
		return nil
	}
	if a.running > 0 {
		return nil
	}
	return classify(a.err, false)
}

// target is where to connect to now, over one transport.
func (s *session) target(t Transport) target {
	key, e := s.life.target()
	if s.forceTLS {
		e.Insecure = false
	}
	cfg := s.life.cfg
	query := url.Values{"protocol": {"7"}, "client": {cfg.ClientName}, "version": {cfg.ClientVersion}}.Encode()
	where := target{cfg: cfg, transport: t, query: query, url: e.webSocketURL(key, query)}
	if t != WebSocket {
		where.url = e.httpURL(key)
	}
	return where
}
