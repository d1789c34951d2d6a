package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// maxMessageSize is the default limit of one inbound message.
const maxMessageSize = 131072

// framing is statements 28 to 47 of the WebSocket checklist.
func framing() []statement {
	return []statement{
		{28, "shape_of_established", testShapeOfEstablished},
		{29, "socket_ids_differ", testSocketIDsDiffer},
		{30, "activity_timeout_for_5", testActivityTimeoutFor5},
		{31, "ping_is_answered", testPingIsAnswered},
		{32, "control_ping_is_answered", testControlPingIsAnswered},
		{33, "pong_is_not_answered", testPongIsNotAnswered},
		{34, "not_json", testNotJSON},
		{35, "not_an_object", testNotAnObject},
		{36, "no_event", testNoEvent},
		{37, "unknown_pusher_event", testUnknownPusherEvent},
		{38, "internal_event_forged", testInternalEventForged},
		{39, "unknown_event", testUnknownEvent},
		{40, "binary_frame", testBinaryFrame},
		{41, "invalid_utf8", testInvalidUTF8},
		{42, "fragments", testFragments},
		{43, "message_too_big", testMessageTooBig},
		{44, "message_just_fits", testMessageJustFits},
		{45, "data_as_string", testDataAsString},
		{46, "answers_in_order", testAnswersInOrder},
		{47, "frames_well_formed", testFramesWellFormed},
	}
}

func testShapeOfEstablished(t *testing.T) {
	c := fixture(t, plain).dial(t, dialing{})
	m := c.next()
	members, err := strictObject([]byte(m.Data))
	if err != nil || !m.DataIsText || m.Event != "pusher:connection_established" {
		t.Fatalf("first frame = %s, want pusher:connection_established with an object in a string (%v)", m, err)
	}
	if got := string(members["activity_timeout"]); got != "120" {
		t.Errorf("activity_timeout = %s, want 120", got)
	}
	if got := string(members["socket_id"]); !strings.HasPrefix(got, `"`) {
		t.Errorf("socket_id = %s, want a string", got)
	}
	if len(members) != 2 {
		t.Errorf("data = %s, want socket_id and activity_timeout only", m.Data)
	}
}

func testSocketIDsDiffer(t *testing.T) {
	const connections = 1000
	a := fixture(t, plain)
	seen := make(map[string]bool, connections)
	for range connections {
		c := a.connect(t) // which checks the form of the id
		if seen[c.id] {
			t.Fatalf("socket id %s was given twice", c.id)
		}
		seen[c.id] = true
	}
}

func testActivityTimeoutFor5(t *testing.T) {
	c := fixture(t, plain).dial(t, dialing{query: "protocol=5"})
	if got := c.established(); got < 1 {
		t.Errorf("activity_timeout = %d, want a positive number", got)
	}
}

func testPingIsAnswered(t *testing.T) {
	c := fixture(t, plain).connect(t)
	for _, text := range []string{
		`{"event":"pusher:ping","data":{}}`,
		`{"event":"pusher:ping","data":"{}"}`,
		`{"event":"pusher:ping"}`,
	} {
		c.sendText(text)
		c.expect("pusher:pong", "", "{}")
	}
}

func testControlPingIsAnswered(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPing}, []byte("abc"))
	c.open()
	if len(c.pongs) != 1 || c.pongs[0] != "abc" {
		t.Errorf("payloads of control Pongs = %q, want %q", c.pongs, []string{"abc"})
	}
}

func testPongIsNotAnswered(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.send("pusher:pong", map[string]any{})
	c.send("pusher:pong", nil)
	c.open()
}

func testNotJSON(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.sendText("not json")
	c.expectErrorText("Received invalid JSON")
	c.open()
}

func testNotAnObject(t *testing.T) {
	c := fixture(t, plain).connect(t)
	for _, text := range []string{"[]", "3", `"x"`, "null", ""} {
		c.sendText(text)
		c.expectErrorText("Received invalid JSON")
		c.open()
	}
}

func testNoEvent(t *testing.T) {
	c := fixture(t, plain).connect(t)
	for _, text := range []string{`{}`, `{"event":5}`, `{"event":""}`, `{"event":null}`} {
		c.sendText(text)
		c.expectErrorText("Missing parameter: event")
		c.open()
	}
}

func testUnknownPusherEvent(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.sendText(`{"event":"pusher:bogus","data":{}}`)
	c.expectErrorText("Unsupported event received on socket: pusher:bogus")
	c.open()
}

func testInternalEventForged(t *testing.T) {
	a := fixture(t, plain)
	channel := unique("private-a")
	c1, c2 := a.connect(t), a.connect(t)
	c1.subscribe(channel)
	c2.subscribe(channel)
	c1.sendText(fmt.Sprintf(`{"event":"pusher_internal:member_removed","channel":%q,"data":"{}"}`, channel))
	c1.expectError(null)
	c1.open()
	c2.nothing()
}

func testUnknownEvent(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.sendText(`{"event":"my-event","channel":"private-a","data":{}}`)
	c.expectError(null)
	c.open()
}

