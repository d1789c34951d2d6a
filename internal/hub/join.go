package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// joined is what a new subscriber is told, in this order.
type joined struct {
	succeeded *frame.Frame
	cached    *frame.Frame // cache kinds: the cached event or a cache miss
	shared    uint64       // when peers were told what is held here
}

// join subscribes s, which is known to be allowed to. Member is nil but on
// presence channels. With ask the session gets nothing before [tenant.resume]. It
// runs on the session's loop.
func (t *tenant) join(s *Session, name string, kind protocol.Kind, member *protocol.Member, ask *resumption) (*subscription, joined, *refusal) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.openLocked(name, kind)
	var j joined
	sub := &subscription{channel: ch}
	first, changed := false, false
	if member != nil {
		added, here, other, ok := ch.presence.Add(*member, t.app().Limits.PresenceMembers)
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
	if ask != nil {
		t.suspendLocked(sub, ask)
	}
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
	j.shared = ch.shared
	if ask == nil {
		j.succeeded = ch.succeededLocked()
	}
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
	ch.history.abandon(sub)
	ch.removeLocked(&sub.seat)
	linger := t.hub.lingering()
	if ch.presence != nil {
		removed, last := ch.presence.Remove(sub.userID, linger)
		if removed {
			t.memberRemovedLocked(ch, sub.userID)
		}
		if last {
			t.shareMemberLocked(ch, protocol.Member{UserID: sub.userID}, false)
			t.tellLocked(News{Kind: apps.MemberRemoved, Channel: ch.name, UserID: sub.userID})
		}
	}
	if ch.size == 0 {
		ch.elsewhere.Linger(linger)
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
		return protocol.AppendPresenceSucceeded(b, ch.name, ch.presence.All(), ch.presence.Len())
	})
}
