package fallback_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

func sending() []statement {
	return []statement{
		{46, "one_message", testSendOne},
		{47, "an_activity_check", testActivityCheck},
		{48, "never_answered_with_h", testNeverAnsweredWithH},
		{49, "unknown_session_and_broken_JSON", testBadSends},
		{50, "several_messages", testSeveralMessages},
		{51, "sends_in_order", testSendsInOrder},
		{52, "body_limit", testBodyLimit},
		{53, "any_content_type", testAnyContentType},
		{54, "client_events", testClientEvents},
	}
}

func testSendOne(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		resp, answer := n.do("POST", session+"/xhr_send?t=1&n=2", `["{\"event\":\"pusher:ping\",\"data\":{}}"]`, "Content-Type", "application/json")
		if resp.StatusCode != 204 || answer != "" {
			t.Errorf("send = %d %q", resp.StatusCode, answer)
		}
		s.event("pusher:pong")
	})
}

func testActivityCheck(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		n.send(session)
		s.expect("a[]")
		n.polling(appPath("1") + "/2/aaaaaaaa")
		n.send(appPath("1") + "/2/aaaaaaaa")
		if answer := n.poll(appPath("1") + "/2/aaaaaaaa"); answer != "a[]\n" {
			t.Errorf("poll = %q, want a[]", answer)
		}
	})
}

func testNeverAnsweredWithH(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		for range 100 {
			n.send(session)
			s.expect("a[]")
		}
		s.silent(19 * time.Second)
	})
}

func testBadSends(t *testing.T) {
	bodies := map[string]int{
		``: 400, `[`: 400, `{}`: 400, `"x"`: 400, `null`: 400, `[1]`: 400, `[null]`: 400, `[["x"]]`: 400, `["x"] y`: 400, "[\"\xff\"]": 400,
		`["no JSON of the protocol"]`: 204,
	}
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		before := n.sockets()
		for body, want := range bodies {
			if status, _ := n.post(session+"/xhr_send", body); status != want {
				t.Errorf("send of %q = %d, want %d", body, status, want)
			}
		}
		if m := s.event("pusher:error"); !strings.Contains(string(m.Data), "Received invalid JSON") {
			t.Errorf("error = %+v", m)
		}
		for _, other := range []string{appPath("1") + "/1/bbbbbbbb", appPath("1") + "/2/aaaaaaaa", appPath("2") + "/1/aaaaaaaa", "/app/nope/1/aaaaaaaa", "/001/aaaaaaaa"} {
			if status, _ := n.post(other+"/xhr_send", "[]"); status != 404 {
				t.Errorf("send to %s = %d, want 404", other, status)
			}
		}
		if after := n.sockets(); after != before {
			t.Errorf("there are %d sockets, want %d as before: no session is made by sending", after, before)
		}
	})
}

func testSeveralMessages(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		n.send(session, subscribeMessage("a"), subscribeMessage("b"), `{"event":"pusher:unsubscribe","data":{"channel":"a"}}`, subscribeMessage("a"))
		for _, want := range []string{"a", "b", "a"} {
			if m := s.event("pusher_internal:subscription_succeeded"); m.Channel != want {
				t.Errorf("subscribed to %s, want %s", m.Channel, want)
			}
		}
	})
}

// privateMessage asks for a private channel.
func privateMessage(id protocol.SocketID, channel string) string {
	return fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":"key1:%s"}}`, channel, protocol.Sign("secret1", protocol.ChannelText(id, channel)))
}

// testSendsInOrder sends 200 client events, each a request of its own that is
// on its way for a different time.
func testSendsInOrder(t *testing.T) {
	run(t, setup{app: func(a *apps.App) { a.Limits.ClientEventsPerSecond = 0 }}, func(n *node) {
		listener := n.stream(appPath("1") + "/9/listener")
		n.send(appPath("1")+"/9/listener", privateMessage(listener.established(), "private-x"))
		listener.event("pusher_internal:subscription_succeeded")

		session := appPath("1") + "/1/aaaaaaaa"
		s := n.stream(session, "&n=100")
		n.send(session, privateMessage(s.established(), "private-x"))
		s.event("pusher_internal:subscription_succeeded")
		var requests sync.WaitGroup
		for i := range 200 {
			delay := time.Duration(rand.IntN(500)) * time.Millisecond
			requests.Go(func() {
				time.Sleep(delay)
				message, _ := json.Marshal([]string{fmt.Sprintf(`{"event":"client-e","channel":"private-x","data":"%d"}`, i)})
				if status, _ := n.post(fmt.Sprintf("%s/xhr_send?n=%d", session, 101+i), string(message)); status != 204 {
					t.Errorf("send %d = %d", i, status)
				}
			})
		}
		requests.Wait()
		for i := range 200 {
			if m := listener.event("client-e"); m.text() != fmt.Sprint(i) {
				t.Fatalf("event %d is %s", i, m.text())
			}
		}
		// A number that never comes delays what follows, and holds up nothing.
		start := time.Now()
		if status, _ := n.post(session+"/xhr_send?n=500", `["{\"event\":\"client-e\",\"channel\":\"private-x\",\"data\":\"late\"}"]`); status != 204 {
			t.Errorf("send = %d", status)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the answer took %v", took)
		}
		listener.event("client-e")
		if took := time.Since(start); took < 100*time.Millisecond || took > 200*time.Millisecond {
			t.Errorf("the event took %v, want 100 to 200 ms", took)
		}
	})
}

