package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// countLimit is when a channel was told its subscription count. The shard's
// lock guards it.
type countLimit struct {
	last  time.Time
	told  int         // how many there were then
	timer *time.Timer // set while a count is owed
	news  bool        // what is owed is news: it changed here, not only at a peer
}

func (c *countLimit) stop() {
	if c != nil && c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// countChangedLocked tells the channel's subscribers how many they are in the whole
// cluster, now or when the interval is over. Here says that the number has
// changed on this node, which makes it this node's news. The shard's lock is
// held.
func (t *tenant) countChangedLocked(sh *shard, ch *channel, here bool) {
	if !t.app().SubscriptionCount || ch.kind.Presence() {
		return
	}
	if ch.size == 0 {
		ch.count.stop()
		ch.count = nil
		if here { // there is nobody else here to tell
			t.tellLocked(News{Kind: apps.SubscriptionCount, Channel: ch.name, Subscriptions: t.subscriptionsLocked(ch)})
		}
		return
	}
	if ch.count == nil {
		ch.count = &countLimit{}
	}
	c := ch.count
	if !here && t.subscriptionsLocked(ch) == c.told {
		return
	}
	now := time.Now()
	due := c.last.Add(protocol.CountInterval)
	c.news = c.news || here
	switch {
	case t.subscriptionsLocked(ch) <= protocol.CountThrottleAbove || !now.Before(due):
		c.stop()
		t.tellCountLocked(ch, now)
	case c.timer == nil:
		var timer *time.Timer
		timer = time.AfterFunc(due.Sub(now), func() {
			sh.mu.Lock()
			defer sh.mu.Unlock()
			if c.timer == timer && ch.size > 0 { // not stopped when it had fired
				c.timer = nil
				t.tellCountLocked(ch, time.Now())
			}
		})
		c.timer = timer
	}
}

// tellCountLocked tells the subscribers here, and the observer if this node is
// to. The shard's lock is held.
func (t *tenant) tellCountLocked(ch *channel, now time.Time) {
	n := t.subscriptionsLocked(ch)
	t.hub.deliverInternalLocked(&ch.audience, protocol.EventSubscriptionCount, ch.kind, frame.Text(func(b []byte) []byte {
		return protocol.AppendSubscriptionCount(b, ch.name, n)
	}))
	if ch.count.news {
		t.tellLocked(News{Kind: apps.SubscriptionCount, Channel: ch.name, Subscriptions: n})
	}
	ch.count.last, ch.count.told, ch.count.news = now, n, false
}

// subscriptionsLocked is how many the channel has in the cluster. The shard's lock
// is held.
func (t *tenant) subscriptionsLocked(ch *channel) int {
	return ch.size + ch.elsewhere.Count(t.hub.peers.Present(ch.elsewhere.By()))
}

// stopTimers makes sure that no count is told any more.
func (t *tenant) stopTimers() {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for _, ch := range sh.channels {
			ch.count.stop()
		}
		sh.mu.Unlock()
	}
}
