package conformance

import (
	"fmt"
	"net/http"
	"strconv"
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

// testNoGapNoRepeat subscribes while a publisher is at it, not only once: each
// subscription is a chance to see an event twice or not at all.
func testNoGapNoRepeat(t *testing.T) {
	const events, subscribers = 1000, 4
	a := fixture(t, plain)
	channel := unique("cache-x")
	runs := make([]run, subscribers)
	for i := range runs {
		runs[i] = run{conn: a.connect(t), channel: channel}
	}
	published := make(chan error, 1)
	go func() { published <- a.publishNumbers(channel, events) }()
	for running := true; running; {
		select {
		case err := <-published:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		for i := range runs {
			runs[i].again()
		}
	}
	for i := range runs {
		runs[i].finish(events)
	}
}

// publishNumbers triggers n events with the data 1 to n, as fast as they are
// accepted one after the other.
func (a *app) publishNumbers(channel string, n int) error {
	for i := 1; i <= n; i++ {
		resp, err := a.post("/events", event1(channel, "n", strconv.Itoa(i))).send()
		if err != nil {
			return err
		}
		if resp.status != http.StatusOK {
			return fmt.Errorf("%s = %d %q, want 200", resp.request, resp.status, resp.body)
		}
	}
	return nil
}

// A run is what one connection sees of numbered events on a cache channel.
type run struct {
	*conn
	channel    string
	subscribed bool
	fresh      bool // subscribed, and no event since
	last       int  // the last event seen
}

// again subscribes anew, and checks what came since the last time.
func (r *run) again() {
	r.t.Helper()
	if r.subscribed {
		r.unsubscribe(r.channel)
	}
	r.subscribed = true
	r.sendSubscribe(r.channel, nil, nil)
	for _, m := range r.drain() {
		r.take(m)
	}
}

// finish waits for the last event, and no more.
func (r *run) finish(last int) {
	r.t.Helper()
	for _, m := range r.collect() {
		r.take(m)
	}
	if r.last != last {
		r.t.Errorf("the last event seen is %d, want %d", r.last, last)
	}
}

// take checks one frame: a run begins with the cached event, which is not
// older than what was seen before, and goes on without a gap or a repeat.
func (r *run) take(m message) {
	r.t.Helper()
	n, err := strconv.Atoi(m.Data)
	switch {
	case m.Event == "pusher_internal:subscription_succeeded":
		r.fresh = true
	case m.Event == "pusher:cache_miss" && r.fresh && r.last == 0:
		r.fresh = false
	case m.Event != "n" || m.Channel != r.channel || err != nil:
		r.t.Fatalf("frame = %s, want an event of %s", m, r.channel)
	case r.fresh && n < r.last:
		r.t.Fatalf("cached event = %d, but %d was seen before", n, r.last)
	case !r.fresh && n != r.last+1:
		r.t.Fatalf("event = %d after %d: the run has a gap or a repeat", n, r.last)
	default:
		r.fresh, r.last = false, n
	}
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
