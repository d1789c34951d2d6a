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
			ch.presence = &presence{}
		}
		sh.channels[name] = ch
	}
	return ch
}

// releaseLocked forgets the channel if nothing is left in it. The shard's lock is
// held.
func (sh *shard) releaseLocked(ch *channel) {
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
	ch := sh.openLocked(name, kind)
	var j joined
	sub := &subscription{channel: ch}
	first, changed := false, false
	if member != nil {
		added, here, other, ok := ch.presence.add(*member, t.app().Limits.PresenceMembers)
		if !ok {
			sh.releaseLocked(ch)
			return nil, j, refuseFull
		}
		if added {
			t.memberAddedLocked(ch, *member)
		}
		first, changed = here, other
		sub.userID = member.UserID
	}
	ch.addLocked(&sub.seat, s)
	t.traceSubscribedLocked(sub)
	t.shareSubscribersLocked(ch)
	if ch.size == 1 {
		t.tellLocked(News{Kind: apps.ChannelOccupied, Channel: name})
	}
	if first || changed {
		t.shareMemberLocked(ch, *member, true)
	}
	if first {
		t.tellLocked(News{Kind: apps.MemberAdded, Channel: name, UserID: sub.userID})
	}
	j.succeeded, j.shared = ch.succeededLocked(), ch.shared
	if kind.Cache() {
		var miss bool
		if j.cached, miss = ch.cachedFrameLocked(time.Now()); miss {
			t.tellLocked(News{Kind: apps.CacheMiss, Channel: name})
		}
	}
	t.countChangedLocked(sh, ch, true)
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
	ch.removeLocked(&sub.seat)
	linger := t.hub.lingering()
	if ch.presence != nil {
		removed, last := ch.presence.remove(sub.userID, linger)
		if removed {
			t.memberRemovedLocked(ch, sub.userID)
		}
		if last {
			t.shareMemberLocked(ch, protocol.Member{UserID: sub.userID}, false)
			t.tellLocked(News{Kind: apps.MemberRemoved, Channel: ch.name, UserID: sub.userID})
		}
	}
	if ch.size == 0 {
		ch.elsewhere.by |= linger
		t.tellLocked(News{Kind: apps.ChannelVacated, Channel: ch.name})
	}
	t.shareSubscribersLocked(ch)
	t.countChangedLocked(sh, ch, true)
	sh.releaseLocked(ch)
	return ch.shared
}

// memberAddedLocked tells the subscribers here of a member who was not there before.
// The shard's lock is held.
func (t *tenant) memberAddedLocked(ch *channel, m protocol.Member) {
	t.hub.deliverLocked(&ch.audience, frame.Text(func(b []byte) []byte {
		return protocol.AppendMemberAdded(b, ch.name, m)
	}))
}

// memberRemovedLocked is the opposite of memberAddedLocked. The shard's lock is held.
func (t *tenant) memberRemovedLocked(ch *channel, userID string) {
	t.hub.deliverLocked(&ch.audience, frame.Text(func(b []byte) []byte {
		return protocol.AppendMemberRemoved(b, ch.name, userID)
	}))
}

// succeededLocked is the answer to the newest subscriber. The shard's lock is held.
func (ch *channel) succeededLocked() *frame.Frame {
	if ch.presence == nil {
		return frame.Text(func(b []byte) []byte {
			return protocol.AppendSubscriptionSucceeded(b, ch.name)
		})
	}
	return frame.Text(func(b []byte) []byte {
		return protocol.AppendPresenceSucceeded(b, ch.name, ch.presence.all(), ch.presence.len())
	})
}
