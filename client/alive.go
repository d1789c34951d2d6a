package client

import "time"

// A pulse is what a connection knows of whether its peer is alive. It is
// guarded by conn.mu.
type pulse struct {
	pingAt  time.Time // of the last ping; zero: none, or it was answered
	pinging bool      // whether a sign of life is awaited since then
	sightAt uint64    // how often the peer had been seen when it was sent
	watcher *timer    // looks next
}

// seen notes that the peer shows a sign of life.
func (cn *conn) seen() {
	cn.lastSeen.Store(int64(time.Since(cn.since)))
	cn.sights.Add(1)
}

// answered notes that a ping was answered.
func (cn *conn) answered() {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if !cn.pulse.pingAt.IsZero() {
		cn.n.rtt.Store(int64(time.Since(cn.pulse.pingAt)))
		cn.pulse.pingAt = time.Time{}
	}
}

// watchLocked looks after d whether the peer has been silent for too long.
func (cn *conn) watchLocked(d time.Duration) {
	cn.agenda.cancel(cn.pulse.watcher)
	var t *timer
	t = cn.agenda.after(d, func() {
		cn.mu.Lock()
		defer cn.mu.Unlock()
		if cn.pulse.watcher == t && cn.loss == nil && cn.ctx.Err() == nil {
			cn.lookLocked()
		}
	})
	cn.pulse.watcher = t
}

// lookLocked asks a peer that has been silent for a sign of life, and gives up
// one that has not shown any.
func (cn *conn) lookLocked() {
	p := &cn.pulse
	if cn.paused.Load() { // the silence is ours
		cn.seen()
	}
	if cn.sights.Load() != p.sightAt {
		p.pinging = false
	}
	if p.pinging {
		silent := time.Since(p.pingAt)
		if silent >= cn.cfg.PongTimeout {
			cn.failLocked(ErrPongTimeout)
			return
		}
		cn.watchLocked(min(cn.cfg.PongTimeout-silent, cn.activity))
		return
	}
	last := cn.since.Add(time.Duration(cn.lastSeen.Load()))
	if rest := cn.activity - time.Since(last); rest > 0 {
		cn.watchLocked(rest)
		return
	}
	cn.pingLocked()
}

// ping asks the peer for a sign of life and waits for it. It does nothing while
// one is awaited.
func (cn *conn) ping() {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.pingLocked()
}

// pingLocked is ping with mu held.
func (cn *conn) pingLocked() {
	p := &cn.pulse
	if p.pinging && cn.sights.Load() == p.sightAt {
		return
	}
	p.pinging, p.sightAt, p.pingAt = true, cn.sights.Load(), time.Now()
	if cn.cfg.Ping == PingFrame || cn.transport != WebSocket {
		cn.queueLocked(outgoing{kind: sendPing})
	} else {
		cn.queueLocked(outgoing{kind: sendEvent, data: pingEvent})
	}
	cn.watchLocked(min(cn.cfg.PongTimeout, cn.activity))
}

// pong answers a ping: an event, or what the transport has for it. Of several
// answers that wait, the last is enough, so that pings do not fill the memory.
func (cn *conn) pong(o outgoing) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	o.pong = true
	if n := len(cn.out); n > 0 && cn.out[n-1].pong && cn.out[n-1].kind == o.kind {
		cn.out[n-1] = o
		return
	}
	cn.queueLocked(o)
}

var (
	pingEvent = []byte(`{"event":"pusher:ping","data":{}}`)
	pongEvent = []byte(`{"event":"pusher:pong","data":{}}`)
)
