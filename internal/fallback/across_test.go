package fallback_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/membroker"
	nodeid "github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/relay"
	"github.com/belfryhq/belfry/internal/fallback"
)

// TestAcrossNodes holds three servers that take requests in turns to the same
// statements as one. They share a hub, as if nothing took time between them;
// sessions each has its own, and reaches the others' over relays.
func TestAcrossNodes(t *testing.T) {
	for _, s := range checklist() {
		t.Run(fmt.Sprintf("%03d_%s", s.number, s.name), func(t *testing.T) {
			t.Parallel()
			s.test(t)
		})
	}
	for name, test := range map[string]func(*testing.T){
		"attempts":     TestAttemptsAreCountedOnce,
		"forged":       TestForgedSessions,
		"nothing_left": TestManySessionsLeaveNothing,
		"slow_reader":  TestSlowReaderIsSentAway,
		"HTTP10":       TestHTTP10,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// join adds servers that are joined by relays.
func (n *node) join(cfg fallback.Config, count int, elsewhere func(fallback.Elsewhere) fallback.Elsewhere) {
	n.t.Helper()
	n.network = membroker.NewNetwork(membroker.Options{})
	for i := range count {
		metrics := prometheus.NewRegistry()
		r := relay.New(relay.Config{Registerer: metrics})
		cfg.Elsewhere = r
		if elsewhere != nil {
			cfg.Elsewhere = elsewhere(r)
		}
		s := n.serve(cfg)
		r.Start(relay.Host{Has: s.Has, Handler: s.Relayed()})
		b := n.network.Join(nameOf(i))
		if err := b.Start(r.Receiver(nobody{})); err != nil {
			n.t.Fatal(err)
		}
		n.metrics, n.relays = append(n.metrics, metrics), append(n.relays, r)
		n.t.Cleanup(func() {
			if err := errors.Join(r.Close(context.Background()), b.Close(context.Background())); err != nil {
				n.t.Error(err)
			}
		})
	}
	synctest.Wait() // until they know each other
}

// nameOf is what a server is called in the network.
func nameOf(server int) string { return fmt.Sprint("node", server) }

// nobody is a receiver that hears nothing: the servers share a hub.
type nobody struct{}

func (nobody) Joined(broker.Link)                   {}
func (nobody) Receive(broker.Link, *broker.Message) {}
func (nobody) Lost(broker.Link)                     {}
func (nobody) Left(broker.Link)                     {}

// die makes a server unreachable for the others.
func (n *node) die(server int) {
	for i := range n.relays {
		if i != server {
			n.network.Cut(nameOf(server), nameOf(i))
		}
	}
}

// at makes one server take all requests, counted from 0.
func (n *node) at(server int) { n.only.Store(int64(server) + 1) }

// inTurns makes all servers take requests again.
func (n *node) inTurns() { n.only.Store(0) }

// TestEveryNodeTakesEveryRequest counts that requests of one session are taken
// by nodes that do not have it, and that the one that has it asks nobody.
func TestEveryNodeTakesEveryRequest(t *testing.T) {
	const rounds = 30
	attempts := 0
	cfg := fallback.Config{Attempt: func(*http.Request) bool { attempts++; return true }}
	run(t, setup{nodes: 3, fallback: cfg}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.at(1)
		n.polling(session, "news") // three requests
		if got := n.counters("belfry_relay_questions_total"); !maps.Equal(got, map[string]float64{"answer=none": 1}) {
			t.Errorf("questions %v, want one, of the request that opened the session", got)
		}
		n.inTurns()
		for i := range rounds {
			n.send(session, `{"event":"pusher:ping"}`)
			n.trigger("news", "e", fmt.Sprint(i))
			list := n.messages(n.poll(session))
			for len(list) < 2 {
				list = append(list, n.messages(n.poll(session))...)
			}
			if n.decode(list[0]).Event != "pusher:pong" || n.decode(list[1]).text() != fmt.Sprint(i) {
				t.Fatalf("round %d: %q", i, list)
			}
		}
		got := n.counters("belfry_relay_questions_total")
		if got["answer=none"] != 1 || got["answer=found"] < rounds || len(got) != 2 {
			t.Errorf("questions %v, want two in three requests of %d or more", got, 2*rounds)
		}
		if c := n.connections(); c != 1 || attempts != 1 {
			t.Errorf("%d connections, %d attempts, want one", c, attempts)
		}
	})
}

// TestOwnerDies: the client of another node hears of it as it would of the end
// of its connection, and gets a new session.
func TestOwnerDies(t *testing.T) {
	bothVersions(t, setup{nodes: 2}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.at(0)
		n.polling(session, "news")
		n.at(1)
		s := n.stream(session)
		n.trigger("news", "e", "")
		s.event("e")
		start := time.Now()
		n.die(0)
		if l, err := s.within(time.Minute); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("line %q, %v; want the response broken off", l, err)
		}
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("the response was broken off after %v", took)
		}
		n.stream(session).established()
	})
}

// TestPassingNodeDies: to the session it is the client that has gone.
func TestPassingNodeDies(t *testing.T) {
	run(t, setup{nodes: 2}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.at(0)
		n.polling(session, "news")
		n.at(1)
		s := n.stream(session)
		n.trigger("news", "e", "")
		s.event("e")
		n.die(1)
		time.Sleep(8 * time.Second)
		if c := n.connections(); c != 0 {
			t.Errorf("%d connections, want none", c)
		}
	})
}

