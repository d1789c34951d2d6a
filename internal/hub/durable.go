package hub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/history/recall"
	"github.com/belfryhq/belfry/internal/wakeup"
	"github.com/belfryhq/belfry/protocol"
)

// Errors of [Hub.Trigger] for apps whose history is durable.
var (
	// ErrNotWritable says that events can not be kept durably now. None was delivered.
	ErrNotWritable = errors.New("hub: durable histories can not be written now")
	// ErrNotKept says that events were delivered, and are not kept durably.
	ErrNotKept = errors.New("hub: events are not kept durably")
)

// A Durable keeps what nodes publish outside of them, for apps that want it. Add and Mark
// never block, and are called under the lock of a shard.
type Durable interface {
	// Ready returns why what an app publishes can hardly be kept now, or nil.
	Ready(app string) error
	// Begin says that from now on all events above a number are added.
	Begin(app string, base uint64)
	// Forget drops what there is of an app, whoever has published it.
	Forget(app string)
	// Add adds an event of this node. Await with its ticket waits until it is kept.
	Add(app string, r history.Record, ttl time.Duration) (ticket uint64)
	// Mark notes the number of the last event of a channel, if there is room.
	Mark(app, channel string, number uint64, ttl time.Duration)
	Await(ctx context.Context, app string, ticket uint64) error
	// Read returns what there is of other publishers, but for those to be skipped.
	Read(ctx context.Context, app string, ttl time.Duration, skip func(node.ID) bool) ([]history.Former, error)
}

// durable returns who keeps the app's events, or nil if they are in memory only.
func (t *tenant) durable() Durable {
	if h := &t.app().History; !h.Enabled || !h.Durable {
		return nil
	}
	return t.hub.cfg.Durable
}

// ready reports whether what is published now will probably be kept, if it is on a channel
// with a history.
func (t *tenant) ready(kept bool) bool {
	d := t.durable()
	return d == nil || !kept || d.Ready(t.app().ID) == nil
}

// keepDurablyLocked adds an event that has just got its place. The shard's lock is held.
func (t *tenant) keepDurablyLocked(channel string, e history.Event) (ticket uint64) {
	d := t.durable()
	if d == nil {
		return 0
	}
	app := t.app()
	return d.Add(app.ID, history.Record{Channel: channel, Event: e}, app.History.TTL)
}

// kept returns when the events of a batch are kept durably, if they are to be.
func (b *batch) kept(ctx context.Context) error {
	d := b.tenant.durable()
	if b.ticket == 0 || d == nil {
		return nil
	}
	if d.Await(ctx, b.tenant.app().ID, b.ticket) != nil {
		return ErrNotKept
	}
	return nil
}

// historyChanged begins or ends what is kept durably when the settings have changed.
func (t *tenant) historyChanged(before, now *apps.App) {
	interrupted := !sameChannelsKept(before, now)
	if interrupted {
		t.interruptHistories()
	}
	d := t.hub.cfg.Durable
	if d == nil {
		return
	}
	was := before.History.Enabled && before.History.Durable
	is := now.History.Enabled && now.History.Durable
	if was && (!is || interrupted) {
		d.Forget(now.ID)
		t.former.drop()
	}
	if is && (!was || interrupted) {
		d.Begin(now.ID, t.highest())
	}
}

// highest is the highest number of an event that this node has published for the app.
func (t *tenant) highest() (number uint64) {
	for lock, shelf := range t.shelves {
		lock.Lock()
		number = max(number, shelf.Number())
		lock.Unlock()
	}
	return number
}

// markHistories notes how far the channels are on which nothing happens.
func (t *tenant) markHistories() {
	d := t.durable()
	if d == nil {
		return
	}
	app := t.app()
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for name, ch := range sh.channels {
			if ch.history != nil && t.keeps(name) {
				d.Mark(app.ID, name, ch.history.log.Last(), app.History.TTL)
			}
		}
		sh.mu.Unlock()
	}
}

// formers is what was read of publishers that are gone, and who waits for it.
type formers struct {
	mu      sync.Mutex
	asOf    uint64    // peers.Others.Changes, plus one, when it was read; 0: it was not
	until   time.Time // when known says nothing about channels any more that are opened then
	known   []history.Former
	waiting []func()
	all     bool // publishers that are there are wanted, too
	queued  bool
}

