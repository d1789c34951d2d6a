package conformance

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// liveness is statements 48 to 55 of the WebSocket checklist. Those of the
// impatient app wait for its clock: a Ping after 2 s, the end 1 s later.
func liveness() []statement {
	return []statement{
		{48, "pongs_keep_open", testPongsKeepOpen},
		{49, "pong_missing", testPongMissing},
		{50, "activity_keeps_open", testActivityKeepsOpen},
		{51, "outbound_is_not_activity", testOutboundIsNotActivity},
		{52, "activity_timeout_told", testActivityTimeoutTold},
		{53, "member_removed_after_4201", testMemberRemovedAfter4201},
		{54, "graceful_shutdown", testGracefulShutdown},
		{55, "slow_reader", testSlowReader},
	}
}

// longIdle is how long an impatient connection must survive when it behaves.
const longIdle = 10 * time.Second

func testPongsKeepOpen(t *testing.T) {
	c := fixture(t, impatient).connect(t)
	c.quietFor(longIdle) // answers control Pings while it reads
	if c.pings < 1 || c.pings > 5 {
		t.Errorf("control Pings in %v = %d, want one for every 2 to 7 s of silence", longIdle, c.pings)
	}
	c.open()
}

func testPongMissing(t *testing.T) {
	c := fixture(t, impatient).connect(t)
	c.deaf = true
	start := time.Now()
	c.ended(4201)
	if c.pings == 0 {
		t.Error("closed 4201 without a control Ping before it")
	}
	// The statement says 3 s to 5 s; the margins are for a busy machine.
	if got := time.Since(start); got < 2900*time.Millisecond || got > 8*time.Second {
		t.Errorf("closed 4201 after %v of silence, want 3 s to 5 s", got)
	}
}

func testActivityKeepsOpen(t *testing.T) {
	c := fixture(t, impatient).connect(t)
	c.deaf = true
	for start := time.Now(); time.Since(start) < longIdle; {
		c.open()
		c.quietFor(time.Second)
	}
	c.open()
	if c.pings > 2 { // none but for a machine that stood still
		t.Errorf("control Pings in %v = %d, want none: there was no silence of 2 s", longIdle, c.pings)
	}
}

func testOutboundIsNotActivity(t *testing.T) {
	a := fixture(t, impatient)
	c := a.connect(t)
	c.deaf = true
	channel := unique("news")
	c.subscribe(channel)
	const enough = 40 // half a second each
	for range enough {
		a.publish(t, channel, "e", "{}")
		for next := time.Now().Add(500 * time.Millisecond); ; {
			m, err := c.read(time.Until(next))
			if errors.Is(err, errSilence) {
				break
			}
			if err != nil {
				t.Fatalf("next frame: %v, want events and then error 4201", err)
			}
			if m.Event == "e" {
				continue
			}
			if _, err := m.errorText(4201); err != nil {
				t.Fatalf("next frame = %s, want error 4201: %v", m, err)
			}
			c.expectClose(4201)
			return
		}
	}
	t.Errorf("still open after %d events to a silent client, want closed 4201", enough)
}

func testActivityTimeoutTold(t *testing.T) {
	c := fixture(t, timeoutOf30).dial(t, dialing{})
	if got := c.established(); got != 30 {
		t.Errorf("activity_timeout = %d, want 30", got)
	}
}

func testMemberRemovedAfter4201(t *testing.T) {
	a := fixture(t, impatient)
	channel := unique("presence-r")
	c1, c2 := a.connect(t), a.connect(t)
	c1.join(channel, `{"user_id":"1"}`)
	c2.join(channel, `{"user_id":"2"}`)
	c1.expect("pusher_internal:member_added", channel, `{"user_id":"2"}`)
	c1.expect("pusher_internal:member_removed", channel, `{"user_id":"2"}`) // c2 is not read from
	c1.open()
	c2.deaf = true
	c2.ended(4201)
}

func testGracefulShutdown(t *testing.T) {
	s := target.private(t, draining)
	a := s.app(draining)
	var conns []*conn
	for range 3 {
		conns = append(conns, a.connect(t))
	}
	if err := s.terminate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		c.ended(4200)
	}
	if err := s.awaitExit(); err != nil {
		t.Error(err)
	}
}

func testSlowReader(t *testing.T) {
	a := fixture(t, plain)
	overrun(t, a, a.connect(t))
}

// overrun publishes until the server has given up the connection, which is
// not read meanwhile. What the kernels buffer comes before the server's own
// limit.
func overrun(t *testing.T, a *app, slow *conn) {
	t.Helper()
	const most = 5000 // 50 MB
	quick := a.connect(t)
	shared, own := unique("news"), unique("own")
	slow.subscribe(shared)
	slow.subscribe(own)
	quick.subscribe(shared)
	data := strings.Repeat("x", 10_000)
	published := 0
	for ; published < most; published++ {
		a.publish(t, shared, "e", data)
		quick.expect("e", shared, data)
		if published%10 == 0 && !a.occupied(t, own) {
			break
		}
	}
	if published == most {
		t.Fatalf("the slow reader is still subscribed after %d events of 10 kB", most)
	}
	m, err := slow.read(patience)
	for err == nil && m.Event == "e" {
		m, err = slow.read(patience)
	}
	if err != nil {
		t.Fatalf("the slow reader found %v, want error 4100 and closed 4100", err)
	}
	if _, err := m.errorText(4100); err != nil {
		t.Fatalf("next frame = %s, want error 4100: %v", m, err)
	}
	slow.expectClose(4100)
	quick.open()
}
