package recall

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history"
)

// A peer notes what it is sent.
type peer struct {
	id   node.ID
	sent []broker.Message
}

func (p *peer) ID() node.ID                { return p.id }
func (p *peer) Name() string               { return string(p.id) }
func (p *peer) Send(m *broker.Message)     { p.sent = append(p.sent, *m) }
func (p *peer) Sync(done func())           { done() }
func (p *peer) Room(context.Context) error { return nil }

// asked are the publishers about which the peer was asked.
func (p *peer) asked() (list []string) {
	for _, m := range p.sent {
		list = append(list, m.User)
	}
	return list
}

func TestOthersAreAskedAboutPeersThatDoNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := &peer{id: "b"}, &peer{id: "c"}
		a := Asker{Self: "a", Peers: slices.Values([]broker.Link{b, c})}
		var lock sync.Mutex
		ended := make(chan bool, 1)

		lock.Lock()
		r := a.New(Channel{App: "1", Name: "news", Lock: &lock}, history.Position{{Publisher: "b", Number: 1}, {Publisher: "gone", Number: 7}})
		r.Then(func(whole bool) { ended <- whole })
		r.Start()
		r.Answered("b", r.number, "b", true)
		lock.Unlock()

		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("the recall is over before c has answered")
		default:
		}
		if whole := <-ended; whole {
			t.Error("the recall says that every peer has answered for itself")
		}
		if got, want := b.asked(), []string{"", "c", "gone"}; !slices.Equal(got, want) {
			t.Errorf("b was asked about %q, want %q", got, want)
		}
		if got, want := c.asked(), []string{""}; !slices.Equal(got, want) {
			t.Errorf("c was asked about %q, want %q", got, want)
		}
	})
}

// Who is known to be silent is not waited for.
func TestSilentPeerIsNotWaitedFor(t *testing.T) {
	b, c := &peer{id: "b"}, &peer{id: "c"}
	a := Asker{
		Self: "a", Peers: slices.Values([]broker.Link{b, c}),
		Silent: func(l broker.Link) bool { return l.ID() == "c" },
	}
	var lock sync.Mutex
	var ended []bool
	r := a.New(Channel{App: "1", Name: "news", Lock: &lock}, nil)
	r.Then(func(whole bool) { ended = append(ended, whole) })
	r.Start()
	r.Answered("b", r.number, "b", true)
	if len(ended) > 0 {
		t.Fatal("the recall is over before b was asked about c")
	}
	r.Answered("b", r.number, "c", true)
	if !slices.Equal(ended, []bool{false}) {
		t.Errorf("ended = %v, want that it is over, and that not all have answered", ended)
	}
	if len(c.sent) > 0 {
		t.Errorf("c was asked %v", c.sent)
	}
	if got, want := b.asked(), []string{"", "c"}; !slices.Equal(got, want) {
		t.Errorf("b was asked about %q, want %q", got, want)
	}
}

func TestAnswersArriveAsTheyWereSent(t *testing.T) {
	event := func(n, before uint64) history.Event {
		return history.Event{
			Mark: history.Mark{Publisher: "b", Number: n}, Before: before,
			Frame: frame.Text(func(b []byte) []byte { return append(b, "text"...) }),
		}
	}
	for name, c := range map[string]struct {
		kept Kept
		want bool
	}{
		"whole":                  {Kept{history.Range{Publisher: "b", Floor: 2, Last: 9}, []history.Event{event(5, 2), event(9, 5)}, 1}, true},
		"of another publisher":   {Kept{history.Range{Publisher: "b", Floor: 2, Last: 5}, []history.Event{event(5, 2)}, 1}, true},
		"with a hole":            {Kept{history.Range{Publisher: "b", Floor: 2, Last: 9}, []history.Event{event(9, 5)}, 1}, false},
		"without its end":        {Kept{history.Range{Publisher: "b", Floor: 2, Last: 9}, []history.Event{event(5, 2)}, 1}, false},
		"of this node itself":    {Kept{history.Range{Publisher: "a", Floor: 2, Last: 2}, nil, 1}, false},
		"that there was nothing": {Kept{history.Range{Publisher: "b"}, nil, 1}, true},
		"nothing":                {Kept{history.Range{}, nil, 1}, false},
	} {
		var to peer
		c.kept.Send(&to, "1", "news")
		var in Incoming
		var got Kept
		complete := false
		for i, m := range to.sent {
			if complete {
				t.Errorf("%s: complete before message %d", name, i)
			}
			got, complete = in.Take("b", &m)
		}
		if !complete || got.Range != c.kept.Range || len(got.Events) != len(c.kept.Events) {
			t.Errorf("%s: got %+v (complete: %t), want %+v", name, got, complete, c.kept)
		}
		if usable := got.Usable("a"); usable != c.want {
			t.Errorf("%s: Usable = %t, want %t", name, usable, c.want)
		}
	}
}
