package client

import (
	"context"
	"errors"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// A session is the time between Connect and Disconnect, Close or failure. One
// goroutine runs its state machine: it makes attempts to connect, watches over
// the connection, and decides what follows when either fails.
type session struct {
	c      *Client
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	wake   chan struct{} // tells the goroutine to look at what follows

	// Guarded by Client.mu.
	over        bool
	mail        []mail
	timers      timers
	conn        *conn // nil unless connected
	retries     int   // since the last stable connection
	connected   bool  // whether there ever was a connection
	forceTLS    bool  // the service accepts nothing else
	unavailable *timer
	cuts        int // unclean ends of streaming in a row
}

// A mail is something for the session's goroutine to do.
type mail struct {
	kind   mailKind
	opened *opened // of mailOpened
	of     *attempt
	err    error
}

type mailKind uint8

const (
	mailOpened  mailKind = iota // a transport is open, or could not be opened
	mailLost                    // the connection has ended
	mailRestart                 // connect anew, elsewhere or as nobody
	mailOnline                  // a retry that waits begins now
	mailRetry                   // the wait for a retry is over
)

func newSession(c *Client, base context.Context) *session {
	s := &session{c: c, wake: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(base)
	return s
}

func (s *session) startLocked() {
	s.armUnavailableLocked()
	s.c.life.start(s.run)
}

// armUnavailableLocked has the state become unavailable if there is no
// connection for too long.
func (s *session) armUnavailableLocked() {
	s.unavailable = s.afterLocked(s.c.cfg.UnavailableAfter, func() {
		if s.c.state == StateConnecting {
			s.c.setStateLocked(StateUnavailable, s.c.err)
		}
	})
}

// wakeLocked has the goroutine look at timers, mail and the connection.
func (s *session) wakeLocked() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *session) postLocked(m mail) {
	s.mail = append(s.mail, m)
	s.wakeLocked()
}

// endLocked ends the session: nothing of it touches the client from here on.
// The connection is closed with code, if there is one.
func (s *session) endLocked(code int) {
	if s.over {
		return
	}
	s.over = true
	if cn := s.conn; cn != nil {
		s.detachLocked()
		cn.shutLocked(code)
	}
	for _, m := range s.mail {
		if m.opened != nil {
			m.opened.link.abort()
		}
	}
	s.mail = nil
	s.stopTimersLocked()
	s.cancel()
	s.wakeLocked()
	if s.c.session == s {
		s.c.session = nil
	}
}

// run is the state machine.
func (s *session) run() {
	for {
		o, f := s.connect()
		var cn *conn
		if o != nil {
			cn, f = s.watch(o)
		}
		if f == nil || !s.recover(cn, f) {
			return
		}
	}
}

// next returns the next mail, and does what is due meanwhile. It is not ok
// when the session is over.
func (s *session) next() (mail, bool) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		s.c.mu.Lock()
		wait := s.fireLocked()
		if s.over {
			s.c.mu.Unlock()
			return mail{}, false
		}
		if m, ok := s.mailLocked(); ok {
			s.c.mu.Unlock()
			return m, true
		}
		s.c.mu.Unlock()
		alarm.Reset(wait)
		select {
		case <-s.wake:
		case <-alarm.C:
		case <-s.ctx.Done(): // of BaseContext too
			if !s.parentEnded() {
				return mail{}, false
			}
		}
	}
}

// mailLocked takes the next mail: first that the connection is lost.
func (s *session) mailLocked() (mail, bool) {
	if s.conn != nil && s.conn.loss != nil {
		return mail{kind: mailLost, err: s.conn.loss}, true
	}
	if len(s.mail) == 0 {
		return mail{}, false
	}
	m := s.mail[0]
	s.mail = s.mail[1:]
	return m, true
}

// parentEnded ends the session if its context ended with that of the program:
// the client is disconnected then.
func (s *session) parentEnded() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.over {
		s.c.disconnectLocked()
	}
	return false
}

// A failure is why an attempt or a connection ended.
type failure struct {
	err          error
	code         int
	reason       string
	class        CloseClass
	wasConnected bool
	socketID     string
	lasted       time.Duration // of a connection
	retryAfter   time.Duration // what the peer asked for
	final        bool          // ErrAbort
}

// classify makes a failure of an error.
func classify(err error, wasConnected bool) *failure {
	f := &failure{err: err, wasConnected: wasConnected, class: ClassBackoff}
	if wasConnected {
		f.class = ClassImmediate
	}
	if e, ok := errors.AsType[*CloseError](err); ok {
		f.code, f.reason, f.class = e.Code, e.Reason, e.Class()
	}
	if _, ok := errors.AsType[*messageError](err); ok {
		f.class = ClassBackoff
	}
	if e, ok := errors.AsType[*DialError](err); ok {
		f.retryAfter = e.RetryAfter
	}
	f.final = errors.Is(err, ErrAbort)
	return f
}

// restart is the failure that is none: connect anew because the caller wants
// it.
func restart() *failure { return &failure{class: ClassCaller} }

// watch serves an open connection until it is lost or given up. There is no
// failure if the session is over.
func (s *session) watch(o *opened) (*conn, *failure) {
	cn, ok := s.establish(o)
	if !ok {
		return nil, nil
	}
	for {
		m, ok := s.next()
		switch {
		case !ok:
			return nil, nil
		case m.kind == mailLost:
			return cn, classify(m.err, true)
		case m.kind == mailRestart:
			return cn, restart()
		case m.opened != nil: // the late end of an attempt
			m.opened.link.abort()
		}
	}
}