// TestPassingNodeDrains: clients whose session is elsewhere leave a node that
// is about to end, in the way that each transport has for it.
func TestPassingNodeDrains(t *testing.T) {
	drain := func(n *node) { n.relays[1].Drain(context.Background(), time.Second) }
	session := appPath("1") + "/1/aaaaaaaa"
	bothVersions(t, setup{nodes: 2}, func(n *node) {
		n.at(0)
		n.polling(session, "news")
		n.at(1)
		s := n.stream(session)
		n.connections()
		drain(n)
		s.expect(`c[4200,"Please reconnect immediately"]`)
		s.ended()
		if n.connections() != 0 || n.sockets() != 0 {
			t.Errorf("%d connections, %d sessions are left", n.connections(), n.sockets())
		}
	})
	bothVersions(t, setup{nodes: 2}, func(n *node) {
		n.at(0)
		n.polling(session, "news")
		n.at(1)
		answer := n.answerOf("POST", session+"/xhr"+query)
		n.connections()
		drain(n)
		if got := <-answer; got != "a[]\n" {
			t.Errorf("poll = %q, want a[]", got)
		}
		n.at(0)
		n.trigger("news", "e", "")
		if got := n.poll(session); !strings.Contains(got, "news") {
			t.Errorf("poll elsewhere = %q, want the event", got)
		}
	})
	for _, kind := range []string{"xhr_streaming", "eventsource", "htmlfile"} {
		bothVersions(t, setup{nodes: 2}, func(n *node) {
			n.at(0)
			c := n.carrier("xhr", sockJSSession)
			c.connect("news")
			n.at(1)
			c.kind = kind
			c.reopen()
			n.connections()
			drain(n)
			c.s.ended()
			n.at(0)
			c.reopen()
			n.trigger("news", "e", "")
			c.event("e")
		})
	}
}

// A barrier lets the first two questions be answered at the same moment.
type barrier struct {
	fallback.Elsewhere
	first *sync.WaitGroup
	count *atomic.Int64
}

func (b barrier) Find(ctx context.Context, session string) (nodeid.ID, bool) {
	to, ok := b.Elsewhere.Find(ctx, session)
	if b.count.Add(1) <= 2 {
		b.first.Done()
		b.first.Wait()
	}
	return to, ok
}

// TestTwoFirstRequests: of a session that two nodes open at the same moment
// each has its own, and the one whose request the client gives up is gone at
// once.
func TestTwoFirstRequests(t *testing.T) {
	b := barrier{count: new(atomic.Int64)}
	s := setup{nodes: 2, elsewhere: func(e fallback.Elsewhere) fallback.Elsewhere {
		if b.first == nil { // in the bubble
			b.first = new(sync.WaitGroup)
			b.first.Add(2)
		}
		b.Elsewhere = e
		return b
	}}
	run(t, s, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		var both [2]*stream
		var opened sync.WaitGroup
		for i := range both {
			opened.Go(func() { both[i] = n.stream(session) })
		}
		opened.Wait()
		for _, s := range both {
			s.established()
		}
		both[0].cancel()
		if c := n.connections(); c != 1 {
			t.Fatalf("%d connections, want one", c)
		}
		for range 4 {
			n.send(session, `{"event":"pusher:ping"}`)
			both[1].event("pusher:pong")
		}
	})
}

// A liar says that a node has the session, which it does not.
type liar struct{ asked, forwarded int }

func (l *liar) Find(context.Context, string) (nodeid.ID, bool) {
	l.asked++
	return "ABCDEFGHIJKLMNOP", true
}

func (l *liar) Forward(http.ResponseWriter, *http.Request, nodeid.ID) bool {
	l.forwarded++
	return false
}

// TestSessionThatHasJustEnded: a session that a node has had when it was asked,
// and not when the request came, is opened anew, after a few times.
func TestSessionThatHasJustEnded(t *testing.T) {
	var l liar
	run(t, setup{fallback: fallback.Config{Elsewhere: &l}}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		s := n.connected(session)
		if l.asked != 3 || l.forwarded != 3 {
			t.Errorf("asked %d times, forwarded %d times, want 3 each", l.asked, l.forwarded)
		}
		n.send(session)
		s.expect("a[]")
		if l.asked != 3 {
			t.Error("it was asked for a session that is here")
		}
		if status, _ := n.post(appPath("1")+"/2/aaaaaaaa/xhr_send", "[]"); status != http.StatusNotFound || l.asked != 6 {
			t.Errorf("send to no session = %d, asked %d times more", status, l.asked-3)
		}
	})
}

// TestRelayedRequestsOpenNothing: nor do they reach what is no request of a
// session.
func TestRelayedRequestsOpenNothing(t *testing.T) {
	var l liar
	run(t, setup{fallback: fallback.Config{Elsewhere: &l}}, func(n *node) {
		for path, want := range map[string]int{
			"/app/key1/1/aaaaaaaa/xhr": 421, "/app/key1/1/aaaaaaaa/xhr_streaming": 421, "/app/key1/1/aaaaaaaa/xhr_send": 421, "/1/aaaaaaaa/xhr": 421,
			"/info": 404, "/iframe.html": 404, "/1/aaaaaaaa/eventsource": 404, "/nothing": 404,
		} {
			w := httptest.NewRecorder()
			n.servers[0].Relayed().ServeHTTP(w, httptest.NewRequest("POST", "/pusher"+path, strings.NewReader("[]")))
			if w.Code != want {
				t.Errorf("%s = %d, want %d", path, w.Code, want)
			}
		}
		if n.sockets() != 0 || l.asked != 0 {
			t.Errorf("%d sessions, asked %d times, want nothing", n.sockets(), l.asked)
		}
	})
}
