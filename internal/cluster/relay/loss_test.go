package relay

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/membroker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// conversation is a handler that needs many packets in each direction: a body
// that takes more than a stream's window, and then an answer in parts.
func conversation(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	for i := range 4 {
		w.Write(body[i*len(body)/4 : (i+1)*len(body)/4])
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		time.Sleep(700 * time.Millisecond)
	}
}

const conversationSize = 150 << 10

// converse has a conversation, and returns whether its answer came as a whole.
// Otherwise it has to be broken off.
func (c *cluster) converse() bool {
	c.t.Helper()
	s := newSink()
	o := c.forwardBody(c.t.Context(), s, "/", strings.NewReader(pattern(conversationSize)), conversationSize)
	o.wait(c.t, time.Minute)
	text := s.all()
	switch {
	case o.panicked == http.ErrAbortHandler:
		if s.status != 200 || !strings.HasPrefix(pattern(conversationSize), text) {
			c.t.Errorf("%d bytes came that were not sent like that", len(text))
		}
		return false
	case o.panicked != nil:
		c.t.Errorf("panic: %v", o.panicked)
		return false
	case s.status == 503:
		return false
	}
	if s.status != 200 || text != pattern(conversationSize) {
		c.t.Errorf("an answer of status %d with %d bytes was not broken off", s.status, len(text))
	}
	return true
}

// TestLostPacketsLoseNothing loses packets in both directions, at any place of
// many conversations. Only two are held at a time, so that their bytes have room
// in the window: in a bubble no time passes while net/http waits for a lock of
// its own.
func TestLostPacketsLoseNothing(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.handle = conversation
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				for range 10 {
					if !c.converse() {
						t.Error("a conversation was broken off")
					}
				}
			})
		}
		for range 30 {
			for _, way := range [][2]string{{name(0), name(1)}, {name(1), name(0)}} {
				c.network.Restore(way[0], way[1])
				c.network.Drop(way[0], way[1], 1)
			}
			time.Sleep(1700 * time.Millisecond) // less often than what is lost is sent again
		}
		all.Wait()
		c.atRest(time.Second)
	})
}

// TestShortInterruptionBreaksNothing: a network that is cut for less than the
// lease delays an answer.
func TestShortInterruptionBreaksNothing(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.handle = conversation
		done := make(chan bool)
		go func() { done <- c.converse() }()
		for range 3 {
			time.Sleep(2 * beat) // so that each is heard in between
			c.network.Cut(name(0), name(1))
			time.Sleep(lease / 2)
			c.network.Heal(name(0), name(1))
		}
		if !<-done {
			t.Error("the conversation was broken off")
		}
		c.atRest(time.Second)
	})
}

// TestLossBreaksOff: what the link has lost for good ends the requests of that
// peer at both nodes, and later ones are passed on again.
func TestLossBreaksOff(t *testing.T) {
	for at := range 2 { // who misses something
		run(t, 2, nil, func(c *cluster) {
			seen := make(chan error, 1)
			c.handle = ended(true, seen)
			o := c.forward(c.t.Context(), newSink(), "/")
			synctest.Wait()
			p := c.relays[at].allPeers()[0]
			c.relays[at].Receiver(nobody{}).Lost(p.link)
			<-seen
			o.wait(t, time.Second)
			if o.panicked != http.ErrAbortHandler {
				t.Errorf("panic %v, want the answer broken off", o.panicked)
			}
			c.atRest(time.Second)
			c.handle = conversation
			if !c.converse() {
				t.Error("a conversation after the loss was broken off")
			}
		})
	}
}

// TestFullOutboxBreaksOff: a peer that does not take anything any more loses
// messages of the hub, and the requests with them, and nobody waits for ever.
func TestFullOutboxBreaksOff(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.handle = conversation
		c.network.Cut(name(0), name(1))
		m := &broker.Message{Kind: broker.Event, App: "a", Name: "c", Text: make([]byte, 100<<10)}
		l := c.front().allPeers()[0].link
		for range 1000 {
			l.Send(m)
		}
		done := make(chan bool)
		go func() { done <- c.converse() }()
		time.Sleep(2 * beat)
		c.network.Heal(name(0), name(1))
		<-done
		c.atRest(lease)
		if !c.converse() {
			t.Error("a conversation after the loss was broken off")
		}
	})
}