func testBinaryFrame(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpBinary}, []byte(`{"event":"pusher:ping"}`))
	c.expectClose(1003)
}

func testInvalidUTF8(t *testing.T) {
	a := fixture(t, plain)
	for _, text := range []string{"{\"event\":\"pusher:ping\",\"data\":\"\xff\"}", "\xc3", "\xed\xa0\x80", "{\"event\":\"\xf0\x9f\x98\"}"} {
		c := a.connect(t)
		c.sendText(text)
		c.expectClose(1007)
	}
}

func testFragments(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.writeFrame(ws.Header{OpCode: ws.OpText}, []byte(`{"event":`))
	c.writeFrame(ws.Header{OpCode: ws.OpContinuation}, []byte(`"pusher:`))
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPing}, []byte("between"))
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpContinuation}, []byte(`ping"}`))
	c.expect("pusher:pong", "", "{}")
	if len(c.pongs) != 1 || c.pongs[0] != "between" {
		t.Errorf("payloads of control Pongs = %q, want %q", c.pongs, []string{"between"})
	}
	c.open()
}

// paddedPing is a ping of exactly size bytes.
func paddedPing(size int) string {
	const frame = `{"event":"pusher:ping","data":""}`
	return frame[:len(frame)-2] + strings.Repeat("x", size-len(frame)) + `"}`
}

func testMessageTooBig(t *testing.T) {
	a := fixture(t, plain)
	text := paddedPing(maxMessageSize + 1)
	whole := a.connect(t)
	_, _ = whole.net.Write(textFrame(text)) // the server need not read it all
	whole.expectClose(1009)

	pieces := a.connect(t)
	half := maxMessageSize / 2
	pieces.writeFrame(ws.Header{OpCode: ws.OpText}, []byte(text[:half]))
	_, _ = pieces.net.Write(frameBytes(ws.Header{Fin: true, OpCode: ws.OpContinuation}, []byte(text[half:])))
	pieces.expectClose(1009)
}

func testMessageJustFits(t *testing.T) {
	c := fixture(t, plain).connect(t)
	text := paddedPing(maxMessageSize)
	c.sendText(text)
	c.expect("pusher:pong", "", "{}")
	half := maxMessageSize / 2
	c.writeFrame(ws.Header{OpCode: ws.OpText}, []byte(text[:half]))
	c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpContinuation}, []byte(text[half:]))
	c.expect("pusher:pong", "", "{}")
}

func testDataAsString(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.send("pusher:subscribe", encode(map[string]any{"channel": channel}))
	c.expect("pusher_internal:subscription_succeeded", channel, "{}")
	a.publish(t, channel, "e", "{}")
	c.expect("e", channel, "{}")
	c.send("pusher:unsubscribe", encode(map[string]any{"channel": channel}))
	c.open()
	a.publish(t, channel, "e", "{}")
	c.nothing()
}

func testAnswersInOrder(t *testing.T) {
	c := fixture(t, plain).connect(t)
	a, b := unique("a"), unique("b")
	var segment []byte
	segment = append(segment, textFrame(`{"event":"pusher:subscribe","data":{"channel":"`+a+`"}}`)...)
	segment = append(segment, textFrame(`{"event":"pusher:ping"}`)...)
	segment = append(segment, textFrame(`{"event":"pusher:subscribe","data":{"channel":"`+b+`"}}`)...)
	c.sendBytes(segment)
	c.expect("pusher_internal:subscription_succeeded", a, "{}")
	c.expect("pusher:pong", "", "{}")
	c.expect("pusher_internal:subscription_succeeded", b, "{}")
}

// testFramesWellFormed makes the server send many kinds of frames; that they
// are well formed is checked wherever a test of this suite reads one.
func testFramesWellFormed(t *testing.T) {
	a := fixture(t, plain)
	c, other := a.connect(t), a.connect(t)
	room, prices, news := unique("presence-r"), unique("cache-x"), unique("news")
	c.join(room, `{"user_id":"1","user_info":{"a":"<&> \u2028 é"}}`)
	other.join(room, `{"user_id":"2"}`)
	other.unsubscribe(room)
	other.open()
	c.sendSubscribe(prices, nil, nil)
	c.sendSubscribe(news, nil, nil)
	c.sendSignin(userData(unique("user")))
	c.sees(map[string]bool{"pusher:cache_miss": true, "pusher:signin_success": true, "pusher_internal:member_added": true})
	a.publish(t, news, "e<>&", "\u0000\u001f \u2028 \"\\ é 😀")
	a.publish(t, prices, "e", "")
	c.sendSubscribe(news, nil, nil)
	c.sendSubscribe("é", nil, nil)
	c.sendText(`{"event":"pusher:bogus`)
	c.sees(map[string]bool{"e<>&": true, "e": true, "pusher:error": true, "pusher:subscription_error": true})
}

// sees requires each of the events to be among the answers to what was sent
// and the events that were triggered before.
func (c *conn) sees(want map[string]bool) {
	c.t.Helper()
	for _, m := range append(c.drain(), c.collect()...) {
		delete(want, m.Event)
	}
	for event := range want {
		c.t.Errorf("no frame with event %s", event)
	}
}
