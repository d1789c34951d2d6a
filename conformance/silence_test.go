package conformance

import (
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// silence is longer than any wait that a server has for itself while it
// closes a connection.
const silence = 3 * time.Second

// TestAfterSilence is about the first thing that happens after nothing did:
// a server that takes the time from something that did not happen is wrong
// by as much. Every case has a service without other clients, which would
// hide that.
func TestAfterSilence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *app){
		"binary_frame": func(t *testing.T, a *app) {
			c := a.silent(t)
			c.writeFrame(ws.Header{Fin: true, OpCode: ws.OpBinary}, []byte("x"))
			c.expectClose(1003)
		},
		"close": func(t *testing.T, a *app) { a.silent(t).hangUp() },
		"terminate": func(t *testing.T, a *app) {
			c := a.connect(t)
			id := unique("16")
			c.signin(userData(id))
			time.Sleep(silence) // nothing happens: that is what is tested
			a.terminate(t, id, "{}")
			c.ended(4009)
		},
		"refusal": func(t *testing.T, a *app) {
			c := a.silent(t)
			a.refused(t, dialing{path: "/nothing"}, 4005)
			c.open()
		},
		"client_events": testBurstAfterSilence,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := target.private(t, silent)
			test(t, s.app(silent))
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// silent is a connection on which nothing has happened for a while.
func (a *app) silent(t *testing.T) *conn {
	t.Helper()
	c := a.connect(t)
	c.open()
	time.Sleep(silence) // nothing happens: that is what is tested
	c.last = "silence"
	return c
}

// testBurstAfterSilence uses up what may be sent at once, twice, with enough
// silence in between.
func testBurstAfterSilence(t *testing.T, a *app) {
	c1, c2, channel := pair(t, a, "private-a")
	for i := range 2 {
		if i > 0 {
			time.Sleep(silence)
		}
		for range 10 {
			c1.sendClientEvent("client-x", channel, "{}")
		}
		for range 10 {
			c2.expect("client-x", channel, "{}")
		}
		c1.open()
	}
}