// TestNewConnectionAfterManyRequests: HTTP/2 runs out of numbers, and the next
// connection goes on. The old one ends with its last request.
func TestNewConnectionAfterManyRequests(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.front().maxUses = 2
		c.handle = conversation
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if !c.converse() {
					t.Error("a conversation was broken off")
				}
			})
		}
		all.Wait()
		time.Sleep(time.Second)
		for i, r := range c.relays {
			p := r.allPeers()[0]
			p.mu.Lock()
			if n := len(p.conns); n != 1 {
				t.Errorf("relay %d has %d connections, want the last one", i, n)
			}
			p.mu.Unlock()
		}
	})
}

// TestHubsMessagesPassThrough: what is not of relays reaches the receiver behind
// one, with all that is told of peers.
func TestHubsMessagesPassThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := membroker.NewNetwork(membroker.Options{Lease: lease})
		var all []*witness
		for i := range 2 {
			w := &witness{}
			b := network.Join(name(i))
			r := New(Config{})
			r.Start(Host{Has: func(string) bool { return true }})
			if err := b.Start(r.Receiver(w)); err != nil {
				t.Fatal(err)
			}
			defer b.Close(t.Context())
			defer r.Close(t.Context())
			w.relay = r
			all = append(all, w)
		}
		synctest.Wait()
		if to, ok := all[0].relay.Find(t.Context(), "s"); !ok || to == "" {
			t.Error("the session is not found")
		}
		all[0].link.Send(&broker.Message{Kind: broker.Terminate, App: "a", Name: "u"})
		synctest.Wait()
		network.Cut(name(0), name(1))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := all[1].heard, []string{"joined", "u", "suspected", "left"}; !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

// A witness notes what it hears.
type witness struct {
	relay *Relay
	link  broker.Link
	heard []string
}

func (w *witness) Joined(l broker.Link) {
	w.link = l
	w.heard = append(w.heard, "joined")
}
func (w *witness) Receive(_ broker.Link, m *broker.Message) { w.heard = append(w.heard, m.Name) }
func (w *witness) Lost(broker.Link)                         { w.heard = append(w.heard, "lost") }
func (w *witness) Left(broker.Link)                         { w.heard = append(w.heard, "left") }
func (w *witness) Suspected(_ broker.Link, silent bool) {
	if silent {
		w.heard = append(w.heard, "suspected")
	}
}

// A sinkLink is a link that leads nowhere.
type sinkLink struct{ broker.Link }

func (sinkLink) ID() node.ID          { return "ABCDEFGHIJKLMNOP" }
func (sinkLink) Send(*broker.Message) {}

// FuzzReceive is told anything by a peer: it must not panic, nor keep more than
// it may.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("o\x01\x01d\x01\x01c\x01\x00e\x01\x01q\x01\x01a\x01\x01l\x01\x01"), []byte("PRI * HTTP/2.0"))
	f.Fuzz(func(t *testing.T, steps, text []byte) {
		r := New(Config{})
		r.host.Has = func(string) bool { return false }
		receiver := r.Receiver(nobody{})
		receiver.Joined(sinkLink{})
		for ; len(steps) >= 3; steps = steps[3:] {
			receiver.Receive(sinkLink{}, &broker.Message{
				Kind: broker.Relay, Name: string(steps[:1]), Count: uint64(steps[1]), On: steps[2]&1 != 0, Text: text,
			})
			p := r.peer(sinkLink{}.ID())
			if len(p.conns) > maxAccepted {
				t.Fatalf("%d connections", len(p.conns))
			}
			for _, c := range p.conns {
				if len(c.in) > window || c.room > window {
					t.Fatalf("%d bytes are kept, %d may be sent", len(c.in), c.room)
				}
			}
		}
		receiver.Left(sinkLink{})
		if r.peer(sinkLink{}.ID()) != nil {
			t.Fatal("the peer is still there")
		}
	})
}