// establish makes an open link the connection of the client.
func (s *session) establish(o *opened) (*conn, bool) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.over {
		o.link.abort()
		return nil, false
	}
	cn := newConn(s, o)
	s.conn, s.connected = cn, true
	s.cancelLocked(s.unavailable)
	c.socketID, c.err = o.socketID, nil
	c.stats.Connects++
	c.setStateLocked(StateConnected, nil)
	cn.startLocked()
	c.user.connectedLocked(cn)
	for _, ch := range c.channelsLocked() {
		c.subscribeLocked(ch, cn)
	}
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
	s.detachLocked()
	s.c.stats.Disconnects++
	e, ours := errors.AsType[*messageError](f.err)
	switch {
	case ours:
		cn.shutLocked(e.code)
	case f.err == nil:
		cn.shutLocked(int(protocol.CloseNormal))
	default:
		cn.shutLocked(f.code) // 0: nobody is there to say goodbye to
	}
}

// detachLocked makes the connection nobody's: channels and user go back to
// where they were without one.
func (s *session) detachLocked() {
	cn, c := s.conn, s.c
	s.conn = nil
	c.socketID = ""
	cn.detachLocked()
	c.auth.dropLocked(cn)
	c.user.lostLocked()
	for _, ch := range c.channels {
		ch.lostLocked()
	}
}

// recover decides what follows a failure, of the connection cn if that is not
// nil, and waits until it is time for another attempt. It reports whether there
// is one.
func (s *session) recover(cn *conn, f *failure) bool {
	c := s.c
	c.mu.Lock()
	if s.over {
		c.mu.Unlock()
		return false
	}
	if cn != nil {
		s.loseLocked(cn, f)
	}
	if f.lasted >= c.cfg.Reconnect.StableAfter {
		s.retries = 0
	}
	if f.final {
		s.endLocked(0)
		c.err = nil
		c.setStateLocked(StateDisconnected, nil)
		c.mu.Unlock()
		return false
	}
	d := s.proposeLocked(f)
	if decide := c.cfg.Reconnect.Decide; decide != nil && d.Class != ClassCaller {
		if f.wasConnected {
			c.err = f.err
			c.setStateLocked(StateConnecting, f.err)
			s.armUnavailableLocked()
		}
		proposed := d.Delay
		if !d.WillRetry {
			proposed = c.cfg.Reconnect.delay(ClassBackoff, d.Attempt, f.retryAfter)
		}
		c.mu.Unlock()
		delay, retry := decide(d, proposed)
		c.mu.Lock()
		if s.over {
			c.mu.Unlock()
			return false
		}
		d.WillRetry, d.Delay = retry, max(delay, 0)
	}
	return s.followLocked(f, d)
}

// proposeLocked says what the policy makes of a failure.
func (s *session) proposeLocked(f *failure) Disconnected {
	p := &s.c.cfg.Reconnect
	d := Disconnected{
		Err: f.err, Code: f.code, Reason: f.reason, Class: f.class,
		WasConnected: f.wasConnected, SocketID: f.socketID,
		WillRetry: true, Attempt: s.retries + 1,
	}
	switch {
	case f.class == ClassCaller:
		s.retries, d.Attempt = 0, 1
		return d
	case f.code == int(protocol.CloseTLSOnly) && s.canForceTLS():
		s.forceTLS = true
		return d
	case f.class == ClassFatal, p.Off, p.FailFast && !s.connected:
		d.WillRetry = false
	case p.MaxAttempts > 0 && s.retries >= p.MaxAttempts:
		d.WillRetry = false
		d.Err = errors.Join(ErrMaxAttempts, f.err)
	}
	if d.WillRetry {
		d.Delay = p.delay(f.class, d.Attempt, f.retryAfter)
	}
	return d
}

// canForceTLS reports whether an app that accepts TLS only can be reached with
// it: the port is not one that the caller chose for connections without.
func (s *session) canForceTLS() bool {
	e := s.c.endpoint
	return e.Insecure && e.Port == 0 && !s.forceTLS
}

// followLocked does what was decided. It is called with Client.mu held, and
// gives it back.
func (s *session) followLocked(f *failure, d Disconnected) bool {
	c := s.c
	c.err = d.Err
	if !d.WillRetry {
		s.endLocked(0)
		c.err = d.Err
		c.setStateLocked(StateFailed, d.Err)
		c.systemLocked(nil, d, Event{})
		c.mu.Unlock()
		return false
	}
	if f.wasConnected && c.state == StateConnected {
		c.setStateLocked(StateConnecting, d.Err)
		s.armUnavailableLocked()
	}
	if f.class != ClassCaller {
		s.retries++
	}
	if f.class != ClassCaller || f.wasConnected {
		c.systemLocked(nil, d, Event{})
	}
	if d.Delay <= 0 {
		c.mu.Unlock()
		return true
	}
	c.log.Info("connecting later", "delay", d.Delay, "attempt", d.Attempt, "err", d.Err)
	c.systemLocked(nil, ConnectingIn{Delay: d.Delay, Attempt: d.Attempt}, Event{})
	t := s.afterLocked(d.Delay, func() { s.postLocked(mail{kind: mailRetry}) })
	c.mu.Unlock()
	return s.pause(t)
}

// pause waits for the timer of a retry, or for a reason not to wait.
func (s *session) pause(t *timer) bool {
	for {
		m, ok := s.next()
		switch {
		case !ok:
			return false
		case m.opened != nil:
			m.opened.link.abort()
		case m.kind == mailRetry:
			return true
		case m.kind == mailOnline, m.kind == mailRestart:
			s.c.mu.Lock()
			s.cancelLocked(t)
			s.c.mu.Unlock()
			return true
		}
	}
}
