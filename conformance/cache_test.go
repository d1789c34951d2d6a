package conformance

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// cacheChannels is statements 105 to 116 of the WebSocket checklist.
func cacheChannels() []statement {
	return []statement{
		{105, "cache_miss", testCacheMiss},
		{106, "cached_event", testCachedEvent},
		{107, "last_event_wins", testLastEventWins},
		{108, "every_cache_kind", testEveryCacheKind},
		{109, "cache_expires", testCacheExpires},
		{110, "cache_outlives_subscribers", testCacheOutlivesSubscribers},
		{111, "client_events_not_cached", testClientEventsNotCached},
		{112, "member_frames_not_cached", testMemberFramesNotCached},
		{113, "cached_again", testCachedAgain},
		{114, "no_gap_no_repeat", testNoGapNoRepeat},
		{115, "only_cache_kinds", testOnlyCacheKinds},
		{116, "refused_sees_no_cache", testRefusedSeesNoCache},
	}
}

func testCacheMiss(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("cache-x")
	c.subscribe(channel)
	c.expect("pusher:cache_miss", channel, "{}")
	c.open()
}

func testCachedEvent(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("cache-x")
	const data = `{"D": "<é>\/"}`
	a.publish(t, channel, "e", data)
	c.subscribe(channel)
	c.expect("e", channel, data)
	c.open()
}

func testLastEventWins(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("cache-x")
	a.publish(t, channel, "first", "1")
	a.publish(t, channel, "second", "2")
	c.subscribe(channel)
	c.expect("second", channel, "2")
	c.open()
}

func testEveryCacheKind(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	for _, kind := range []string{"private-cache-x", "private-encrypted-cache-x"} {
		hit, miss := unique(kind), unique(kind)
		a.publish(t, hit, "e", "D")
		c.subscribe(hit)
		c.expect("e", hit, "D")
		c.subscribe(miss)
		c.expect("pusher:cache_miss", miss, "{}")
	}
	hit, miss := unique("presence-cache-x"), unique("presence-cache-x")
	a.publish(t, hit, "e", "D")
	c.join(hit, `{"user_id":"1"}`).expectMembers(t, map[string]string{"1": "null"})
	c.expect("e", hit, "D")
	c.join(miss, `{"user_id":"1"}`)
	c.expect("pusher:cache_miss", miss, "{}")
	c.open()
}

func testCacheExpires(t *testing.T) {
	a := fixture(t, cacheOfASecond)
	channel := unique("cache-x")
	a.publish(t, channel, "e", "D")
	time.Sleep(2 * time.Second) // the statement's own clock
	c := a.connect(t)
	c.subscribe(channel)
	c.expect("pusher:cache_miss", channel, "{}")
	c.open()
}

func testCacheOutlivesSubscribers(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("cache-x")
	c1.subscribe(channel)
	c1.expect("pusher:cache_miss", channel, "{}")
	a.publish(t, channel, "e", "D")
	c1.expect("e", channel, "D")
	c1.hangUp()
	eventually(t, "the channel of a closed socket is vacated", func() bool { return !a.occupied(t, channel) })
	c2.subscribe(channel)
	c2.expect("e", channel, "D")
	c2.open()
}

func testClientEventsNotCached(t *testing.T) {
	a := fixture(t, clientEventsOn)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("private-cache-x")
	a.publish(t, channel, "e", "D")
	c1.subscribe(channel)
	c1.expect("e", channel, "D")
	c1.sendClientEvent("client-x", channel, `"C"`)
	c1.open()
	c2.subscribe(channel)
	c2.expect("e", channel, "D")
	c2.open()
}

func testMemberFramesNotCached(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, c3 := a.connect(t), a.connect(t), a.connect(t)
	channel := unique("presence-cache-x")
	a.publish(t, channel, "e", "D")
	c1.join(channel, `{"user_id":"1"}`)
	c1.expect("e", channel, "D")
	c2.join(channel, `{"user_id":"2"}`)
	c2.expect("e", channel, "D")
	c2.unsubscribe(channel)
	c2.open()
	c3.join(channel, `{"user_id":"3"}`)
	c3.expect("e", channel, "D")
	c3.open()
}

func testCachedAgain(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("cache-x")
	c.subscribe(channel)
	c.expect("pusher:cache_miss", channel, "{}")
	a.publish(t, channel, "e", "D")
	c.expect("e", channel, "D")
	c.unsubscribe(channel)
	c.subscribe(channel)
	c.expect("e", channel, "D")
	c.open()
}

// testNoGapNoRepeat subscribes while a publisher is at it. The publisher ends
// with the test's connections still reading, so it needs no other signal.
func testNoGapNoRepeat(t *testing.T) {
	const events, subscribers = 300, 10
	a := fixture(t, plain)
	channel := unique("cache-x")
	conns := make([]*conn, subscribers)
	for i := range conns {
		conns[i] = a.connect(t)
	}
	var sent atomic.Int64
	done := make(chan error, 1)
	go func() {
		for n := 1; n <= events; n++ {
			resp, err := a.post("/events", event1(channel, "n", strconv.Itoa(n))).send()
			if err != nil || resp.status != 200 {
				done <- err
				return
			}
			sent.Add(1)
		}
		done <- nil
	}()
	for i, c := range conns {
		want := int64((i + 1) * events / (subscribers + 2))
		eventually(t, "the publisher goes on", func() bool { return sent.Load() >= want })
		c.subscribe(channel)
	}
	if err := <-done; err != nil || sent.Load() != events {
		t.Fatalf("published %d events of %d: %v", sent.Load(), events, err)
	}
	for _, c := range conns {
		c.expectRun(channel, events)
	}
}

// expectRun requires events with the data n, n+1 … last, whatever n is.
func (c *conn) expectRun(channel string, last int) {
	c.t.Helper()
	want := 0
	for want <= last {
		m := c.next()
		n, err := strconv.Atoi(m.Data)
		if err != nil || m.Channel != channel || m.Event != "n" {
			c.t.Fatalf("next frame = %s, want an event of %s", m, channel)
		}
		if want == 0 {
			want = n
		}
		if n != want {
			c.t.Fatalf("event = %d, want %d: the run has a gap or a repeat", n, want)
		}
		want++
	}
	c.open()
}

func testOnlyCacheKinds(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	for _, kind := range []string{"news", "private-news", "my-cache-x", "cachet-x"} {
		channel := unique(kind)
		a.publish(t, channel, "e", "D")
		c.subscribe(channel)
		c.open()
	}
}

func testRefusedSeesNoCache(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("private-cache-x")
	c.refuse(channel, "wrong", nil)
	a.publish(t, channel, "e", "D")
	c.refuse(channel, "wrong", nil)
	c.nothing()
}
