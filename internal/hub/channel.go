package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
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
	elsewhere elsewhere
	shared    uint64      // when peers were told of something that is held here; see fence
	presence  *presence   // presence kinds only
	cached    *cached     // cache kinds only; nil when there is none
	count     *countLimit // while subscription counts are told
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
	shared    uint64       // when peers were told what is held here
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
		ch.last = sh.order
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
	if ch.size == 0 && ch.cached == nil && ch.elsewhere.by == 0 && (ch.presence == nil || ch.presence.len() == 0) {
		ch.count.stop()
		sh.order = max(sh.order, ch.last)
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
	first, changed := false, false
	if member != nil {
		added, here, other, ok := ch.presence.add(*member, t.app().Limits.PresenceMembers)
		if !ok {
			sh.release(ch)
			return nil, j, refuseFull
		}
		if added {
			t.memberAdded(ch, *member)
		}
		first, changed = here, other
		sub.userID = member.UserID
	}
	ch.add(&sub.seat, s)
	t.traceSubscribedLocked(sub)
	t.shareSubscribers(ch)
	if ch.size == 1 {
		t.tell(News{Kind: apps.ChannelOccupied, Channel: name})
	}
	if first || changed {
		t.shareMember(ch, *member, true)
	}
	if first {
		t.tell(News{Kind: apps.MemberAdded, Channel: name, UserID: sub.userID})
	}
	j.succeeded, j.shared = ch.succeeded(), ch.shared
	if kind.Cache() {
		var miss bool
		if j.cached, miss = ch.cachedFrame(time.Now()); miss {
			t.tell(News{Kind: apps.CacheMiss, Channel: name})
		}
	}
	t.countChanged(sh, ch, true)
	return sub, j, nil
}

// leave ends a subscription, and returns when peers were told what is held
// here. It runs on the session's loop.
func (t *tenant) leave(sub *subscription) (shared uint64) {
	ch := sub.channel
	sh := t.shard(ch.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t.traceUnsubscribedLocked(sub)
	ch.remove(&sub.seat)
	linger := t.hub.lingering()
	if ch.presence != nil {
		removed, last := ch.presence.remove(sub.userID, linger)
		if removed {
			t.memberRemoved(ch, sub.userID)
		}
		if last {
			t.shareMember(ch, protocol.Member{UserID: sub.userID}, false)
			t.tell(News{Kind: apps.MemberRemoved, Channel: ch.name, UserID: sub.userID})
		}
	}
	if ch.size == 0 {
		ch.elsewhere.by |= linger
		t.tell(News{Kind: apps.ChannelVacated, Channel: ch.name})
	}
	t.shareSubscribers(ch)
	t.countChanged(sh, ch, true)
	sh.release(ch)
	return ch.shared
}

// memberAdded tells the subscribers here of a member who was not there before.
// The shard's lock is held.
func (t *tenant) memberAdded(ch *channel, m protocol.Member) {
	t.hub.deliver(&ch.audience, frame.Text(func(b []byte) []byte {
		return protocol.AppendMemberAdded(b, ch.name, m)
	}))
}

// memberRemoved is the opposite of memberAdded.
func (t *tenant) memberRemoved(ch *channel, userID string) {
	t.hub.deliver(&ch.audience, frame.Text(func(b []byte) []byte {
		return protocol.AppendMemberRemoved(b, ch.name, userID)
	}))
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
