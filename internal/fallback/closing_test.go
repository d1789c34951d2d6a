package fallback_test

import (
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

func closing() []statement {
	return []statement{
		{69, "close_on_a_live_stream", testCloseOnStream},
		{70, "codes_of_all_kinds", testCodes},
		{71, "close_between_polls", testCloseBetweenPolls},
		{72, "nothing_follows_a_close", testNothingFollows},
		{73, "shutdown", testShutdown},
	}
}

// drain sends all clients away at a time from now.
func (n *node) drain(in time.Duration) {
	n.hub.Drain()
	at := time.Now().Add(in)
	n.loops.Each(func(s *loop.Socket) { s.Handler().Drain(at) })
}

func testCloseOnStream(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		s := n.connected(appPath("1")+"/1/aaaaaaaa", "news")
		n.drain(time.Second)
		s.expect(`c[4200,"Please reconnect immediately"]`)
		s.ended()
		if n.sockets() != 0 {
			t.Errorf("%d sessions are left", n.sockets())
		}
	})
}

func testCodes(t *testing.T) {
	run(t, setup{app: func(a *apps.App) { a.AuthorizedRequired = true }}, func(n *node) {
		s := n.stream(appPath("1") + "/1/aaaaaaaa")
		s.established()
		for {
			l := s.next()
			if l == `c[4009,"Connection not authorized within timeout."]` {
				break
			}
			if l != "a[]" {
				t.Fatalf("line %q", l)
			}
		}
		s.ended()
	})
	run(t, setup{}, func(n *node) {
		s := n.stream(appPath("1") + "/1/aaaaaaaa")
		user := `{"id":"ann"}`
		digest := protocol.Sign("secret1", protocol.UserText(s.established(), user))
		n.send(appPath("1")+"/1/aaaaaaaa", `{"event":"pusher:signin","data":{"auth":"key1:`+digest+`","user_data":"{\"id\":\"ann\"}"}}`)
		s.event("pusher:signin_success")
		n.hub.Terminate(n.apps[0], "ann")
		s.expect(`c[4009,"You got disconnected by the app."]`)
		s.ended()
	})
}

func testCloseBetweenPolls(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.polling(session, "news")
		n.trigger("news", "before", "")
		n.drain(0)
		time.Sleep(3 * time.Second)
		if c := n.connections(); c != 0 {
			t.Errorf("%d connections, want none", c)
		}
		if status, _ := n.post(session+"/xhr_send", "[]"); status != 404 {
			t.Errorf("send to a closed session = %d, want 404", status)
		}
		answer := n.poll(session)
		if !strings.HasPrefix(answer, "a[") || !strings.HasSuffix(answer, "]\nc[4200,\"Please reconnect immediately\"]\n") || !strings.Contains(answer, "before") {
			t.Errorf("poll = %q, want the message and then the close", answer)
		}
		if n.sockets() != 0 {
			t.Errorf("%d sessions are left", n.sockets())
		}
	})
}

func testNothingFollows(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		s := n.connected(appPath("1")+"/1/aaaaaaaa", "news")
		n.drain(0)
		for range 10 {
			n.trigger("news", "e", "")
		}
		for {
			if l := s.next(); strings.HasPrefix(l, "c[") {
				break
			}
		}
		n.trigger("news", "e", "")
		s.ended()
	})
}

func testShutdown(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		stream := n.connected(appPath("1") + "/1/aaaaaaaa")
		n.polling(appPath("1") + "/2/aaaaaaaa")
		waiting := n.answerOf("POST", appPath("1")+"/2/aaaaaaaa/xhr"+query)
		n.polling(appPath("1") + "/3/aaaaaaaa") // and is between two polls
		held, had := n.begun(appPath("1") + "/4/aaaaaaaa")
		n.fillTo(held, had, pusherJSLimit+100, "x")

		n.drain(time.Second)
		stream.expect(`c[4200,"Please reconnect immediately"]`)
		if answer := <-waiting; answer != "c[4200,\"Please reconnect immediately\"]\n" {
			t.Errorf("waiting poll = %q", answer)
		}
		// Those that can not be told yet are waited for, and told at once.
		if c := n.connections(); c != 2 {
			t.Errorf("%d connections, want the two that can not be told yet", c)
		}
		if answer := n.poll(appPath("1") + "/3/aaaaaaaa"); answer != "c[4200,\"Please reconnect immediately\"]\n" {
			t.Errorf("late poll = %q", answer)
		}
		held.cancel()
		next := n.stream(appPath("1") + "/4/aaaaaaaa")
		next.expect(`c[4200,"Please reconnect immediately"]`)
		if n.connections() != 0 || n.sockets() != 0 {
			t.Errorf("%d connections, %d sessions are left", n.connections(), n.sockets())
		}
		if answer := n.poll(appPath("1") + "/5/aaaaaaaa"); answer != "o\nc[4200,\"Please reconnect immediately\"]\n" {
			t.Errorf("new session = %q", answer)
		}
	})
}

// answerOf sends a request and returns where its answer will come.
func (n *node) answerOf(method, path string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		_, text := n.do(method, path, "", "Content-Type", "application/json")
		answer <- text
	}()
	n.connections() // until it waits
	return answer
}
