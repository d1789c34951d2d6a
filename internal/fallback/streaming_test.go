package fallback_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/belfryhq/belfry/protocol"
)

func streaming() []statement {
	return []statement{
		{30, "no_end_without_close", testNoEndWithoutClose},
		{31, "ten_silent_minutes", testTenSilentMinutes},
		{32, "hold_after_the_first_line_above", testHold},
		{33, "no_hold_at_exactly_the_limit", testNoHoldAtTheLimit},
		{34, "UTF16_units_are_counted", testUnitsAreCounted},
		{35, "1500_messages_in_a_burst", testBurst},
		{36, "rotation_keeps_the_session", testRotationKeepsTheSession},
		{37, "rotation_keeps_subscriptions", testRotationKeepsSubscriptions},
		{38, "a_line_above_the_limit", testHugeLine},
		{39, "a_hold_ends", testHoldEnds},
		{40, "prelude", testPrelude},
	}
}

func testNoEndWithoutClose(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session, "news")
		for i := range 200 {
			n.trigger("news", "e", strings.Repeat("x", 500))
			s.event("e")
			if i%20 == 0 {
				n.send(session) // an activity check
				s.expect("a[]")
			}
		}
		n.hub.Terminate(n.apps[0], "nobody")
		s.silent(10 * time.Second)
	})
}

func testTenSilentMinutes(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session, "news")
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
			switch l := s.next(); l {
			case "h":
				n.send(session)
			case "a[]":
			default:
				t.Fatalf("line %q, want a heartbeat", l)
			}
		}
		n.trigger("news", "e", "still here")
		for {
			if l := s.next(); strings.Contains(l, "still here") {
				return
			}
		}
	})
}

func unitsOf(text string) int { return len(utf16.Encode([]rune(text))) }

// fill makes the response of a stream exactly so many units long, with
// messages of at most 9,000 characters, of which fillers says what they are.
func (n *node) fillTo(s *stream, had, want int, filler string) {
	n.t.Helper()
	empty := unitsOf(string(lineOf("news", "e", "")))
	for had < want {
		size := min(want-had-empty, 9000)
		if rest := want - had - empty - size; rest > 0 && rest < 2*empty {
			size -= 2 * empty // so that another fits
		}
		width := unitsOf(filler)
		data := strings.Repeat(filler, size/width) + strings.Repeat("x", size%width)
		n.trigger("news", "e", data)
		line, err := s.within(time.Second)
		if err != nil {
			n.t.Fatalf("at %d of %d units: %v", had, want, err)
		}
		had += unitsOf(line)
	}
	if had != want {
		n.t.Fatalf("filled %d units, want %d", had, want)
	}
}

// lineOf is the line of an event.
func lineOf(channel, event, data string) []byte {
	message := protocol.AppendEvent(nil, event, channel, []byte(`"`+data+`"`), "")
	quoted := strings.ReplaceAll(string(message), `"`, `\"`)
	return []byte(`a["` + quoted + `"]` + "\n")
}

// begun is a stream that is subscribed to news, and how many units it has.
func (n *node) begun(session string) (*stream, int) {
	n.t.Helper()
	s := n.stream(session)
	had := 0
	for range 2 {
		had += unitsOf(s.next() + "\n")
	}
	n.send(session, subscribeMessage("news"))
	return s, had + unitsOf(s.next()+"\n")
}

func testHold(t *testing.T) {
	for name, filler := range map[string]string{"ASCII": "x", "two bytes": "é", "three bytes": "漢", "four bytes": "😀"} {
		t.Run(name, func(t *testing.T) {
			bothVersions(t, setup{}, func(n *node) {
				session := appPath("1") + "/1/aaaaaaaa"
				s, had := n.begun(session)
				n.fillTo(s, had, pusherJSLimit, filler)
				n.trigger("news", "last", "of this response")
				s.event("last")
				n.trigger("news", "first", "of the next")
				n.send(session)
				s.silent(20 * time.Second) // and no heartbeat either
				s.cancel()
				next := n.stream(session)
				next.event("first")
				next.expect("a[]")
			})
		})
	}
}

