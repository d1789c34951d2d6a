package client

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// A conn is the connection of a session from the handshake to its end. One
// goroutine reads it and one writes it; the goroutine of the session watches
// over them.
type conn struct {
	// Immutable after newConn.
	s         *session
	c         *Client
	link      link
	transport Transport
	socketID  string
	since     time.Time
	activity  time.Duration   // silence before a ping
	ctx       context.Context // ends when the connection is nobody's any more
	cancel    context.CancelFunc
	places    chan struct{} // one for each event of the program that waits to be sent
	ready     chan struct{} // tells the writer that there is something to send

	lastSeen   atomic.Int64  // when the peer was last seen, since since
	sights     atomic.Uint64 // how often it was seen
	readerGone atomic.Bool   // whether the reader has ended
	paused     atomic.Bool   // the reader waits for room in a queue, so that it sees nobody

	// Guarded by Client.mu.
	wire    map[string]*wire // what the service was asked to subscribe to
	out     []outgoing
	ending  bool // nothing is added to out any more
	loss    error
	pingAt  time.Time // of the last ping; zero: none, or it was answered
	pinging bool      // whether a sign of life is awaited since then
	sightAt uint64    // sights when it was sent
	watcher *timer
	crowded []*Queue // that have no room after a message; read by the reader once it was taken
}

func newConn(s *session, o *opened) *conn {
	c := s.c
	cn := &conn{
		s: s, c: c, link: o.link, transport: o.transport, socketID: o.socketID,
		since:    time.Now(),
		activity: c.cfg.ActivityTimeout,
		places:   make(chan struct{}, c.cfg.SendQueue),
		ready:    make(chan struct{}, 1),
		wire:     make(map[string]*wire),
	}
	if o.activity > 0 {
		cn.activity = min(cn.activity, o.activity)
	}
	cn.ctx, cn.cancel = context.WithCancel(s.ctx)
	o.link.attach(hooks{seen: cn.seen, pong: cn.pong, got: func([]byte) { cn.answered() }})
	return cn
}

func (cn *conn) startLocked() {
	cn.c.life.start(cn.read)
	cn.c.life.start(cn.write)
	cn.watcher = cn.s.afterLocked(cn.activity, cn.watchLocked)
}

// seen notes that the peer shows a sign of life.
func (cn *conn) seen() {
	cn.lastSeen.Store(int64(time.Since(cn.since)))
	cn.sights.Add(1)
}

// pong answers a WebSocket Ping, or what another transport has for it.
func (cn *conn) pong(reply []byte) {
	cn.c.mu.Lock()
	defer cn.c.mu.Unlock()
	cn.pongLocked(outgoing{kind: sendPong, data: reply})
}

// pongLocked queues the answer to a ping. Of several that wait, the last is
// enough, so that pings do not fill the memory.
func (cn *conn) pongLocked(o outgoing) {
	if n := len(cn.out); n > 0 && cn.out[n-1].pong && cn.out[n-1].kind == o.kind {
		cn.out[n-1] = o
		cn.out[n-1].pong = true
		return
	}
	o.pong = true
	cn.sendLocked(o)
}

// answered notes that a ping was answered.
func (cn *conn) answered() {
	cn.c.mu.Lock()
	defer cn.c.mu.Unlock()
	cn.answeredLocked()
}

func (cn *conn) answeredLocked() {
	if !cn.pingAt.IsZero() {
		cn.c.stats.RTT = time.Since(cn.pingAt)
		cn.pingAt = time.Time{}
	}
}

// watchLocked is called by the session when the peer may have been silent for
// too long.
func (cn *conn) watchLocked() {
	if cn.loss != nil || cn.s.conn != cn {
		return
	}
	if cn.paused.Load() { // the silence is ours
		cn.seen()
	}
	if cn.sights.Load() != cn.sightAt {
		cn.pinging = false
	}
	if cn.pinging {
		silent := time.Since(cn.pingAt)
		if silent >= cn.c.cfg.PongTimeout {
			cn.failLocked(ErrPongTimeout)
			return
		}
		cn.watcher = cn.s.afterLocked(min(cn.c.cfg.PongTimeout-silent, cn.activity), cn.watchLocked)
		return
	}
	last := cn.since.Add(time.Duration(cn.lastSeen.Load()))
	if rest := cn.activity - time.Since(last); rest > 0 {
		cn.watcher = cn.s.afterLocked(rest, cn.watchLocked)
		return
	}
	cn.pingLocked()
}

// pingLocked asks the peer for a sign of life and waits for it. It does
// nothing while one is awaited.
func (cn *conn) pingLocked() {
	if cn.pinging && cn.sights.Load() == cn.sightAt {
		return
	}
	cn.pinging, cn.sightAt, cn.pingAt = true, cn.sights.Load(), time.Now()
	if cn.c.cfg.Ping == PingFrame || cn.transport != WebSocket {
		cn.sendLocked(outgoing{kind: sendPing})
	} else {
		cn.sendLocked(outgoing{kind: sendEvent, data: pingEvent})
	}
	cn.s.cancelLocked(cn.watcher)
	cn.watcher = cn.s.afterLocked(min(cn.c.cfg.PongTimeout, cn.activity), cn.watchLocked)
}

var (
	pingEvent = []byte(`{"event":"pusher:ping","data":{}}`)
	pongEvent = []byte(`{"event":"pusher:pong","data":{}}`)
)

// fail says that the connection has ended, unless that is known.
func (cn *conn) fail(err error) {
	cn.c.mu.Lock()
	defer cn.c.mu.Unlock()
	cn.failLocked(err)
}

func (cn *conn) failLocked(err error) {
	if cn.loss == nil {
		cn.loss = err
		cn.s.wakeLocked()
	}
}

