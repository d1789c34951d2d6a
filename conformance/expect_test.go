package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// null is the code of a pusher:error whose code is JSON null.
const null = 0

// next returns the next message, which must come.
func (c *conn) next() message {
	c.t.Helper()
	m, err := c.read(patience)
	if err != nil {
		c.t.Fatalf("next frame: %v (after %s)", err, short(c.last))
	}
	return m
}

// expect requires the next message to have exactly these members.
func (c *conn) expect(event, channel, data string) {
	c.t.Helper()
	m := c.next()
	if m.Event != event || m.HasChannel != (channel != "") || m.Channel != channel || m.Data != data || m.HasUserID {
		c.t.Fatalf("next frame = %s, want event %q, channel %q, data %q (after %s)", m, event, channel, short(data), short(c.last))
	}
}

// expectJSON is expect for data that may be written in more than one way.
func (c *conn) expectJSON(event, channel, data string) {
	c.t.Helper()
	m := c.next()
	if m.Event != event || m.Channel != channel || m.HasUserID || !sameJSON(m.Data, data) {
		c.t.Fatalf("next frame = %s, want event %q, channel %q, data like %q (after %s)", m, event, channel, short(data), short(c.last))
	}
}

func sameJSON(a, b string) bool {
	x, errX := decode(a)
	y, errY := decode(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// expectFrom requires the next message to be a client event with that sender.
func (c *conn) expectFrom(userID, event, channel, data string) {
	c.t.Helper()
	m := c.next()
	if m.Event != event || m.Channel != channel || m.Data != data || m.UserID != userID || !m.HasUserID {
		c.t.Fatalf("next frame = %s, want event %q, channel %q, data %q, user_id %q", m, event, channel, data, userID)
	}
}

// expectError requires the next message to be a pusher:error with the code,
// and returns its text.
func (c *conn) expectError(code int) string {
	c.t.Helper()
	m := c.next()
	text, err := m.errorText(code)
	if err != nil {
		c.t.Fatalf("next frame = %s, want a pusher:error: %v (after %s)", m, err, short(c.last))
	}
	return text
}

// errorText returns the text of a pusher:error with that code.
func (m message) errorText(code int) (string, error) {
	if m.Event != "pusher:error" || m.HasChannel || m.HasUserID {
		return "", errors.New("it is another frame, or has a channel")
	}
	members, err := strictObject([]byte(m.Data))
	if err != nil {
		return "", err
	}
	want := "null"
	if code != null {
		want = fmt.Sprint(code)
	}
	if got := string(members["code"]); got != want {
		return "", fmt.Errorf("code %s, want %s", got, want)
	}
	var text string
	if err := json.Unmarshal(members["message"], &text); err != nil || text == "" {
		return "", fmt.Errorf("message %s, want a text", members["message"])
	}
	return text, nil
}

// expectErrorText requires a pusher:error with code null and that text.
func (c *conn) expectErrorText(want string) {
	c.t.Helper()
	if got := c.expectError(null); got != want {
		c.t.Errorf("message = %q, want %q (after %s)", got, want, short(c.last))
	}
}

// expectRefusal requires the two frames of a refused subscription.
func (c *conn) expectRefusal(channel, kind string, status int) {
	c.t.Helper()
	c.expectError(null)
	c.expectSubscriptionError(channel, kind, status)
}

func (c *conn) expectSubscriptionError(channel, kind string, status int) {
	c.t.Helper()
	m := c.next()
	var data struct {
		Type   string
		Error  string
		Status int
	}
	err := json.Unmarshal([]byte(m.Data), &data)
	if err != nil || m.Event != "pusher:subscription_error" || !m.HasChannel || m.Channel != channel ||
		data.Type != kind || data.Status != status || data.Error == "" {
		c.t.Fatalf("next frame = %s, want pusher:subscription_error for %q with type %s and status %d (after %s)",
			m, channel, kind, status, short(c.last))
	}
}

// expectClose requires a Close frame next, with the code. That the end of the
// TCP connection follows is checked when the test ends: a server may take its
// time over it.
func (c *conn) expectClose(code int) {
	c.t.Helper()
	m, err := c.read(patience)
	closing, ok := errors.AsType[*closeError](err)
	switch {
	case err == nil:
		c.t.Fatalf("next frame = %s, want closed %d (after %s)", m, code, short(c.last))
	case !ok:
		c.t.Fatalf("next frame: %v, want closed %d (after %s)", err, code, short(c.last))
	case closing.code != code:
		c.t.Errorf("%v, want closed %d (after %s)", closing, code, short(c.last))
	}
	c.t.Cleanup(c.gone)
}

// ended requires the two frames of a fatal error: pusher:error and Close with
// the same code. It returns the text of the error.
func (c *conn) ended(code int) string {
	c.t.Helper()
	text := c.expectError(code)
	c.expectClose(code)
	return text
}

// open requires a pusher:pong as the very next message. Frames of a
// connection are answered in order, so it shows that all that was sent before
// was answered by nothing more than what has been read, and that the
// connection is open.
func (c *conn) open() {
	c.t.Helper()
	c.send("pusher:ping", map[string]any{})
	c.expect("pusher:pong", "", "{}")
}

// nothing requires that no event that was triggered before this call reaches
// the connection: one that is triggered now is the next to arrive.
func (c *conn) nothing() {
	c.t.Helper()
	for _, m := range c.collect() {
		c.t.Fatalf("next frame = %s, want nothing (after %s)", m, short(c.last))
	}
}

// collect returns all messages that arrive before an event that is triggered
// now.
func (c *conn) collect() []message {
	c.t.Helper()
	var list []message
	if c.barrier == "" {
		list = c.openBarrier()
	}
	event := unique("barrier")
	c.app.publish(c.t, c.barrier, event, "{}")
	list = append(list, c.until("event "+event, func(m message) bool { return m.Event == event && m.Channel == c.barrier })...)
	return list[:len(list)-1]
}

// openBarrier subscribes to the channel of nothing, of a kind that causes no
// other frame, and returns what came before the answer.
func (c *conn) openBarrier() []message {
	c.t.Helper()
	if c.app.counts {
		c.barrier = unique("presence-barrier")
		c.sendJoin(c.barrier, `{"user_id":"1"}`)
	} else {
		c.barrier = unique("barrier")
		c.sendSubscribe(c.barrier, nil, nil)
	}
	list := c.until("the success of "+c.barrier, func(m message) bool {
		return m.Event == "pusher_internal:subscription_succeeded" && m.Channel == c.barrier
	})
	return list[:len(list)-1]
}

// quietFor requires that no text message comes for that long, and that the
// connection stays open. It is for what no later event can prove.
func (c *conn) quietFor(d time.Duration) {
	c.t.Helper()
	m, err := c.read(d)
	if err == nil {
		c.t.Fatalf("next frame = %s, want none for %v", m, d)
	}
	if !errors.Is(err, errSilence) {
		c.t.Fatalf("next frame: %v, want none for %v and an open connection", err, d)
	}
}

// until reads and returns messages up to and including the first one for
// which last returns true.
func (c *conn) until(what string, last func(message) bool) []message {
	c.t.Helper()
	var list []message
	for {
		m, err := c.read(patience)
		if err != nil {
			c.t.Fatalf("%v, want %s; %d frames before it: %s", err, what, len(list), summary(list))
		}
		list = append(list, m)
		if last(m) {
			return list
		}
	}
}

// drain returns all messages that the server sends before the answer to a
// ping.
func (c *conn) drain() []message {
	c.t.Helper()
	c.send("pusher:ping", nil)
	list := c.until("pusher:pong", func(m message) bool { return m.Event == "pusher:pong" })
	return list[:len(list)-1]
}

func summary(list []message) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "\n\t%s", m)
	}
	return short(b.String())
}
