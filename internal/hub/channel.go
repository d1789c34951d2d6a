package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// A channel is what sessions of one node share about a channel. It exists
// while it has subscriptions or a cached event. The shard's lock guards it.
type channel struct {
	audience
	name     string
	kind     protocol.Kind
	presence *presence   // presence kinds only
	cached   *cached     // cache kinds only; nil when there is none
	count    *countLimit // while subscription counts are told
}

// A subscription is one session on one channel. The session's loop owns it.
type subscription struct {
	seat
	channel *channel
	userID  string // presence kinds: the verified member
}

// joined is what a new subscriber is told, in this order.
type joined struct {
	succeeded *frame.Frame
	cached    *frame.Frame // cache kinds: the cached event or a cache miss
}

// open returns the channel of that name, which it makes if need be. The
// shard's lock is held.
func (sh *shard) open(name string, kind protocol.Kind) *channel {
	ch := sh.channels[name]
	if ch == nil {
		if sh.channels == nil {
			sh.channels = make(map[string]*channel)
		}
		ch = &channel{name: name, kind: kind}
		if kind.Presence() {
			ch.presence = &presence{}
		}
		sh.channels[name] = ch
	}
	return ch
}

// release forgets the channel if nothing is left in it. The shard's lock is
// held.
func (sh *shard) release(ch *channel) {
	if ch.size == 0 && ch.cached == nil {
		ch.count.stop()
		delete(sh.channels, ch.name)
	}
}

// join subscribes s, which is known to be allowed to. Member is nil but on
// presence channels. It runs on the session's loop.
func (t *tenant) join(s *Session, name string, kind protocol.Kind, member *protocol.Member) (*subscription, joined, *refusal) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.open(name, kind)
	var j joined
	sub := &subscription{channel: ch}
	added := false
	if member != nil {
		var ok bool
		if added, ok = ch.presence.add(*member, t.app().Limits.PresenceMembers); !ok {
			sh.release(ch)
			return nil, j, refuseFull
		}
		if added {
			t.hub.deliver(&ch.audience, frame.Text(func(b []byte) []byte {
				return protocol.AppendMemberAdded(b, name, *member)
			}), protocol.SocketID{})
		}
		sub.userID = member.UserID
	}
	ch.add(&sub.seat, s)
	if ch.size == 1 {
		t.tell(News{Kind: ChannelOccupied, Channel: name})
	}
	if added {
		t.tell(News{Kind: MemberAdded, Channel: name, UserID: sub.userID})
	}
	j.succeeded = ch.succeeded()
	if kind.Cache() {
		var miss bool
		if j.cached, miss = ch.cachedFrame(time.Now()); miss {
			t.tell(News{Kind: CacheMiss, Channel: name})
		}
	}
	t.countChanged(sh, ch)
	return sub, j, nil
}

// leave ends a subscription. It runs on the session's loop.
func (t *tenant) leave(sub *subscription) {
	ch := sub.channel
	sh := t.shard(ch.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch.remove(&sub.seat)
	if ch.presence != nil && ch.presence.remove(sub.userID) {
		t.hub.deliver(&ch.audience, frame.Text(func(b []byte) []byte {
			return protocol.AppendMemberRemoved(b, ch.name, sub.userID)
		}), protocol.SocketID{})
		t.tell(News{Kind: MemberRemoved, Channel: ch.name, UserID: sub.userID})
	}
	if ch.size == 0 {
		t.tell(News{Kind: ChannelVacated, Channel: ch.name})
	}
	t.countChanged(sh, ch)
	sh.release(ch)
}

// succeeded is the answer to the newest subscriber. The shard's lock is held.
func (ch *channel) succeeded() *frame.Frame {
	if ch.presence == nil {
		return frame.Text(func(b []byte) []byte {
			return protocol.AppendSubscriptionSucceeded(b, ch.name)
		})
	}
	return frame.Text(func(b []byte) []byte {
		return protocol.AppendPresenceSucceeded(b, ch.name, ch.presence.all(), ch.presence.len())
	})
}
