// Package brokertest holds implementations of [broker.Broker] to their
// contract.
package brokertest

import (
	"context"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
)

// A Network is what the brokers under test are joined by.
type Network interface {
	// Join returns the broker of a new incarnation of the node of that name.
	Join(t testing.TB, name string) broker.Broker
	// Cut lets nothing through between two nodes until they are healed.
	Cut(t testing.TB, a, b string)
	Heal(t testing.TB, a, b string)
	// MaxPending is how many bytes may wait for a peer. It is less than 8 MiB.
	MaxPending() int
	// MaxMessage is a size that no message can have. It is less than 16 MiB.
	MaxMessage() int
	// Lease is that of the brokers.
	Lease() time.Duration
}

// Run tests the brokers of networks. Each test calls around, which makes a
// network of its own and calls the function with it; it may do so in a bubble
// of testing/synctest.
func Run(t *testing.T, around func(*testing.T, func(*testing.T, Network))) {
	tests := map[string]func(*rig){
		"Order":                    testOrder,
		"OrderOfManySenders":       testOrderOfManySenders,
		"FieldsArrive":             testFieldsArrive,
		"Restart":                  testRestart,
		"Death":                    testDeath,
		"Leave":                    testLeave,
		"PartitionIsHealed":        testPartition,
		"ShortPartitionIsNoLoss":   testShortPartition,
		"FullOutboxIsALoss":        testFullOutbox,
		"SizesOfMessages":          testSizes,
		"Room":                     testRoom,
		"RoomEndsWithThePeer":      testRoomEnds,
		"Sync":                     testSync,
		"SyncEndsWithThePeer":      testSyncEnds,
		"NoCallsAfterClose":        testNoCallsAfterClose,
		"CloseWithoutStart":        testCloseWithoutStart,
		"LinksDieWithTheirOwnNode": testLinksDie,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			around(t, func(t *testing.T, n Network) {
				test(&rig{T: t, network: n})
			})
		})
	}
}

// A rig is a test and its network.
type rig struct {
	*testing.T
	network Network
}

// patience is for what comes sooner or later, on the slowest of machines.
const patience = 2 * time.Minute

// eventually waits for what has to come.
func (r *rig) eventually(what string, is func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("waited in vain until %s", what)
		}
	}
}

// join starts a new incarnation of a node and what receives for it.
func (r *rig) join(name string) *peer {
	r.Helper()
	p := &peer{rig: r, name: name, broker: r.network.Join(r, name), seen: map[string]*history{}}
	if err := p.broker.Start(p); err != nil {
		r.Fatalf("Start of %s: %v", name, err)
	}
	r.Cleanup(func() {
		p.resume()
		p.close()
	})
	return p
}

// joinAll starts nodes and waits until they know each other.
func (r *rig) joinAll(names ...string) []*peer {
	r.Helper()
	var peers []*peer
	for _, name := range names {
		peers = append(peers, r.join(name))
	}
	for _, p := range peers {
		for _, name := range names {
			if name != p.name {
				p.awaitLink(name)
			}
		}
	}
	return peers
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.Cleanup(cancel)
	return ctx
}
