package webhook

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// Incarnations for tests.
const (
	nodeA node.ID = "AAAAAAAAAAAAAAAA"
	nodeB node.ID = "BBBBBBBBBBBBBBBB"
	nodeC node.ID = "CCCCCCCCCCCCCCCC"
)

// A scripted roster decides nothing: tests call the sender in its place.
type scripted struct {
	id     node.ID
	onTold func(uint64)

	mu    sync.Mutex
	away  chan struct{} // not nil: the node is not current
	since time.Time
	told  uint64 // the most
	sets  []string
}

func (r *scripted) Start(context.Context, roster.Host) error { return nil }
func (r *scripted) Close(context.Context) error              { return nil }
func (r *scripted) Drain()                                   {}
func (r *scripted) ID() node.ID                              { return r.id }

func (r *scripted) Set(s roster.Subject, present, quiet bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets = append(r.sets, fmt.Sprintf("%s %s%s present=%v quiet=%v", s.App, s.Channel, s.User, present, quiet))
}

func (r *scripted) Current() bool { return r.Suspended() == nil }

func (r *scripted) Suspended() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away
}

func (r *scripted) CurrentSince() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away == nil && r.since.IsZero() { // from the start
		return time.Unix(0, 0)
	}
	return r.since
}

// suspend makes the node not current, or current again.
func (r *scripted) suspend(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case away && r.away == nil:
		r.away, r.since = make(chan struct{}), time.Time{}
	case !away && r.away != nil:
		close(r.away)
		r.away, r.since = nil, time.Now()
	}
}

func (r *scripted) Acknowledge(through uint64) {
	if r.onTold != nil {
		r.onTold(through)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = max(r.told, through)
}

// through is up to where the sender has said that it has told.
func (r *scripted) through() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}

// decision is one of the log L, told in the order of the numbers: odd ones are
// that a channel is occupied.
func decision(number uint64, channel string, of node.ID) roster.Decision {
	return roster.Decision{Subject: roster.Subject{App: "1", Channel: channel}, Gone: number%2 == 0,
		ID: roster.DecisionID{Log: "L", Number: number}, Order: number, Of: of}
}

// member starts a node of a cluster whose endpoint answers as told.
func member(t *testing.T, e *engine.Engine, id node.ID, answer func(int, arrival) int) (*Sender, *scripted, *receiver) {
	t.Helper()
	in := receive(t, answer)
	r := &scripted{id: id}
	app := newApp("1", apps.Webhook{ID: "main", URL: in.url, Events: everything})
	return start(t, Config{Apps: registry(t, app), Engine: e, Roster: r, Clustered: true}), r, in
}

// onMember runs a test on a bench that is the node A of a cluster.
func onMember(t *testing.T, cfg Config, test func(*bench, *scripted)) {
	t.Helper()
	r := &scripted{id: nodeA}
	cfg.Roster, cfg.Clustered = r, true
	onBench(t, cfg, apps.Webhook{ID: "main"}, func(b *bench) { test(b, r) })
}

// leave puts records of one event each into the queue of another node.
func (b *bench) leave(of node.ID, list ...roster.Decision) {
	b.Helper()
	for _, d := range list {
		e := newEvent(newsOf(d), time.Now())
		e.ID = queue.EventID{Origin: d.ID.Log, Number: d.ID.Number}
		rec := &queue.Record{ID: fmt.Sprint(of, d.ID), Events: []queue.Event{e}, Bytes: e.Size()}
		if _, err := b.memory.Publish(queue.Owner(of), queue.Address{App: "1", Endpoint: "main"}, rec); err != nil {
			b.Fatal(err)
		}
	}
}

func hookTo(url string) apps.Webhook {
	return apps.Webhook{ID: "main", URL: url, Events: everything}
}
