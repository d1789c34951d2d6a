package hub

import (
	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/protocol"
)

// A channel is what is known on one node about a channel: its audience is the
// subscribers here. It exists while somebody in the cluster is subscribed, and
// while it has a cached event. The shard's lock guards it.
type channel struct {
	audience
	name      string
	kind      protocol.Kind
	coarse    bool // peers are still to be told how many are subscribed here
	elsewhere peers.Subscribers
	shared    uint64         // when peers were told of something that is held here; see barrier
	presence  *peers.Members // presence kinds only
	cached    *cached        // cache kinds only; nil when there is none
	count     *countLimit    // while subscription counts are told
	history   *remembered    // nil while the channel has none
}

// A subscription is one session on one channel. The session's loop owns it.
type subscription struct {
	seat
	channel *channel
	userID  string // presence kinds: the verified member
}

// Key is the channel's name: see [keyed.Set].
func (sub *subscription) Key() string { return sub.channel.name }

// openLocked returns the channel of that name, which it makes if need be. The
// shard's lock is held.
func (sh *shard) openLocked(name string, kind protocol.Kind) *channel {
	ch := sh.channels[name]
	if ch == nil {
		if sh.channels == nil {
			sh.channels = make(map[string]*channel)
		}
		ch = &channel{name: name, kind: kind}
		ch.last = sh.order
		if kind.Presence() {
			ch.presence = &peers.Members{}
		}
		sh.channels[name] = ch
	}
	return ch
}

// releaseLocked forgets the channel if nothing is left in it. The shard's lock is
// held.
func (sh *shard) releaseLocked(ch *channel) {
	if !ch.usedLocked() && ch.history == nil {
		ch.count.stop()
		sh.order = max(sh.order, ch.last)
		delete(sh.channels, ch.name)
	}
}

// usedLocked reports whether there is anything in the channel but its history. The
// shard's lock is held.
func (ch *channel) usedLocked() bool {
	return ch.size > 0 || ch.cached != nil || ch.elsewhere.By() != 0 || ch.presence != nil && ch.presence.Len() > 0
}
