package webhook

import (
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/roster"
)

const (
	// limboTime is how long a decision waits for somebody who wants to be told
	// of it: other nodes know of a change of an app within a second.
	limboTime = 2 * time.Second
	// limboTick is how often it is looked for those who have waited long enough.
	limboTick = 100 * time.Millisecond
	// maxLimbo is how many wait at most. Of more, what nobody wants is told to
	// nobody at once.
	maxLimbo = 10_000
)

// A limbo has the decisions that nobody wants to be told of here, although the
// node in whose log they are knew somebody: this one may not have heard of the
// app yet, or not of its newest webhooks. What is decided of the same channel
// waits behind them, so that the order is kept. To the ledger they are open.
//
// That is so only for subjects in which no endpoint has any part. Where one
// wants to know of the beginning alone, its end waits for nobody: every such
// channel would wait each time.
//
// The ledger's lock guards the fields.
type limbo struct {
	sender *Sender

	apps    map[string]map[string][]waiting // by app and channel, in order; none is empty
	count   int                             // of all
	absent  time.Time                       // when the node was last seen cut off
	ticking bool
	stopped bool

	quit    chan struct{} // closed to end tick
	running sync.WaitGroup
}

// A waiting is a decision that waits.
type waiting struct {
	roster.Decision
	at time.Time // when the roster told it
}

func newLimbo(s *Sender) *limbo {
	return &limbo{sender: s, apps: make(map[string]map[string][]waiting), quit: make(chan struct{})}
}

// decideLocked puts a decision into outboxes or lets it wait, and returns of
// how many things it is to be heard before it is safe. ledger.mu is held.
func (l *limbo) decideLocked(w waiting) int {
	behind := len(l.apps[w.App][w.Channel]) > 0
	left, wanted := 0, false
	switch {
	case l.stopped:
		return never
	case !behind:
		if left, wanted = l.putLocked(w); wanted || !l.sender.cfg.Clustered {
			return left
		}
	}
	if l.count < maxLimbo {
		l.holdLocked(w)
		return 1
	}
	if behind { // it would overtake them
		l.lookLocked(w.App, w.Channel, w.at.Add(1))
		left, wanted = l.putLocked(w)
	}
	if !wanted {
		l.sender.metrics.unwanted.Inc()
	}
	return left
}

// putLocked puts a decision into the outboxes of the endpoints that want it,
// and returns how many there are. Wanted is false if nobody cares for its
// subject. ledger.mu is held.
func (l *limbo) putLocked(w waiting) (left int, wanted bool) {
	app := l.sender.cfg.Apps.ByID(w.App)
	if app == nil || !wantedOf(app, w.Subject) {
		return 0, false
	}
	return l.sender.recorder.decide(app, w), true
}

// holdLocked lets a decision wait. ledger.mu is held.
func (l *limbo) holdLocked(w waiting) {
	channels := l.apps[w.App]
	if channels == nil {
		channels = make(map[string][]waiting)
		l.apps[w.App] = channels
	}
	channels[w.Channel] = append(channels[w.Channel], w)
	l.count++
	if !l.ticking {
		l.ticking = true
		l.running.Go(l.tick)
	}
}

// lookLocked looks again who wants what waits of a channel. What was decided
// before a time waits no longer. ledger.mu is held.
func (l *limbo) lookLocked(app, channel string, before time.Time) {
	channels := l.apps[app]
	list := channels[channel]
	for len(list) > 0 {
		left, wanted := l.putLocked(list[0])
		if !wanted {
			if !list[0].at.Before(before) {
				break
			}
			l.sender.metrics.unwanted.Inc()
		}
		l.sender.ledger.heldLocked(list[0].Order, left)
		list = list[1:]
		l.count--
	}
	if len(list) > 0 {
		channels[channel] = list
	} else if delete(channels, channel); len(channels) == 0 {
		delete(l.apps, app)
	}
}

// appChanged looks whether anybody wants now what waits of an app.
func (l *limbo) appChanged(app string) {
	l.sender.ledger.mu.Lock()
	defer l.sender.ledger.mu.Unlock()
	if l.stopped {
		return
	}
	for channel := range l.apps[app] {
		l.lookLocked(app, channel, time.Time{})
	}
	l.sender.ledger.settleLocked()
}

// tick is the goroutine that ends the wait, while anything waits.
func (l *limbo) tick() {
	ticker := time.NewTicker(limboTick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-l.quit:
			return
		}
		if !l.expire(time.Now()) {
			return
		}
	}
}

// expire tells nobody of what has waited long enough, and reports whether
// anything else waits. The time in which the node is cut off does not count,
// since it hears of no app then.
func (l *limbo) expire(now time.Time) bool {
	l.sender.ledger.mu.Lock()
	defer l.sender.ledger.mu.Unlock()
	if l.stopped {
		return false
	}
	if !l.sender.cfg.Roster.Current() {
		l.absent = now
	}
	if before := now.Add(-limboTime); !before.Before(l.absent) {
		for app, channels := range l.apps {
			for channel := range channels {
				l.lookLocked(app, channel, before.Add(1))
			}
		}
		l.sender.ledger.settleLocked()
	}
	l.ticking = l.count > 0
	return l.ticking
}

// void forgets all that waits and all that is open: others tell of it.
func (l *limbo) void() {
	l.sender.ledger.mu.Lock()
	defer l.sender.ledger.mu.Unlock()
	l.sender.ledger.voidLocked()
	clear(l.apps)
	l.count = 0
}

// stop leaves to others what waits, and what is decided from here on.
func (l *limbo) stop() {
	l.sender.ledger.mu.Lock()
	l.stopped = true
	l.sender.ledger.mu.Unlock()
	close(l.quit)
	l.running.Wait()
}
