package fallback_test

import (
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/fallback"
	"github.com/belfryhq/belfry/internal/loop"
)

func receivers() []statement {
	return []statement{
		{59, "the_newest_receiver_wins", testNewestWins},
		{60, "the_replaced_response_ends_without_close", testReplacedEnds},
		{61, "abort_ends_a_short_stream", testAbortOfShortStream},
		{62, "abort_of_a_long_stream_has_a_grace", testAbortOfLongStream},
		{63, "abort_of_a_poll", testAbortOfPoll},
		{64, "no_further_poll", testNoFurtherPoll},
		{65, "the_buffer_is_bounded", testBufferIsBounded},
		{66, "a_forgotten_session", testForgottenSession},
		{67, "hostname", testHostname},
		{68, "exclusion", testExclusion},
	}
}

func testNewestWins(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		old := n.connected(session, "news")
		for range 3 {
			newer := n.stream(session)
			old.ended()
			n.trigger("news", "e", "hello")
			newer.event("e")
			old = newer
		}
		if c := n.connections(); c != 1 {
			t.Errorf("%d connections, want the one", c)
		}
	})
}

func testReplacedEnds(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.polling(session, "news")
		poll := n.answerOf("POST", session+"/xhr"+query)
		stream := n.stream(session)
		if answer := <-poll; answer != "" {
			t.Errorf("replaced poll = %q, want nothing", answer)
		}
		newer := n.stream(session)
		stream.ended()
		newer.silent(time.Second)
		stream.cancel() // the client's abort comes late, and changes nothing
		n.trigger("news", "e", "")
		newer.event("e")
	})
}

func testAbortOfShortStream(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		watcher := n.stream(appPath("1") + "/9/watcher0")
		n.send(appPath("1")+"/9/watcher0", presenceMessage(watcher.established(), "watcher"))
		watcher.event("pusher_internal:subscription_succeeded")
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.stream(session)
		n.send(session, presenceMessage(s.established(), "ann"))
		s.event("pusher_internal:subscription_succeeded")
		watcher.event("pusher_internal:member_added")
		start := time.Now()
		s.cancel()
		watcher.event("pusher_internal:member_removed")
		if took := time.Since(start); took > time.Second {
			t.Errorf("member_removed after %v", took)
		}
		if status, _ := n.post(session+"/xhr_send", "[]"); status != 404 {
			t.Errorf("send = %d, want 404", status)
		}
	})
}

func testAbortOfLongStream(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		s, had := n.begun(appPath("1") + "/1/aaaaaaaa")
		n.fillTo(s, had, pusherJSLimit+200, "x")
		s.cancel()
		time.Sleep(5 * time.Second)
		if c := n.connections(); c != 1 {
			t.Errorf("%d connections after 5 s, want the one", c)
		}
		time.Sleep(6 * time.Second)
		if n.connections() != 0 || n.sockets() != 0 {
			t.Errorf("%d connections, %d sessions after 11 s, want none", n.connections(), n.sockets())
		}
	})
}

func testAbortOfPoll(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		n.polling(appPath("1")+"/1/aaaaaaaa", "news")
		go func() {
			time.Sleep(time.Second)
			n.client.CloseIdleConnections()
		}()
		p := n.abortablePoll(appPath("1") + "/1/aaaaaaaa")
		time.Sleep(time.Second)
		p()
		time.Sleep(time.Second)
		if c := n.connections(); c != 0 {
			t.Errorf("%d connections, want none", c)
		}
	})
}

// abortablePoll sends a poll, and returns what aborts it.
func (n *node) abortablePoll(session string) (abort func()) {
	n.t.Helper()
	done := make(chan struct{})
	r, cancel := n.request(session + "/xhr" + query)
	go func() {
		defer close(done)
		if resp, err := n.client.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func testNoFurtherPoll(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.polling(appPath("1")+"/1/aaaaaaaa", "news")
		time.Sleep(9 * time.Second)
		if c := n.connections(); c != 1 {
			t.Errorf("%d connections after 9 s, want the one", c)
		}
		time.Sleep(2 * time.Second)
		if n.connections() != 0 || n.sockets() != 0 {
			t.Errorf("%d connections, %d sessions after 11 s, want none", n.connections(), n.sockets())
		}
	})
}

func testBufferIsBounded(t *testing.T) {
	run(t, setup{loops: loop.Config{SendBuffer: 100 << 10}}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.polling(session, "news")
		for range 9 {
			n.trigger("news", "e", strings.Repeat("x", 10000))
		}
		if c := n.connections(); c != 1 {
			t.Errorf("%d connections below the limit, want the one", c)
		}
		for range 5 {
			n.trigger("news", "e", strings.Repeat("x", 10000))
		}
		if c := n.connections(); c != 0 {
			t.Errorf("%d connections above the limit, want none", c)
		}
		if answer := n.poll(session); answer != "c[4100,\"Over capacity\"]\n" {
			t.Errorf("poll = %q, want the close", answer)
		}
	})
}

func testForgottenSession(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		first := n.connected(session)
		first.cancel()
		n.connections()
		s := n.stream(session)
		s.established()
		n.polling(appPath("1") + "/2/aaaaaaaa")
		time.Sleep(time.Minute)
		n.polling(appPath("1") + "/2/aaaaaaaa")
	})
}

func testHostname(t *testing.T) {
	run(t, setup{fallback: fallback.Config{Hostname: "node3.example.com"}}, func(n *node) {
		n.stream(appPath("1") + "/1/aaaaaaaa").expect(`o{"hostname":"node3.example.com"}`)
		if _, answer := n.do("GET", "/info", ""); !strings.Contains(answer, `"hostname":"node3.example.com"`) {
			t.Errorf("info = %s", answer)
		}
	})
}

func testExclusion(t *testing.T) {
	run(t, setup{}, func(n *node) {
		one := n.stream(appPath("1") + "/1/aaaaaaaa")
		id := one.established()
		n.send(appPath("1")+"/1/aaaaaaaa", subscribeMessage("news"))
		one.event("pusher_internal:subscription_succeeded")
		two := n.connected(appPath("1")+"/2/aaaaaaaa", "news")
		n.triggerExcept("news", "e", "", id)
		two.event("e")
		one.silent(time.Second)
	})
}
