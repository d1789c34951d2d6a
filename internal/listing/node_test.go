package listing

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/protocol"
)

// A queue is the loops of a hub, whose work waits until the test runs it.
type queue struct {
	mu   sync.Mutex
	jobs [2][]func(loop int)
}

func (q *queue) Len() int                    { return len(q.jobs) }
func (q *queue) Admit(context.Context) error { return nil }

func (q *queue) Post(loop int, run func(loop int), _ int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[loop] = append(q.jobs[loop], run)
}

// run runs all jobs, and those that they bring.
func (q *queue) run() {
	for more := true; more; {
		more = false
		for loop := range q.jobs {
			q.mu.Lock()
			jobs := q.jobs[loop]
			q.jobs[loop] = nil
			q.mu.Unlock()
			for _, job := range jobs {
				job(loop)
				more = true
			}
		}
	}
}

// A node is a hub with one app.
type node struct {
	t     testing.TB
	hub   *hub.Hub
	loops queue
	app   *apps.App
	next  int // the loop of the next client
}

func newNode(t testing.TB) *node {
	t.Helper()
	app := &apps.App{
		ID: "1", Keys: []apps.Key{{Key: "key", Secret: "secret"}}, WatchlistEvents: true,
		ActivityTimeout: 120 * time.Second, Limits: apps.DefaultLimits(),
	}
	registry, err := apps.NewRegistry([]*apps.App{app})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, app: app}
	n.hub = hub.New(hub.Config{Apps: registry, Loops: &n.loops})
	t.Cleanup(n.hub.Close)
	return n
}

// A client is the socket of a session.
type client struct {
	session *hub.Session
	closed  *protocol.Error
}

func (c *client) Send(*frame.Frame) {}

func (c *client) Close(why *protocol.Error) {
	c.closed = why
	c.session.End(hub.Ending{})
}

// visit connects a client that says what it is.
func (n *node) visit(origin, library, transport, addr string) *client {
	n.t.Helper()
	r := hub.Request{
		Path: "/app/key", Query: url.Values{"protocol": {"7"}, "client": {library}, "version": {"8.4.0"}},
		Secure: true, Transport: transport, Address: netip.MustParseAddr(addr), Origin: origin,
	}
	c := &client{}
	s, refused := n.hub.Connect(r, c, n.next%n.loops.Len())
	if refused != nil {
		n.t.Fatal(refused)
	}
	n.next++
	c.session = s
	return c
}

func (n *node) connect() *client { return n.visit("", "js", "websocket", "192.0.2.1") }

func (c *client) receive(event, data string) {
	c.session.Receive(time.Now(), fmt.Appendf(nil, `{"event":%q,"data":%s}`, event, data))
}

func (c *client) subscribe(channel string) {
	c.receive(protocol.EventSubscribe, fmt.Sprintf(`{"channel":%q}`, channel))
}

// join subscribes to a presence channel.
func (c *client) join(channel, channelData string) {
	auth := "key:" + protocol.Sign("secret", protocol.ChannelDataText(c.session.ID(), channel, channelData))
	c.receive(protocol.EventSubscribe, fmt.Sprintf(`{"channel":%q,"auth":%q,"channel_data":%q}`, channel, auth, channelData))
}

func (c *client) signIn(userData string) {
	auth := "key:" + protocol.Sign("secret", protocol.UserText(c.session.ID(), userData))
	c.receive(protocol.EventSignin, fmt.Sprintf(`{"auth":%q,"user_data":%q}`, auth, userData))
}