func testNoHoldAtTheLimit(t *testing.T) {
	run(t, setup{}, func(n *node) {
		s, had := n.begun(appPath("1") + "/1/aaaaaaaa")
		n.fillTo(s, had, pusherJSLimit, "x")
		n.trigger("news", "one", "more")
		s.event("one")
		n.trigger("news", "two", "too many")
		s.silent(time.Second)
	})
}

func testUnitsAreCounted(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		const count = 900
		texts := []string{strings.Repeat("é", 1000), strings.Repeat("😀", 500), strings.Repeat("aé漢😀", 200)}
		n.follow(t, count, func(i int) string { return fmt.Sprintf("%d %s", i, texts[i%len(texts)]) }, 3)
	})
}

func testBurst(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		n.follow(t, 1500, func(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)) }, 5)
	})
}

// follow triggers messages in bursts that fit into the buffer, with what each
// costs beside its bytes, while a client
// like pusher-js receives them, and checks that all arrive in order.
func (n *node) follow(t *testing.T, count int, data func(i int) string, rotations int) {
	t.Helper()
	f := &follower{n: n, session: appPath("1") + "/1/aaaaaaaa"}
	got, sent := 0, 0
	f.follow(func(message string) bool {
		switch m := n.decode(message); m.Event {
		case "pusher:connection_established":
			n.send(f.session, subscribeMessage("news"))
		case "e":
			if m.text() != data(got) {
				t.Fatalf("message %d is %.20q, want %.20q", got, m.text(), data(got))
			}
			got++
		}
		for ; got == sent && sent < count && n.hub.Channel(n.apps[0], "news").Occupied; sent++ {
			for range min(450, count-sent) {
				n.trigger("news", "e", data(sent))
				sent++
			}
			sent--
		}
		return got < count
	})
	if got != count || f.lost || f.rotations < rotations {
		t.Errorf("%d of %d messages, %d rotations, lost: %t", got, count, f.rotations, f.lost)
	}
}

func testRotationKeepsTheSession(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s, had := n.begun(session)
		n.fillTo(s, had, pusherJSLimit+300, "x")
		s.cancel()
		next := n.stream(session)
		n.trigger("news", "e", "hello")
		next.event("e") // and neither o nor another handshake before it
		if c := n.connections(); c != 1 {
			t.Errorf("%d connections, want the one", c)
		}
		if status, _ := n.post(session+"/xhr_send", "[]"); status != 204 {
			t.Errorf("send after rotation = %d", status)
		}
	})
}

func testRotationKeepsSubscriptions(t *testing.T) {
	run(t, setup{}, func(n *node) {
		watcher := n.stream(appPath("1") + "/9/watcher0")
		id := watcher.established()
		n.send(appPath("1")+"/9/watcher0", presenceMessage(id, "watcher"))
		watcher.event("pusher_internal:subscription_succeeded")

		session := appPath("1") + "/1/aaaaaaaa"
		s := n.stream(session)
		id = s.established()
		n.send(session, presenceMessage(id, "ann"), subscribeMessage("news"))
		s.event("pusher_internal:subscription_succeeded")
		s.event("pusher_internal:subscription_succeeded")
		watcher.event("pusher_internal:member_added")
		n.trigger("news", "e", strings.Repeat("x", pusherJSLimit))
		s.event("e")
		n.trigger("presence-room", "held", "")
		watcher.event("held")
		s.cancel()
		next := n.stream(session)
		next.event("held")
		n.trigger("presence-room", "after", "")
		next.event("after")
		watcher.event("after")
		watcher.silent(9 * time.Second)
	})
}