// drop makes it as if nothing had been read.
func (f *formers) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asOf, f.known = 0, nil
}

// current reports whether all was read that there is, but for what peers have
// published that are there.
func (f *formers) current(changes uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asOf == changes+1
}

// assumed is what channels know of publishers that have published nothing there.
func (f *formers) assumed() []history.Former {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().After(f.until) {
		f.known = nil
	}
	return f.known
}

// assume notes in a new log who has published nothing there.
func (f *formers) assume(log *history.Log) {
	for _, k := range f.assumed() {
		log.Assume(history.Range{Publisher: k.Publisher, Floor: k.Base, Last: k.Highest})
	}
}

// mustRead reports whether the answer may depend on publishers that are gone. The
// shard's lock is held.
func (t *tenant) mustReadLocked(r *resumption) bool {
	if r.told || r.read || r.Refused() || t.durable() == nil {
		return false
	}
	return r.partial || !t.former.current(t.hub.peers.Changes())
}

// readFormers reads what there is of publishers that are gone, and calls then. With all
// it reads what is there of others, too.
func (t *tenant) readFormers(all bool, then func()) {
	f := &t.former
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, then)
	f.all = f.all || all
	if !f.queued {
		f.queued = true
		t.hub.readings.add(t)
	}
}

// A readingList is the apps for which something is to be read.
type readingList struct {
	mu   sync.Mutex
	list []*tenant
	wake wakeup.Signal
}

func (l *readingList) add(t *tenant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, t)
	l.wake.Set()
}

func (l *readingList) take() []*tenant {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// serve reads until ctx ends.
func (l *readingList) serve(ctx context.Context) {
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
		for _, t := range l.take() {
			t.read(ctx)
		}
	}
}

// read reads what is wanted, and tells those who wait. If it can not be had, they go on
// without.
func (t *tenant) read(ctx context.Context) {
	f := &t.former
	f.mu.Lock()
	waiting, all := f.waiting, f.all
	f.waiting, f.all, f.queued = nil, false, false
	f.mu.Unlock()
	changes, began := t.hub.peers.Changes(), time.Now()
	skip := func(id node.ID) bool {
		if id == t.hub.cfg.Node {
			return true
		}
		l := t.hub.peers.Link(id)
		return l != nil && !all && !t.hub.peers.Silent(l)
	}
	if d := t.durable(); d != nil {
		app := t.app()
		if list, err := d.Read(ctx, app.ID, app.History.TTL, skip); err == nil {
			t.mergeFormers(list)
			f.mu.Lock()
			f.asOf, f.until = changes+1, began.Add(app.History.TTL)
			f.mu.Unlock()
			t.assumeEverywhere(list)
		}
	}
	for _, then := range waiting {
		then()
	}
}

// mergeFormers adds what was read to the histories of its channels.
func (t *tenant) mergeFormers(list []history.Former) {
	defer t.evict()
	for _, f := range list {
		for name, past := range f.Channels {
			if !t.keeps(name) {
				continue
			}
			sh := t.shard(name)
			sh.mu.Lock()
			ch := sh.openLocked(name, protocol.KindOf(name))
			t.rememberedLocked(ch)
			t.mergeLocked(ch, &recall.Kept{
				Range: history.Range{Publisher: f.Publisher, Floor: past.Floor, Last: past.Last}, Events: past.Events,
			})
			sh.mu.Unlock()
		}
	}
}

// assumeEverywhere notes on all other channels that publishers have published nothing
// there, if that is known. Whoever has named them may be told so.
func (t *tenant) assumeEverywhere(list []history.Former) {
	known := make([]history.Former, 0, len(list))
	for _, f := range list {
		if f.Whole {
			f.Channels = nil
			known = append(known, f)
		}
	}
	t.former.mu.Lock()
	t.former.known = known
	t.former.mu.Unlock()
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for _, ch := range sh.channels {
			if ch.history != nil {
				t.former.assume(ch.history.log)
			}
		}
		sh.mu.Unlock()
	}
}
