package peers

import (
	"context"
	"testing"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A link swallows what is sent.
type link struct {
	broker.Link
	id node.ID
}

func (l link) ID() node.ID        { return l.id }
func (link) Send(*broker.Message) {}

// TestSilentPeer: a peer is silent from a suspicion on until it is heard or gone.
func TestSilentPeer(t *testing.T) {
	o := New(Config{Vacate: func(Set) {}})
	l := link{id: "b"}
	expect := func(when string, want bool) {
		t.Helper()
		if got := o.Silent(l); got != want {
			t.Errorf("%s: silent = %t, want %t", when, got, want)
		}
	}
	o.Suspected(l, true)
	expect("before it has joined", false)
	o.Joined(l)
	expect("after it has joined", false)
	o.Suspected(l, true)
	expect("suspected", true)
	o.Suspected(l, false)
	expect("heard again", false)
	o.Suspected(l, true)
	o.Left(l)
	expect("gone", false)
}

// TestResyncTakesTheOldAway: what a peer says again in a resync is held
// throughout, counted once, and what it does not say again is held no more.
func TestResyncTakesTheOldAway(t *testing.T) {
	var stays, goes Subscribers
	hold := map[string]*Subscribers{"stays": &stays, "goes": &goes}
	o := New(Config{
		Receive: func(_ node.ID, by Set, m *broker.Message) { hold[m.Name].Set(by, m.Count) },
		Vacate: func(by Set) {
			stays.Clear(by)
			goes.Clear(by)
		},
		Resync: func(context.Context, broker.Link) bool { return true },
		Share:  func() {},
	})
	l := link{id: "b"}
	say := func(kind broker.Kind, name string, n uint64) {
		o.Receive(l, &broker.Message{Kind: kind, Name: name, Count: n})
	}
	expect := func(when string, inStays, inGoes int) {
		t.Helper()
		if a, b := stays.Count(o.Present(stays.By())), goes.Count(o.Present(goes.By())); a != inStays || b != inGoes {
			t.Errorf("%s: %d and %d subscriptions, want %d and %d", when, a, b, inStays, inGoes)
		}
	}

	o.Joined(l)
	say(broker.Begin, "", 0)
	say(broker.Subscribers, "stays", 3)
	say(broker.Subscribers, "goes", 1)
	if o.Settled() {
		t.Error("settled before the end of the first resync")
	}
	say(broker.End, "", 0)
	expect("after the first", 3, 1)
	say(broker.Begin, "", 0)
	expect("before it has said anything again", 3, 1)
	say(broker.Subscribers, "stays", 4)
	expect("meanwhile", 4, 1)
	say(broker.End, "", 0)
	expect("after the second", 4, 0)
	if !o.Settled() || o.Resyncs.Load() != 2 || o.Len() != 1 {
		t.Errorf("settled: %t, resyncs: %d, peers: %d", o.Settled(), o.Resyncs.Load(), o.Len())
	}
	o.Left(l)
	expect("when the peer is gone", 0, 0)
	if !o.Alone() || goes.By() != 0 || stays.By() != 0 {
		t.Errorf("what is left: alone %t, %b, %b", o.Alone(), goes.By(), stays.By())
	}
}

// TestTooManyPeersAreRefused: each needs two bits at times.
func TestTooManyPeersAreRefused(t *testing.T) {
	o := New(Config{})
	for i := range maxPeers + 2 {
		o.Joined(link{id: node.ID(rune('a' + i))})
	}
	if o.Len() != maxPeers || o.Refused.Load() != 2 {
		t.Errorf("%d peers, %d refused, want %d and 2", o.Len(), o.Refused.Load(), maxPeers)
	}
}