// read takes messages until the connection ends.
func (cn *conn) read() {
	defer cn.link.abort()
	defer cn.readerGone.Store(true)
	for {
		text, binary, err := cn.link.read()
		if err != nil {
			cn.fail(err)
			if isType[*CloseError](err) || isType[*messageError](err) {
				cn.link.drain()
			}
			return
		}
		for _, q := range cn.c.receive(cn, text, binary) {
			cn.waitForRoom(q)
		}
	}
}

// waitForRoom keeps the reader from reading on while a queue is full.
func (cn *conn) waitForRoom(q *Queue) {
	for room := q.blocked(); room != nil; room = q.blocked() {
		cn.paused.Store(true)
		select {
		case <-room:
		case <-cn.ctx.Done():
			return
		}
	}
	if cn.paused.Swap(false) {
		cn.seen()
	}
}

// write sends what is queued until the connection ends.
func (cn *conn) write() {
	defer func() {
		if cn.readerGone.Load() {
			cn.link.abort() // what the last write has left
		}
	}()
	for {
		<-cn.ready
		cn.c.mu.Lock()
		list, ending := cn.out, cn.ending
		cn.out = nil
		cn.c.mu.Unlock()
		if err := cn.writeAll(list); err != nil {
			if isType[*sendError](err) {
				cn.awaitReason()
			}
			cn.fail(err)
			cn.link.abort()
			cn.giveUp()
			return
		}
		if ending {
			return
		}
	}
}

// awaitReason gives the reader time to hear why nothing can be sent any more.
func (cn *conn) awaitReason() {
	timer := time.NewTimer(cn.c.cfg.CloseTimeout)
	defer timer.Stop()
	select {
	case <-cn.ctx.Done():
	case <-timer.C:
	}
}

// maxWrite is how much is written at once, so that the timeout of a write is
// not that of everything that waits.
const maxWrite = 64 << 10

func (cn *conn) writeAll(list []outgoing) error {
	for len(list) > 0 {
		n, size := 0, 0
		for n < len(list) && (n == 0 || size+len(list[n].data) <= maxWrite) {
			size += len(list[n].data)
			n++
		}
		err := cn.link.write(list[:n])
		cn.sent(list[:n], err)
		if err != nil {
			cn.sent(list[n:], err)
			return err
		}
		list = list[n:]
	}
	return nil
}

// sent tells those who wait that their events were written, or why not.
func (cn *conn) sent(list []outgoing, err error) {
	for _, o := range list {
		if o.done != nil {
			<-cn.places
			o.done <- err
		}
		if err == nil && o.kind == sendEvent {
			if f := cn.c.cfg.Trace.FrameSent; f != nil {
				f(o.data)
			}
		}
	}
	if err == nil {
		cn.c.mu.Lock()
		for _, o := range list {
			cn.c.stats.FramesOut++
			cn.c.stats.BytesOut += uint64(len(o.data))
		}
		cn.c.mu.Unlock()
	}
}

// giveUp refuses what waits to be sent.
func (cn *conn) giveUp() {
	cn.c.mu.Lock()
	list := cn.out
	cn.out, cn.ending = nil, true
	cn.c.mu.Unlock()
	cn.sent(list, ErrNotConnected)
}

// sendLocked queues something for the writer. It does not wait, and does
// nothing once the connection is ending.
func (cn *conn) sendLocked(o outgoing) bool {
	if cn.ending {
		return false
	}
	cn.out = append(cn.out, o)
	select {
	case cn.ready <- struct{}{}:
	default:
	}
	return true
}

// detachLocked says that the connection is nobody's any more.
func (cn *conn) detachLocked() {
	cn.s.cancelLocked(cn.watcher)
	cn.cancel()
}

// shutLocked ends the connection: with a closing handshake if there is a code
// to close with, which may take Config.CloseTimeout, and at once otherwise.
func (cn *conn) shutLocked(code int) {
	polite := code != 0 && !cn.ending
	if polite {
		if !sendable(code) {
			code = 1000
		}
		cn.sendLocked(outgoing{kind: sendClose, code: code})
		cn.link.closeBy(time.Now().Add(cn.c.cfg.CloseTimeout))
	}
	cn.ending = true
	select {
	case cn.ready <- struct{}{}:
	default:
	}
	if !polite {
		cn.link.abort()
	}
}

// sendable reports whether a Close frame may have a code (RFC 6455, section
// 7.4).
func sendable(code int) bool {
	return 1000 <= code && code <= 1014 && code != 1004 && code != 1005 && code != 1006 || 3000 <= code && code <= 4999
}

// send has an event of the program written. It waits for a place in the queue
// and for the writer, until ctx ends. The function allowed, called with
// Client.mu held, says whether the event may still be sent.
func (c *Client) send(ctx context.Context, text []byte, allowed func(*conn) error) error {
	c.mu.Lock()
	cn, err := c.connLocked()
	if err == nil {
		err = allowed(cn)
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case cn.places <- struct{}{}:
	case <-cn.ctx.Done():
		return ErrNotConnected
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	c.mu.Lock()
	if err = allowed(cn); err == nil && (cn.ctx.Err() != nil || !cn.sendLocked(outgoing{kind: sendEvent, data: text, done: done})) {
		err = ErrNotConnected
	}
	c.mu.Unlock()
	if err != nil {
		<-cn.places
		return err
	}
	select {
	case err = <-done:
		if err != nil && !errors.Is(err, ErrNotConnected) {
			err = errors.Join(ErrNotConnected, err)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connLocked is the connection, if there is one.
func (c *Client) connLocked() (*conn, error) {
	switch {
	case c.closed:
		return nil, ErrClosed
	case c.session == nil || c.session.conn == nil:
		return nil, ErrNotConnected
	}
	return c.session.conn, nil
}
