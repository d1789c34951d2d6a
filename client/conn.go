package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A conn is the connection of a session from the handshake to its end. One
// goroutine reads it and one writes it; the goroutine of the session watches
// over them, by timers of its agenda.
type conn struct {
	connConfig // immutable

	// Immutable after newConn.
	link      link
	transport Transport
	socketID  string
	since     time.Time
	activity  time.Duration // silence before a ping
	places    chan struct{} // one for each event of the program that waits to be sent
	ready     chan struct{} // tells the writer that there is something to send
	// ctx ends when the connection is nobody's any more. It is kept for the
	// requests to authorizers, which end with it.
	ctx    context.Context
	cancel context.CancelFunc

	lastSeen   atomic.Int64  // when the peer was last seen, since since
	sights     atomic.Uint64 // how often it was seen
	readerGone atomic.Bool   // whether the reader has ended
	paused     atomic.Bool   // the reader waits for room in a queue, so that it sees nobody

	mu sync.Mutex
	// Guarded by mu.
	out    []outgoing
	ending bool // nothing is added to out any more
	loss   error
	pulse  pulse
}

// A connConfig is what a connection works with.
type connConfig struct {
	cfg        *Config
	goroutines *goroutines
	n          *counters
	agenda     *agenda // of the session
	// receive takes a message. It returns the queues that have no room for
	// another one, and for which the reader has to wait.
	receive func(cn *conn, text []byte, binary bool) []*Queue
}

func newConn(ctx context.Context, o *opened, cfg connConfig) *conn {
	cn := &conn{
		connConfig: cfg,
		link:       o.link, transport: o.transport, socketID: o.socketID,
		since:    time.Now(),
		activity: cfg.cfg.ActivityTimeout,
		places:   make(chan struct{}, cfg.cfg.SendQueue),
		ready:    make(chan struct{}, 1),
	}
	if o.activity > 0 {
		cn.activity = min(cn.activity, o.activity)
	}
	cn.ctx, cn.cancel = context.WithCancel(ctx)
	o.link.attach(hooks{
		seen: cn.seen,
		pong: func(reply []byte) { cn.pong(outgoing{kind: sendPong, data: reply}) },
		got:  func([]byte) { cn.answered() },
	})
	return cn
}

// start begins to read and write.
func (cn *conn) start() {
	cn.goroutines.start(cn.read)
	cn.goroutines.start(cn.write)
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.watchLocked(cn.activity)
}

// fail says that the connection has ended, unless that is known.
func (cn *conn) fail(err error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.failLocked(err)
}

// failLocked is fail with mu held.
func (cn *conn) failLocked(err error) {
	if cn.loss == nil {
		cn.loss = err
		cn.agenda.post(mail{kind: mailLost, from: cn, err: err})
	}
}

// restart has the session connect anew.
func (cn *conn) restart() { cn.agenda.post(mail{kind: mailRestart}) }

// detach says that the connection is nobody's any more.
func (cn *conn) detach() {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.agenda.cancel(cn.pulse.watcher)
	cn.cancel()
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
		for _, q := range cn.receive(cn, text, binary) {
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
		list, ending := cn.take()
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

// take takes what waits to be sent, and says whether nothing follows.
func (cn *conn) take() (list []outgoing, ending bool) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	list, cn.out = cn.out, nil
	return list, cn.ending
}

// awaitReason gives the reader time to hear why nothing can be sent any more.
func (cn *conn) awaitReason() {
	timer := time.NewTimer(cn.cfg.CloseTimeout)
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
		if err != nil {
			continue
		}
		if f := cn.cfg.Trace.FrameSent; f != nil && o.kind == sendEvent {
			f(o.data)
		}
		cn.n.framesOut.Add(1)
		cn.n.bytesOut.Add(uint64(len(o.data)))
	}
}

// giveUp refuses what waits to be sent.
func (cn *conn) giveUp() {
	cn.mu.Lock()
	cn.ending = true
	cn.mu.Unlock()
	list, _ := cn.take()
	cn.sent(list, ErrNotConnected)
}

// send queues an event for the writer. It does not wait, and does nothing once
// the connection is ending.
func (cn *conn) send(text []byte) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.queueLocked(outgoing{kind: sendEvent, data: text})
}

// queueLocked queues something for the writer, unless the connection is ending.
func (cn *conn) queueLocked(o outgoing) (ok bool) {
	if cn.ending {
		return false
	}
	cn.out = append(cn.out, o)
	cn.wakeLocked()
	return true
}

// wakeLocked has the writer look at what there is to do.
func (cn *conn) wakeLocked() {
	select {
	case cn.ready <- struct{}{}:
	default:
	}
}

// shut ends the connection: with a closing handshake if there is a code to
// close with, which may take Config.CloseTimeout, and at once otherwise.
func (cn *conn) shut(code int) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	polite := code != 0 && !cn.ending
	if polite {
		if !sendable(code) {
			code = 1000
		}
		cn.queueLocked(outgoing{kind: sendClose, code: code})
		cn.link.closeBy(time.Now().Add(cn.cfg.CloseTimeout))
	}
	cn.ending = true
	cn.wakeLocked()
	if !polite {
		cn.link.abort()
	}
}

// sendable reports whether a Close frame may have a code (RFC 6455, section
// 7.4).
func sendable(code int) bool {
	return 1000 <= code && code <= 1014 && code != 1004 && code != 1005 && code != 1006 || 3000 <= code && code <= 4999
}

// reserve waits for a place among the events of the program that wait to be
// sent. Who gets one sends with sendReserved, or gives it back with release.
func (cn *conn) reserve(ctx context.Context) error {
	select {
	case cn.places <- struct{}{}:
		return nil
	case <-cn.ctx.Done():
		return ErrNotConnected
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives a place back.
func (cn *conn) release() { <-cn.places }

// sendReserved queues an event of the program. The result is told on the
// channel, once it was written or can not be.
func (cn *conn) sendReserved(text []byte) (done <-chan error, err error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	result := make(chan error, 1)
	if cn.ctx.Err() != nil || !cn.queueLocked(outgoing{kind: sendEvent, data: text, done: result}) {
		return nil, ErrNotConnected
	}
	return result, nil
}

// written waits until an event was written.
func written(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, ErrNotConnected) {
			err = errors.Join(ErrNotConnected, err)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
