// Package broker is the contract between the hub of a node and what carries
// messages between nodes.
//
// A [Broker] knows who is there, brings [Message]s to them in order, and says
// when some were lost. It does not know what they mean: that is the hub's
// business, which repairs what was lost of its state, and counts what was lost
// of events. Nothing here waits for agreement, so all of it works while two
// nodes can talk to each other, whatever has become of the rest.
//
// mesh is the way that brokers speak to each other, over anything that carries
// packets: membroker carries them within a process, for tests; natsbroker
// between processes. brokertest holds both to this contract.
package broker

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// MaxPeers is how many peers a node has at most, those that have just died and
// are not given up yet included. More are refused.
const MaxPeers = 31

// A Broker joins a node to its peers. Its methods are safe for concurrent use.
type Broker interface {
	// Start makes the node known to others and begins to call r. It is called
	// once.
	Start(r Receiver) error
	// Leave tells the peers that this node has sent its clients elsewhere and
	// is about to end: they wait for the grace and not for the lease. Nothing
	// is sent after it.
	Leave(ctx context.Context)
	// Close ends the calls to the receiver, and returns when none is under
	// way. Without Leave before it, it is a death to the peers.
	Close(ctx context.Context) error
}

// SyncTimeout bounds how long [Link.Sync] waits.
const SyncTimeout = 250 * time.Millisecond

// A Link is the way to one incarnation of a peer. Its methods are safe for
// concurrent use.
type Link interface {
	ID() node.ID
	// Name is what operators call the node; it outlives incarnations.
	Name() string
	// Send puts m on its way behind all that was sent before. It never blocks
	// and does not keep m. The peer receives it, once, unless it is given up
	// before: a network that is cut for a while delays it. What finds no room,
	// or is for a peer that is gone, is not sent; the peer will hear that
	// something was lost, in its place.
	Send(m *Message)
	// Sync calls done, once and from any goroutine, when the peer has
	// received all that was sent to it before. It does not wait for what may
	// never come. done is called as well when the peer is gone or suspect,
	// and after SyncTimeout at the latest. It is called at once while an
	// earlier confirmation is overdue. Confirmations do not wait for the
	// next beat. done must not block.
	Sync(done func())
	// Room waits while much is on its way to the peer, and returns an error
	// when ctx ends or the peer is gone. Whoever sends a lot asks before.
	Room(ctx context.Context) error
}

// A Receiver hears of peers and from them. All calls come from one goroutine,
// one at a time. A receiver that takes long makes the senders' messages pile
// up, and finally get lost; it must not wait for its own node's sends.
type Receiver interface {
	// Joined says that a peer is there. Messages may come from now on.
	Joined(l Link)
	// Receive hands over a message of a peer that is there. It and its bytes
	// are the receiver's until it returns.
	Receive(l Link, m *Message)
	// Lost says that messages of this peer have not come and never will.
	// Later ones will.
	Lost(l Link)
	// Left says that a peer is gone: it has been silent for the lease and the
	// grace, or it has left and the grace is over. The link is dead. If it is
	// heard again, it joins again, with another Link.
	Left(l Link)
}

// A Suspecter is a [Receiver] that wants to know of suspicion as well. It is
// called like a Receiver, between Joined and Left of the link.
type Suspecter interface {
	// Suspected says that a peer has been silent for the lease, or, if silent is
	// false, that it is heard again after all. The link lives meanwhile, and
	// what is sent waits. Nobody else measures the silence of a peer.
	Suspected(l Link, silent bool)
}
