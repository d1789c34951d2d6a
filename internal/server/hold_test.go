package server

import (
	"net/http"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// While an app is held, because its webhooks wait for the engine, its clients
// are not read: they are told what happens, and answered when the app goes on.
// Clients of other apps do not notice.
func TestHeldAppDoesNotDelayAnother(t *testing.T) {
	ping, pong := `{"event":"pusher:ping","data":{}}`, string(protocol.AppendPong(nil))
	for name, portable := range map[string]bool{"polled": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			other := testApp()
			other.ID, other.Keys = "2", []apps.Key{{Key: "key2", Secret: "secret2"}}
			n := start(t, Config{PortableSockets: portable, Apps: []*apps.App{testApp(), other}})
			held := n.connect()
			held.subscribe("news")
			n.loops.HoldOwner("1")
			held.send(ping)
			free := dial(t, "ws://"+n.Addr().String()+"/app/key2?protocol=7", nil)
			free.expectEstablished()
			free.subscribe("news")
			late := n.connect() // it may connect, and waits from then on
			late.send(ping)
			for range 100 {
				free.send(ping)
				free.expect(pong)
			}
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			n.trigger(client, "http://"+n.Addr().String(), "news", "hello")
			held.expect(event("news", "hello")) // and not the pong before it
			n.loops.ReleaseOwner("1")
			held.expect(pong)
			late.expect(pong)
			held.send(ping)
			held.expect(pong)
		})
	}
}
