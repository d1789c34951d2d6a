package conformance

import (
	"strings"
	"testing"
)

// overTLS returns a function that connects over TLS, which a server may read
// and write in another way than plain TCP.
func overTLS(t *testing.T, name string) (*app, func() *conn) {
	t.Helper()
	a := fixture(t, name)
	if a.tlsAddr == "" {
		skip(t, "needs a plain and a TLS address of one server: the suite must start the service itself")
	}
	return a, func() *conn { return a.connectWith(t, dialing{overTLS: true}) }
}

// TestTLS goes through a session over TLS beside one over plain TCP.
func TestTLS(t *testing.T) {
	t.Parallel()
	t.Run("session", testSessionOverTLS)
	t.Run("large_messages", testLargeMessagesOverTLS)
	t.Run("slow_reader", testSlowReaderOverTLS)
	t.Run("lost_peer", testLostPeerOverTLS)
}

func testSessionOverTLS(t *testing.T) {
	t.Parallel()
	a, connect := overTLS(t, clientEventsOn)
	c1, c2 := connect(), a.connect(t)
	channel := unique("presence-cache-r")
	a.publish(t, channel, "cached", "D")
	c1.join(channel, `{"user_id":"1"}`)
	c1.expect("cached", channel, "D")
	c2.join(channel, `{"user_id":"2"}`)
	c2.expect("cached", channel, "D")
	c1.expect("pusher_internal:member_added", channel, `{"user_id":"2"}`)
	c1.sendClientEvent("client-x", channel, `"from 1"`)
	c2.expectFrom("1", "client-x", channel, "from 1")
	c2.sendClientEvent("client-x", channel, `"from 2"`)
	c1.expectFrom("2", "client-x", channel, "from 2")
	c2.hangUp()
	c1.expect("pusher_internal:member_removed", channel, `{"user_id":"2"}`)
	id := unique("16")
	c1.signin(userData(id))
	a.terminate(t, id, "{}")
	c1.ended(4009)
}

func testLargeMessagesOverTLS(t *testing.T) {
	t.Parallel()
	a, connect := overTLS(t, plain)
	c := connect()
	c.sendText(paddedPing(maxMessageSize))
	c.expect("pusher:pong", "", "{}")
	channel := unique("news")
	c.subscribe(channel)
	data := strings.Repeat("x", 10240)
	for range 100 {
		a.publish(t, channel, "e", data)
	}
	for range 100 {
		c.expect("e", channel, data)
	}
	_, _ = c.net.Write(textFrame(paddedPing(maxMessageSize + 1)))
	c.expectClose(1009)
}

func testSlowReaderOverTLS(t *testing.T) {
	t.Parallel()
	a, connect := overTLS(t, plain)
	overrun(t, a, connect())
}

func testLostPeerOverTLS(t *testing.T) {
	t.Parallel()
	a, connect := overTLS(t, plain)
	c := connect()
	channel := unique("news")
	c.subscribe(channel)
	c.sendBytes(textFrame(pingText)[:4])
	_ = c.net.Close()
	eventually(t, "the channel of a closed socket is vacated", func() bool { return !a.occupied(t, channel) })
}
