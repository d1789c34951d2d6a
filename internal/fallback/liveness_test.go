package fallback_test

import (
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

func liveness() []statement {
	return []statement{
		{55, "a_line_every_25_seconds", testHeartbeats},
		{56, "an_idle_channel_never_reconnects", testIdleClient},
		{57, "a_silent_client_is_dropped", testSilentClient},
		{58, "pusher_ping", testPusherPing},
	}
}

func testHeartbeats(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		last := time.Now()
		for range 30 {
			if l := s.next(); l == "h" {
				n.send(session)
				s.expect("a[]")
			}
			if silence := time.Since(last); silence > 25*time.Second {
				t.Errorf("nothing for %v", silence)
			}
			last = time.Now()
		}
	})
	run(t, setup{}, func(n *node) {
		n.polling(appPath("1") + "/2/aaaaaaaa")
		for range 10 {
			start := time.Now()
			n.poll(appPath("1") + "/2/aaaaaaaa")
			if took := time.Since(start); took > 25*time.Second {
				t.Errorf("poll took %v", took)
			}
		}
	})
}

// testIdleClient: a client that hears nothing for its activity timeout sends
// [], and reconnects if there is no line within its pong timeout.
func testIdleClient(t *testing.T) {
	const activity, pong = 30 * time.Second, 30 * time.Second
	run(t, setup{app: func(a *apps.App) { a.ActivityTimeout = activity }}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session, "news")
		checks := 0
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
			l, err := s.within(activity)
			if err != nil {
				checks++
				n.send(session)
				if l, err = s.within(pong); err != nil {
					t.Fatalf("no line after an activity check: %v", err)
				}
			}
			if strings.TrimSpace(l) == "h" {
				n.send(session)
			}
		}
		if checks > 0 {
			t.Errorf("%d activity checks, want none: heartbeats come sooner", checks)
		}
	})
}

func testSilentClient(t *testing.T) {
	for _, busy := range []bool{false, true} {
		bothVersions(t, setup{}, func(n *node) {
			session := appPath("1") + "/1/aaaaaaaa"
			s := n.connected(session, "news")
			start, asked := time.Now(), 0
			if busy {
				go func() {
					for range 200 {
						time.Sleep(time.Second)
						n.trigger("news", "e", "")
					}
				}()
			}
			for {
				l := s.next()
				if l == "h" {
					asked++
				}
				if strings.HasPrefix(l, "c[4201,") {
					break
				}
			}
			if took := time.Since(start); asked < 2 || took < 80*time.Second || took > 120*time.Second {
				t.Errorf("dropped after %v and %d questions, want two", took, asked)
			}
			s.ended()
			if c := n.connections(); c != 0 {
				t.Errorf("%d connections are left", c)
			}
			time.Sleep(200 * time.Second) // for the publisher
		})
	}
}

func testPusherPing(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		n.send(session, `{"event":"pusher:ping","data":{}}`)
		if m := s.event("pusher:pong"); m.text() != "{}" {
			t.Errorf("pong %+v", m)
		}
	})
}
