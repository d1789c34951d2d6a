package client

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// A session is the time between Connect and Disconnect, Close or failure. One
// goroutine runs its state machine: it makes attempts to connect, watches over
// the connection, and decides what follows when either fails.
type session struct {
	// Immutable.
	life   *lifecycle
	agenda *agenda
	cancel context.CancelFunc // ends the context of the goroutine

	over bool // guarded by lifecycle.mu: nothing of it touches the client any more

	// Owned by the goroutine.
	retries     int  // since the last stable connection
	connected   bool // whether there ever was a connection
	forceTLS    bool // the service accepts nothing else
	cuts        int  // unclean ends of streaming in a row
	unavailable *timer
}

// start starts the goroutine.
func (s *session) start(parent context.Context) {
	ctx, cancel := context.WithCancel(parent)
	s.cancel = cancel
	s.armUnavailable()
	s.life.goroutines.start(func() { s.run(ctx) })
}

// armUnavailable has the state become unavailable if there is no connection for
// too long.
func (s *session) armUnavailable() {
	l := s.life
	s.unavailable = s.agenda.after(l.cfg.UnavailableAfter, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !s.over && l.state == StateConnecting {
			l.setLocked(StateUnavailable, l.err)
		}
	})
}

// endLocked ends the session, with lifecycle.mu held. If there is a connection,
// it is closed with code.
func (s *session) endLocked(code int) (wasConnected bool) {
	if s.over {
		return false
	}
	s.over = true
	cn := s.life.detachLocked()
	if cn != nil {
		cn.shut(code)
	}
	for _, m := range s.agenda.close() {
		m.discard()
	}
	s.cancel()
	if s.life.session == s {
		s.life.session = nil
	}
	return cn != nil
}

// run is the state machine.
func (s *session) run(ctx context.Context) {
	for {
		o, f := s.connect(ctx)
		var cn *conn
		if o != nil {
			cn, f = s.watch(ctx, o)
		}
		if f == nil || !s.recover(ctx, cn, f) {
			return
		}
	}
}

// next returns the next mail. It is not ok when the session is over, which it
// is too when the context of the program has ended: the client is disconnected
// then.
func (s *session) next(ctx context.Context) (mail, bool) {
	m, ok := s.agenda.next(ctx)
	if !ok {
		s.life.mu.Lock()
		defer s.life.mu.Unlock()
		if !s.over {
			s.life.disconnectLocked()
		}
	}
	return m, ok
}

// watch serves an open connection until it is lost or given up. There is no
// failure if the session is over.
func (s *session) watch(ctx context.Context, o *opened) (*conn, *failure) {
	cn, ok := s.establish(ctx, o)
	if !ok {
		return nil, nil
	}
	for {
		m, ok := s.next(ctx)
		switch {
		case !ok:
			return nil, nil
		case m.kind == mailLost && m.from == cn:
			return cn, classify(m.err, true)
		case m.kind == mailRestart:
			return cn, restart()
		default:
			m.discard()
		}
	}
}

// establish makes an open link the connection of the client.
func (s *session) establish(ctx context.Context, o *opened) (*conn, bool) {
	l := s.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.over {
		o.link.abort()
		return nil, false
	}
	cn := newConn(ctx, o, connConfig{cfg: l.cfg, goroutines: l.goroutines, n: l.n, agenda: s.agenda, receive: l.subs.receive})
	s.connected = true
	s.agenda.cancel(s.unavailable)
	l.socketID, l.err = o.socketID, nil
	l.n.connects.Add(1)
	l.subs.connected(cn, func() { l.setLocked(StateConnected, nil) })
	cn.start()
	return cn, true
}

// loseLocked takes the connection away from the client and completes the
// failure with what it was.
func (s *session) loseLocked(cn *conn, f *failure) {
	f.wasConnected, f.socketID, f.lasted = true, cn.socketID, time.Since(cn.since)
	if cn.transport == XHRStreaming {
		if s.cuts++; f.code != 0 || f.class == ClassCaller {
			s.cuts = 0
		}
	}
	s.life.detachLocked()
	s.life.n.disconnects.Add(1)
	cn.shut(f.goodbye())
}

