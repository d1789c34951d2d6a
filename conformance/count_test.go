package conformance

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// subscriptionCounts is statements 117 to 121 of the WebSocket checklist.
func subscriptionCounts() []statement {
	return []statement{
		{117, "count_after_subscribe", testCountAfterSubscribe},
		{118, "count_after_unsubscribe", testCountAfterUnsubscribe},
		{119, "no_count_on_presence", testNoCountOnPresence},
		{120, "switched_off", testCountSwitchedOff},
		{121, "count_is_throttled", testCountIsThrottled},
	}
}

func (c *conn) expectCount(channel string, n int) {
	c.t.Helper()
	c.expect("pusher_internal:subscription_count", channel, fmt.Sprintf(`{"subscription_count":%d}`, n))
}

func testCountAfterSubscribe(t *testing.T) {
	a := fixture(t, countsOn)
	c1, c2 := a.connect(t), a.connect(t)
	for _, kind := range []string{"news", "private-news", "private-encrypted-news", "cache-news"} {
		channel := unique(kind)
		a.publish(t, channel, "e", "D")
		for i, c := range []*conn{c1, c2} {
			c.subscribe(channel)
			if kind == "cache-news" {
				c.expect("e", channel, "D")
			}
			c.expectCount(channel, i+1)
		}
		c1.expectCount(channel, 2)
		c1.nothing()
		c2.nothing()
	}
	t.Run("java", func(t *testing.T) { testJavaClient(t, a) })
}

// testJavaClient is a client that takes every event of an encrypted channel for
// ciphertext, and fails (docs/protocol.md, "What clients cannot take").
func testJavaClient(t *testing.T, a *app) {
	c := a.connectWith(t, dialing{query: "client=java-client&protocol=5&version=2.4.4"})
	c.subscribe(unique("private-encrypted-news"))
	c.nothing()
	c.sendSubscribe(unique("private-encrypted-news"), "nothing", nil)
	c.expectError(null)
	c.nothing()
	channel := unique("private-news")
	c.subscribe(channel)
	c.expectCount(channel, 1)
}

func testCountAfterUnsubscribe(t *testing.T) {
	a := fixture(t, countsOn)
	c1, c2, c3 := a.connect(t), a.connect(t), a.connect(t)
	channel := unique("news")
	for i, c := range []*conn{c1, c2, c3} {
		c.subscribe(channel)
		c.expectCount(channel, i+1)
	}
	c1.expectCount(channel, 2)
	c1.expectCount(channel, 3)
	c2.expectCount(channel, 3)
	c3.hangUp()
	c1.expectCount(channel, 2)
	c2.expectCount(channel, 2)
	c2.unsubscribe(channel)
	c1.expectCount(channel, 1)
	c2.open()
	c2.nothing()
	c1.nothing()
}

func testNoCountOnPresence(t *testing.T) {
	a := fixture(t, countsOn)
	c1, c2 := a.connect(t), a.connect(t)
	for _, kind := range []string{"presence-r", "presence-cache-r"} {
		channel := unique(kind)
		a.publish(t, channel, "e", "D")
		for i, c := range []*conn{c1, c2} {
			c.join(channel, fmt.Sprintf(`{"user_id":"%d"}`, i))
			if kind == "presence-cache-r" {
				c.expect("e", channel, "D")
			}
		}
		c1.expect("pusher_internal:member_added", channel, `{"user_id":"1"}`)
		c2.unsubscribe(channel)
		c1.expect("pusher_internal:member_removed", channel, `{"user_id":"1"}`)
		c2.open()
		c1.nothing()
		c2.nothing()
	}
}

func testCountSwitchedOff(t *testing.T) {
	a := plainWithout(t, countsOn)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("news")
	c1.subscribe(channel)
	c2.subscribe(channel)
	c2.unsubscribe(channel)
	c2.open()
	c1.nothing()
	c2.nothing()
}

// testCountIsThrottled looks at the frames above a hundred subscribers: the
// numbers below are not throttled.
func testCountIsThrottled(t *testing.T) {
	const before, all = 101, 121
	a := fixture(t, countsOn)
	channel := unique("news")
	early := a.connect(t)
	early.subscribe(channel)
	conns := make([]*conn, all-1)
	for i := range conns {
		conns[i] = a.connect(t)
	}
	for _, c := range conns[:before-1] {
		c.subscribe(channel)
	}
	for _, c := range conns[before-1:] {
		c.sendSubscribe(channel, nil, nil)
	}
	start := time.Now()
	var last time.Time
	for n := 0; n != all; {
		m := early.next()
		var data struct {
			Count int `json:"subscription_count"`
		}
		if err := json.Unmarshal([]byte(m.Data), &data); err != nil || m.Event != "pusher_internal:subscription_count" {
			t.Fatalf("next frame = %s, want pusher_internal:subscription_count (%v)", m, err)
		}
		if n = data.Count; n < before {
			continue
		}
		// The margin is for what the reader loses, not for the server.
		if gap := time.Since(last); !last.IsZero() && gap < 4500*time.Millisecond {
			t.Errorf("count %d came %v after the one before it, want at least 5 s between them", n, gap)
		}
		last = time.Now()
	}
	if got := time.Since(start); got > 6*time.Second+patience/3 {
		t.Errorf("count %d came %v after the last subscribe, want within 6 s", all, got)
	}
	early.quietFor(100 * time.Millisecond)
}
