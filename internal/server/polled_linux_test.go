package server

import (
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/loop"
)

// With TLS and without, a client costs no goroutine: its loop polls the
// descriptor, unless that is not wanted.
func TestLoopsPollClients(t *testing.T) {
	for _, portable := range []bool{false, true} {
		n := start(t, withCertificate(t, Config{PortableSockets: portable, Apps: []*apps.App{testApp()}}, "127.0.0.1:0"))
		for _, url := range []string{"ws://" + n.Addr().String(), "wss://" + n.TLSAddr().String()} {
			c := dial(t, url+"/app/key?protocol=7", nil)
			c.expectEstablished()
			c.subscribe("news")
		}
		polled := make(chan bool, 2)
		n.loops.Each(func(s *loop.Socket) { polled <- s.Descriptor() >= 0 })
		for range 2 {
			if got := <-polled; got == portable {
				t.Errorf("a socket is polled: %t, where portable sockets are wanted: %t", got, portable)
			}
		}
	}
}