// presenceMessage asks for presence-room as a user.
func presenceMessage(id protocol.SocketID, user string) string {
	data := fmt.Sprintf(`{"user_id":%q}`, user)
	digest := protocol.Sign("secret1", protocol.ChannelDataText(id, "presence-room", data))
	return fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"presence-room","auth":"key1:%s","channel_data":%q}}`, digest, data)
}

func testHugeLine(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session, "news")
		data := strings.Repeat("x", pusherJSLimit+5)
		n.trigger("news", "huge", data)
		if m := s.event("huge"); m.text() != data {
			t.Errorf("data has %d bytes, want %d", len(m.text()), len(data))
		}
		n.trigger("news", "next", "")
		s.silent(time.Second)
		s.cancel()
		n.stream(session).event("next")
	})
}

func testHoldEnds(t *testing.T) {
	run(t, setup{}, func(n *node) {
		s, had := n.begun(appPath("1") + "/1/aaaaaaaa")
		n.fillTo(s, had, pusherJSLimit+100, "x")
		n.trigger("news", "one", "")
		n.trigger("news", "two", "")
		s.silent(29 * time.Second)
		s.event("one")
		s.event("two")
		n.trigger("news", "three", "")
		s.event("three")
	})
}

func testPrelude(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.open("POST", session+"/xhr_streaming"+query, "Content-Type", "")
		prelude := s.next()
		if prelude != strings.Repeat("h", 2048) {
			t.Errorf("prelude is %d bytes %.10q, want 2048 times h", len(prelude), prelude)
		}
		had := len(prelude) + 1
		for range 2 {
			had += unitsOf(s.next() + "\n")
		}
		n.send(session, subscribeMessage("news"))
		had += unitsOf(s.next() + "\n")
		n.fillTo(s, had, pusherJSLimit, "x")
		n.trigger("news", "one", "")
		s.event("one")
		n.trigger("news", "two", "")
		s.silent(time.Second) // so the prelude was counted, exactly
	})
}

// TestHTTP10 : old proxies, and nginx unless it is told otherwise, speak
// HTTP/1.0, where a response without a length ends with the connection.
func TestHTTP10(t *testing.T) {
	run(t, setup{}, func(n *node) {
		conn, err := n.listen.dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go fmt.Fprintf(conn, "POST /pusher%s/1/aaaaaaaa/xhr_streaming%s HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\n\r\n", appPath("1"), query)
		var text strings.Builder
		buf := make([]byte, 4096)
		for !strings.Contains(text.String(), "pusher:connection_established") {
			k, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("%q, %v", text.String(), err)
			}
			text.Write(buf[:k])
		}
		if strings.Contains(text.String(), "chunked") || !strings.Contains(text.String(), "\r\n\r\no\na[") {
			t.Errorf("answer %q", text.String())
		}
	})
}

// TestSlowReaderIsSentAway: what waits for a client that does not read is
// bounded, and the client learns why it is closed.
func TestSlowReaderIsSentAway(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		resp, err := n.client.Post(n.base+session+"/xhr_streaming"+query, "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		n.send(session, subscribeMessage("news"))
		for range 300 {
			n.trigger("news", "e", strings.Repeat("x", 9000))
		}
		if c := n.connections(); c != 0 {
			t.Errorf("%d connections, want none", c)
		}
		all, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
		if text := string(all); err != nil || !strings.HasSuffix(text, "c[4100,\"Over capacity\"]\n") {
			t.Errorf("the response ends with %.40q, %v", text[max(0, len(text)-40):], err)
		}
	})
}

// TestSlowNetworkIsNoReasonToGiveUp: a client gets what takes its network a
// minute, because it gets some of it all the time.
func TestSlowNetworkIsNoReasonToGiveUp(t *testing.T) {
	bothVersions(t, setup{rate: 3 << 10}, func(n *node) {
		large := strings.Repeat("x", 200<<10)
		for _, kind := range []string{"xhr_streaming", "xhr"} {
			session := appPath("1") + "/1/" + kind
			s := n.open("POST", session+"/"+kind+query)
			n.send(session, subscribeMessage(kind))
			n.trigger(kind, "e", large)
			for begin := time.Now(); ; {
				line, err := s.within(2 * time.Minute)
				if kind == "xhr" && errors.Is(err, io.EOF) { // a poll was answered
					s = n.open("POST", session+"/"+kind+query)
					continue
				}
				if err != nil {
					n.t.Fatalf("%s: %v after %v", kind, err, time.Since(begin))
				}
				if strings.Contains(line, large) {
					n.t.Logf("%s: came after %v", kind, time.Since(begin))
					break
				}
			}
		}
	})
}
