package webhook

import "log/slog"

const (
	// appsShare is which part of what may wait for the engine is for one
	// app. With more of it, the app is held, so that it does not hold up the
	// others.
	appsShare = 4
	// maxPendingBytes bounds what waits for the engine, beside their number.
	maxPendingBytes = 64 << 20
)

// A Gate holds back what comes into the node, or what the clients of one app
// send. It does not block.
type Gate interface {
	Hold()
	Release() // takes back one Hold
	HoldOwner(app string)
	ReleaseOwner(app string)
}

// noGate holds nothing.
type noGate struct{}

func (noGate) Hold()               {}
func (noGate) Release()            {}
func (noGate) HoldOwner(string)    {}
func (noGate) ReleaseOwner(string) {}

// backpressure counts what the engine does not have yet, and holds an app or
// the node while that is too much. The recorder's lock guards it.
type backpressure struct {
	gate    Gate
	most    int // events of the node
	metrics *metrics
	log     *slog.Logger

	shares       map[string]*share // by app
	events       int
	counted      int // of them, towards the bound of the node
	countedBytes int
	held         bool // the node
}

// A share is what of one app the engine does not have yet.
type share struct {
	app    string
	events int
	bytes  int
	held   bool
	told   bool // that it is held, since it was empty
	unused bool // the app is gone: forget the share when it is empty
}

// ofApp is how many events, and bytes, one app may have waiting.
func (b *backpressure) ofApp() (events, bytes int) {
	return b.most / appsShare, maxPendingBytes / appsShare
}

// full reports whether so much waits that the node is to be held, or with part
// 2 whether more than half of that does.
func (b *backpressure) full(part int) bool {
	events, bytes := b.ofApp()
	return b.counted >= appsShare*events/part || b.countedBytes >= appsShare*bytes/part
}

// share returns the share of an app, which it makes on first use.
func (b *backpressure) share(app string) *share {
	s := b.shares[app]
	if s == nil {
		s = &share{app: app}
		b.shares[app] = s
	}
	s.unused = false
	return s
}

// forget gives back what is kept for an app that is gone.
func (b *backpressure) forget(app string) {
	if s := b.shares[app]; s != nil {
		s.unused = true
		b.tidy(s)
	}
}

func (b *backpressure) tidy(s *share) {
	if s.unused && s.events == 0 {
		delete(b.shares, s.app)
	}
}

// change changes a share, and what counts towards the node's bound: what is
// more than an app may have concerns that app alone.
func (b *backpressure) change(s *share, events, bytes int) {
	most, mostBytes := b.ofApp()
	b.counted -= min(s.events, most)
	b.countedBytes -= min(s.bytes, mostBytes)
	b.events += events
	s.events += events
	s.bytes += bytes
	b.counted += min(s.events, most)
	b.countedBytes += min(s.bytes, mostBytes)
}

// grow adds to a share, and holds the app or the node if that is too much.
func (b *backpressure) grow(s *share, events, bytes int) {
	b.change(s, events, bytes)
	if most, mostBytes := b.ofApp(); !s.held && (s.events > most || s.bytes > mostBytes) {
		b.holdApp(s)
	}
	if !b.held && b.full(1) {
		b.held = true
		b.gate.Hold()
		b.metrics.held.Set(1)
		b.log.Warn("webhooks wait for the engine; the node takes no new work meanwhile", "events", b.events)
	}
}

// shrink takes from a share, and releases who was held when half of it is left.
func (b *backpressure) shrink(s *share, events, bytes int) {
	b.change(s, -events, -bytes)
	most, mostBytes := b.ofApp()
	if s.held && s.events <= most/2 && s.bytes <= mostBytes/2 {
		b.releaseApp(s)
	}
	if s.events == 0 {
		s.told = false
		b.tidy(s)
	}
	if b.held && !b.full(2) {
		b.release()
	}
}

func (b *backpressure) holdApp(s *share) {
	s.held = true
	b.gate.HoldOwner(s.app)
	b.metrics.appsHeld.Inc()
	if s.told {
		return // it goes to and fro
	}
	s.told = true
	b.log.Warn("webhooks of an app wait for the engine; its clients are not read meanwhile", "app", s.app, "events", s.events)
}

func (b *backpressure) releaseApp(s *share) {
	s.held = false
	b.gate.ReleaseOwner(s.app)
	b.metrics.appsHeld.Dec()
}

func (b *backpressure) release() {
	b.held = false
	b.gate.Release()
	b.metrics.held.Set(0)
	b.log.Info("the engine has taken the events of webhooks; the node takes work again")
}

// releaseAll lets everything go on, since the process ends.
func (b *backpressure) releaseAll() {
	for _, s := range b.shares {
		if s.held {
			b.releaseApp(s)
		}
	}
	if b.held {
		b.release()
	}
}
