package bench

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

const (
	// dialTimeout is how long one connection may take to be made.
	dialTimeout = 30 * time.Second
	// openings is how many connections are being made at once before a load.
	openings = 64
)

// A fleet is all connections of a run.
type fleet struct {
	endpoint *endpoint
	plan     *plan
	rec      *recorder
	network  network
	sessions []*session
	request  []byte // for the upgrade
	accept   string // what the answer to it has

	turns    chan struct{} // one for every connection that may be in the making; nil: any number
	opened   atomic.Int64  // handed to the network
	joined   atomic.Int64
	failed   atomic.Int64 // before they had joined
	closed   atomic.Int64 // after
	cutOff   atomic.Int64 // of closed: those that never read
	lastJoin atomic.Int64 // on the clock
	quitting atomic.Bool

	activityTimeout atomic.Int64

	mu      sync.Mutex
	failure error // the first; guarded by mu
}

// A network opens connections and reads them.
type network interface {
	// open begins to connect s and returns. From then on what arrives goes to
	// s.receive, and when the connection ends, or can not be made, s.ended is
	// called.
	open(s *session)
	// close ends all connections and returns when nobody reads any more.
	close()
}

func newFleet(e *endpoint, p *plan, rec *recorder) *fleet {
	f := &fleet{endpoint: e, plan: p, rec: rec, request: e.upgrade(), accept: upgradeAccept()}
	f.activityTimeout.Store(int64(protocol.ActivityTimeout))
	for i := range p.settings.Connections {
		f.sessions = append(f.sessions, newSession(i, f, rec.shards[i%len(rec.shards)]))
	}
	return f
}

// open opens all connections by the schedule, and returns when the last has
// been begun, or ctx ends.
func (f *fleet) open(ctx context.Context, s *schedule, atOnce int) {
	if s.rate == 0 {
		f.turns = make(chan struct{}, atOnce)
	}
	for _, session := range f.sessions {
		if f.turns != nil {
			select {
			case f.turns <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		t, ok := s.next(ctx)
		if !ok {
			return
		}
		session.intended = t.intended
		f.opened.Add(1)
		f.network.open(session)
	}
}

// settled reports whether every connection that was begun has joined or failed.
func (f *fleet) settled() bool {
	return f.joined.Load()+f.failed.Load() >= f.opened.Load()
}

// arrived notes that a session has joined.
func (f *fleet) arrived(now int64) {
	f.lastJoin.Store(now)
	f.joined.Add(1)
	f.release()
}

func (f *fleet) release() {
	if f.turns != nil {
		<-f.turns
	}
}

// ended notes that a connection is over.
func (f *fleet) ended(s *session, early bool, err error) {
	if f.quitting.Load() {
		return
	}
	if !early {
		f.closed.Add(1)
		if f.plan.slow(s.id) {
			f.cutOff.Add(1)
		}
		f.rec.problems.add("a connection ended: " + err.Error())
		return
	}
	f.mu.Lock()
	if f.failure == nil {
		f.failure = err
	}
	f.mu.Unlock()
	f.rec.problems.add("a connection could not be made: " + err.Error())
	f.failed.Add(1)
	f.release()
}

// firstFailure is why the first connection that failed did.
func (f *fleet) firstFailure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// close ends all connections.
func (f *fleet) close() {
	if !f.quitting.Swap(true) {
		f.network.close()
	}
}

// sawActivityTimeout takes over how long the service lets connections be
// silent, in seconds.
func (f *fleet) sawActivityTimeout(value []byte) {
	if n, err := strconv.Atoi(string(value)); err == nil && n > 0 {
		f.activityTimeout.Store(int64(time.Duration(n) * time.Second))
	}
}

// keepAlive pings where nothing has arrived for the activity timeout, as
// clients do, until ctx ends.
func (f *fleet) keepAlive(ctx context.Context) {
	ping := []byte(`{"event":"pusher:ping","data":{}}`)
	asked := make([]int64, len(f.sessions))
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := f.rec.clock.now()
		for i, s := range f.sessions[:f.opened.Load()] {
			heard := s.heard.Load()
			if heard == 0 || f.plan.slow(i) || now-max(heard, asked[i]) < f.activityTimeout.Load() {
				continue
			}
			asked[i] = now
			s.wire.send(appendFrame(nil, opText, ping)) // an error is the reader's to notice
		}
	}
}
