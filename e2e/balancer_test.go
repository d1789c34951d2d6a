package e2e

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A balancer passes TCP connections on, each to the address that next returns.
type balancer struct {
	listener net.Listener
	next     func() string
	wg       sync.WaitGroup
}

func startBalancer(t testing.TB, next func() string) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: l, next: next}
	b.wg.Go(b.serve)
	t.Cleanup(func() {
		l.Close()
		b.wg.Wait()
	})
	return b
}

func (b *balancer) serve() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", b.next())
		if err != nil {
			client.Close()
			continue
		}
		pass := func(to, from net.Conn) {
			io.Copy(to, from)
			to.Close()
		}
		b.wg.Go(func() { pass(server, client) })
		b.wg.Go(func() { pass(client, server) })
	}
}

// TestPageMovesToAnotherProcess is a rolling deploy: the process that drains
// sends its pages away with 4200, and they are served by the next one without
// having been offline.
func TestPageMovesToAnotherProcess(t *testing.T) {
	t.Parallel()
	requireModules(t)
	old := service.Start(t, service.Config{})
	next := service.Start(t, service.Config{})
	var target atomic.Pointer[service.Service] // of new connections
	target.Store(old)
	lb := startBalancer(t, func() string { return target.Load().Addr })
	auth := startGoBackend(t, old, theApp)
	b := openBrowser(t, old, auth.AuthURL())
	options := b.options(map[string]string{"user": "ann"})
	options["wsPort"] = port(lb.listener.Addr().String())
	ann := b.Start("ann", service.Key, options)
	ann.AwaitState("connected")
	ann.Subscribe("presence-room")

	target.Store(next)
	old.Stop()
	if code := ann.AwaitError(); code != 4200.0 {
		t.Errorf("code = %v, want 4200", code)
	}
	ann.AwaitState("connected")
	ann.Await("presence-room", "pusher:subscription_succeeded")
	if _, err := startGoBackend(t, next, theApp).Trigger([]string{"presence-room"}, "after", order, triggerParams{}); err != nil {
		t.Fatal(err)
	}
	ann.AwaitData("presence-room", "after", order)
	if n := ann.Count("state", "", "unavailable"); n != 0 {
		t.Errorf("the page was offline %d times, want never", n)
	}
}