func testBodyLimit(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		body := func(size int) string {
			message := `"` + strings.Repeat("x", 1000) + `"`
			text := "[" + message + strings.Repeat(","+message, size/(len(message)+1)-2)
			return text + strings.Repeat(" ", size-1-len(text)) + "]"
		}
		if status, _ := n.post(session+"/xhr_send", body(256<<10)); status != 204 {
			t.Errorf("256 KB = %d, want 204", status)
		}
		s.event("pusher:error")
		if status, _ := n.post(session+"/xhr_send", body(256<<10+1)); status != 413 {
			t.Errorf("more than 256 KB = %d, want 413", status)
		}
		if status, _ := n.post(session+"/xhr_send", `["`+strings.Repeat("x", 128<<10+1)+`"]`); status != 413 {
			t.Errorf("one message above 128 KB = %d, want 413", status)
		}
	})
}

func testAnyContentType(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		for _, kind := range []string{"application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "", "nonsense"} {
			if resp, _ := n.do("POST", session+"/xhr_send", `["{\"event\":\"pusher:ping\"}"]`, "Content-Type", kind); resp.StatusCode != 204 {
				t.Errorf("send with type %q = %d", kind, resp.StatusCode)
			}
			s.event("pusher:pong")
		}
	})
}

func testClientEvents(t *testing.T) {
	run(t, setup{}, func(n *node) {
		members := make([]*stream, 3)
		for i := range members {
			session := fmt.Sprintf("%s/%d/aaaaaaaa", appPath("1"), i)
			members[i] = n.stream(session)
			n.send(session, privateMessage(members[i].established(), "private-x"))
			members[i].event("pusher_internal:subscription_succeeded")
		}
		n.send(appPath("1")+"/0/aaaaaaaa", `{"event":"client-hi","channel":"private-x","data":{"a":1}}`)
		for _, m := range members[1:] {
			if got := m.event("client-hi"); got.text() != `{"a":1}` {
				t.Errorf("client event %+v", got)
			}
		}
		members[0].silent(time.Second)
	})
}

// TestBodyOfNothingsIsRefused: a short body can hold very many empty messages,
// each of which takes memory.
func TestBodyOfNothingsIsRefused(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.stream(session)
		s.next()
		status, answer := n.post(session+"/xhr_send?t=1", "["+strings.Repeat(`"",`, 60_000)+`""]`)
		if status != http.StatusRequestEntityTooLarge || answer != "there are too many messages\n" {
			t.Errorf("60,000 empty messages = %d %q, want 413", status, answer)
		}
	})
}

// TestLongBatchIsSpreadOverTurns: what a client sends at once is taken in order
// and to its end, a little in each turn of the loop.
func TestLongBatchIsSpreadOverTurns(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.stream(session)
		s.next() // o
		s.next() // connection_established
		var batch []string
		for i := range 2500 {
			batch = append(batch, subscribeMessage(fmt.Sprint("channel-", i)))
		}
		n.send(session, batch...)
		n.send(session, subscribeMessage("last"))
		for i := range 2500 {
			if got := s.next(); !strings.Contains(got, fmt.Sprintf(`\"channel-%d\"`, i)) {
				t.Fatalf("answer %d is %q", i, got)
			}
		}
		if got := s.next(); !strings.Contains(got, `\"last\"`) {
			t.Errorf("the last answer is %q", got)
		}
	})
}

// TestChannelsPerConnectionOnFallbacks: the limit is that of the connection,
// whatever carries it.
func TestChannelsPerConnectionOnFallbacks(t *testing.T) {
	run(t, setup{app: func(a *apps.App) { a.Limits.ChannelsPerConnection = 2 }}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.stream(session)
		s.next() // o
		s.next() // connection_established
		n.send(session, subscribeMessage("a"), subscribeMessage("b"), subscribeMessage("c"))
		for _, want := range []string{"subscription_succeeded", "subscription_succeeded", protocol.ErrTooManyChannels.Message, "LimitReached"} {
			if got := s.next(); !strings.Contains(got, want) {
				t.Errorf("the client got %q, want %q", got, want)
			}
		}
	})
}