// pause waits for the time of a retry, or for a reason not to wait. It reports
// whether the session goes on.
func (s *session) pause(ctx context.Context, delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	t := s.agenda.after(delay, func() { s.agenda.post(mail{kind: mailRetry}) })
	defer s.agenda.cancel(t)
	for {
		m, ok := s.next(ctx)
		switch {
		case !ok:
			return false
		case m.kind == mailRetry, m.kind == mailOnline, m.kind == mailRestart:
			return true
		}
		m.discard()
	}
}

// recover decides what follows a failure, of the connection cn if that is not
// nil, and waits until it is time for another attempt. It reports whether there
// is one.
func (s *session) recover(ctx context.Context, cn *conn, f *failure) bool {
	d, ok := s.fall(cn, f)
	if !ok {
		return false
	}
	if decide := s.life.cfg.Reconnect.Decide; decide != nil && d.Class != ClassCaller {
		proposed := d.Delay
		if !d.WillRetry {
			proposed = s.life.cfg.Reconnect.delay(ClassBackoff, d.Attempt, f.retryAfter)
		}
		delay, retry := decide(d, proposed)
		d.WillRetry, d.Delay = retry, max(delay, 0)
		if !s.follow(f, d) {
			return false
		}
	}
	return d.WillRetry && s.pause(ctx, d.Delay)
}

// fall takes a failure and says what the policy makes of it. If nobody else has
// a word, that is followed; else the client is on its way to another connection
// meanwhile. It is not ok if the session is over.
func (s *session) fall(cn *conn, f *failure) (d Disconnected, ok bool) {
	l := s.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.over {
		return d, false
	}
	if cn != nil {
		s.loseLocked(cn, f)
	}
	if f.lasted >= l.cfg.Reconnect.StableAfter {
		s.retries = 0
	}
	if f.final {
		s.endLocked(0)
		l.err = nil
		l.setLocked(StateDisconnected, nil)
		return d, false
	}
	d = s.propose(f, l.endpoint)
	switch {
	case l.cfg.Reconnect.Decide == nil || d.Class == ClassCaller:
		s.followLocked(f, d)
	case f.wasConnected:
		l.err = f.err
		l.setLocked(StateConnecting, f.err)
		s.armUnavailable()
	}
	return d, true
}

// propose says what the policy makes of a failure to reach e.
func (s *session) propose(f *failure, e Endpoint) Disconnected {
	p := &s.life.cfg.Reconnect
	d := f.disconnected(s.retries + 1)
	switch {
	case f.class == ClassCaller:
		s.retries, d.Attempt = 0, 1
		return d
	case f.code == int(protocol.CloseTLSOnly) && e.Insecure && e.Port == 0 && !s.forceTLS:
		s.forceTLS = true // the port is not one that the caller chose for connections without
		return d
	}
	return p.propose(d, f.retryAfter, s.connected)
}

// follow does what was decided. It is not ok if the session is over.
func (s *session) follow(f *failure, d Disconnected) bool {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	if s.over {
		return false
	}
	s.followLocked(f, d)
	return true
}

// followLocked is follow with lifecycle.mu held.
func (s *session) followLocked(f *failure, d Disconnected) {
	l := s.life
	l.err = d.Err
	if !d.WillRetry {
		s.endLocked(0)
		l.setLocked(StateFailed, d.Err)
		l.d.happened(nil, d, Event{})
		return
	}
	if f.wasConnected && l.state == StateConnected {
		l.setLocked(StateConnecting, d.Err)
		s.armUnavailable()
	}
	if f.class != ClassCaller {
		s.retries++
	}
	if f.class != ClassCaller || f.wasConnected {
		l.d.happened(nil, d, Event{})
	}
	if d.Delay > 0 {
		l.log.Info("connecting later", "delay", d.Delay, "attempt", d.Attempt, "err", d.Err)
		l.d.happened(nil, ConnectingIn{Delay: d.Delay, Attempt: d.Attempt}, Event{})
	}
}
