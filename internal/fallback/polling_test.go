package fallback_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func polling() []statement {
	return []statement{
		{41, "a_poll_ends_with_a_line", testPollEndsWithALine},
		{42, "a_poll_is_held_until_the_heartbeat", testPollIsHeld},
		{43, "messages_between_polls", testBetweenPolls},
		{44, "one_poll_per_heartbeat", testOnePollPerHeartbeat},
		{45, "1000_messages_in_a_burst", testPollingBurst},
	}
}

func testPollEndsWithALine(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.polling(session, "news")
		for i := range 5 {
			go func() {
				time.Sleep(time.Second)
				n.trigger("news", "e", fmt.Sprint(i))
			}()
			answer := n.poll(session)
			if !strings.HasPrefix(answer, "a[") || !strings.HasSuffix(answer, "]\n") {
				t.Errorf("poll = %q, want a whole line", answer)
			}
		}
	})
}

func testPollIsHeld(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		n.polling(appPath("1") + "/1/aaaaaaaa")
		start := time.Now()
		if answer := n.poll(appPath("1") + "/1/aaaaaaaa"); answer != "h\n" {
			t.Errorf("poll = %q, want a heartbeat", answer)
		}
		if took := time.Since(start); took < 15*time.Second || took > 25*time.Second {
			t.Errorf("poll took %v, want it held until the heartbeat", took)
		}
	})
}

func testBetweenPolls(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.polling(session, "news")
		for i := range 50 {
			n.trigger("news", "e", fmt.Sprint(i))
		}
		list := n.messages(n.poll(session))
		if len(list) != 50 {
			t.Fatalf("%d messages, want 50", len(list))
		}
		for i, m := range list {
			if got := n.decode(m).text(); got != fmt.Sprint(i) {
				t.Errorf("message %d is %q", i, got)
			}
		}
	})
}

func testOnePollPerHeartbeat(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.polling(appPath("1") + "/1/aaaaaaaa")
		polls := 0
		for start := time.Now(); time.Since(start) < 10*time.Minute; polls++ {
			if answer := n.poll(appPath("1") + "/1/aaaaaaaa"); answer != "h\n" {
				t.Fatalf("poll = %q", answer)
			}
		}
		if polls > 31 {
			t.Errorf("%d polls in ten minutes, want one in 20 s", polls)
		}
		if c := n.connections(); c != 1 {
			t.Errorf("%d connections, want the one", c)
		}
	})
}

func testPollingBurst(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.polling(session, "news")
		got := 0
		for range 2 {
			for i := range 500 {
				n.trigger("news", "e", fmt.Sprintf("%d %s", got+i, strings.Repeat("x", 1000)))
			}
			for want := got + 500; got < want; {
				for _, m := range n.messages(n.poll(session)) {
					if text := n.decode(m).text(); !strings.HasPrefix(text, fmt.Sprintf("%d ", got)) {
						t.Fatalf("message %d is %.20q", got, text)
					}
					got++
				}
			}
		}
		if got != 1000 {
			t.Errorf("%d messages, want 1000", got)
		}
	})
}
