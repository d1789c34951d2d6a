package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// countLimit is when a channel was told its subscription count. The shard's
// lock guards it.
type countLimit struct {
	last  time.Time
	timer *time.Timer // set while a count is owed
}

func (c *countLimit) stop() {
	if c != nil && c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// countChanged tells the channel's subscribers how many they are, now or when
// the interval is over. The shard's lock is held.
func (t *tenant) countChanged(sh *shard, ch *channel) {
	if !t.app().SubscriptionCount || ch.kind.Presence() {
		return
	}
	if ch.size == 0 {
		ch.count.stop()
		t.tell(News{Kind: SubscriptionCount, Channel: ch.name}) // there is nobody else to tell
		return
	}
	if ch.count == nil {
		ch.count = &countLimit{}
	}
	c := ch.count
	now := time.Now()
	due := c.last.Add(protocol.CountInterval)
	switch {
	case ch.size <= protocol.CountThrottleAbove || !now.Before(due):
		c.stop()
		c.last = now
		t.tellCount(ch)
	case c.timer == nil:
		var timer *time.Timer
		timer = time.AfterFunc(due.Sub(now), func() {
			sh.mu.Lock()
			defer sh.mu.Unlock()
			if c.timer == timer && ch.size > 0 { // not stopped when it had fired
				c.timer, c.last = nil, time.Now()
				t.tellCount(ch)
			}
		})
		c.timer = timer
	}
}

func (t *tenant) tellCount(ch *channel) {
	t.hub.deliver(&ch.audience, frame.Text(func(b []byte) []byte {
		return protocol.AppendSubscriptionCount(b, ch.name, ch.size)
	}), protocol.SocketID{})
	t.tell(News{Kind: SubscriptionCount, Channel: ch.name, Subscriptions: ch.size})
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
