package brokertest

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A peer is a node under test. It is the receiver of its broker, and fails the
// test when the calls are not as promised.
type peer struct {
	*rig
	name   string
	broker broker.Broker

	mu     sync.Mutex
	busy   bool // in a call
	closed bool
	seen   map[string]*history // by the name of the other node
	pause  chan struct{}       // closed when receiving goes on; nil: it does
}

// history is what was heard of and from the nodes of a name.
type history struct {
	link   broker.Link // nil while nobody is there
	joined []node.ID
	left   []node.ID
	lost   int
	got    []broker.Message
	counts []uint64 // the Count of each
}

var _ broker.Receiver = (*peer)(nil)

// call is around every call.
func (p *peer) call(l broker.Link, f func(h *history)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy {
		p.Errorf("%s: two calls at the same time", p.name)
	}
	if p.closed {
		p.Errorf("%s: a call after Close", p.name)
	}
	p.busy = true
	for pause := p.pause; pause != nil; pause = p.pause {
		p.mu.Unlock()
		<-pause
		p.mu.Lock()
	}
	p.busy = false
	h := p.seen[l.Name()]
	if h == nil {
		h = new(history)
		p.seen[l.Name()] = h
	}
	f(h)
}

func (p *peer) Joined(l broker.Link) {
	p.call(l, func(h *history) {
		if slices.Contains(h.joined, l.ID()) && !slices.Contains(h.left, l.ID()) {
			p.Errorf("%s: %s joined twice", p.name, l.Name())
		}
		h.joined = append(h.joined, l.ID())
		h.link = l
	})
}

func (p *peer) Left(l broker.Link) {
	p.call(l, func(h *history) {
		if !slices.Contains(h.joined, l.ID()) {
			p.Errorf("%s: %s left before it joined", p.name, l.Name())
		}
		h.left = append(h.left, l.ID())
		if h.link == l {
			h.link = nil
		}
	})
}

func (p *peer) Lost(l broker.Link) {
	p.call(l, func(h *history) { h.lost++ })
}

func (p *peer) Receive(l broker.Link, m *broker.Message) {
	p.call(l, func(h *history) {
		if len(h.joined) == 0 {
			p.Errorf("%s: a message of %s, which has not joined", p.name, l.Name())
		}
		c := *m
		c.Info, c.Text, c.Data = slices.Clone(m.Info), slices.Clone(m.Text), slices.Clone(m.Data)
		if len(c.Text) > 1000 {
			c.Text = []byte("long, " + strconv.Itoa(len(c.Text)))
		}
		h.got = append(h.got, c)
		h.counts = append(h.counts, m.Count)
	})
}

// of returns a copy of what was heard of a node.
func (p *peer) of(name string) history {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.seen[name]; h != nil {
		return *h
	}
	return history{}
}

// awaitLink waits until a node of that name is there.
func (p *peer) awaitLink(name string) broker.Link {
	p.Helper()
	var l broker.Link
	p.eventually(name+" is known to "+p.name, func() bool {
		l = p.of(name).link
		return l != nil
	})
	return l
}

// number sends messages with these numbers.
func (p *peer) number(to string, from, n int) {
	p.Helper()
	l := p.awaitLink(to)
	m := broker.Message{Kind: broker.Subscribers, App: "app", Name: "channel"}
	for i := range n {
		m.Count = uint64(from + i)
		l.Send(&m)
	}
}

// awaitNumber waits until a number has come.
func (p *peer) awaitNumber(from string, n int) {
	p.Helper()
	p.eventually("number "+strconv.Itoa(n)+" of "+from+" is at "+p.name, func() bool {
		counts := p.of(from).counts
		return len(counts) > 0 && counts[len(counts)-1] == uint64(n)
	})
}

// suspend makes receiving take as long as until resume.
func (p *peer) suspend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause = make(chan struct{})
}

func (p *peer) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pause != nil {
		close(p.pause)
		p.pause = nil
	}
}

// close ends the node, as a death or after a Leave.
func (p *peer) close() {
	if err := p.broker.Close(p.context()); err != nil {
		p.Errorf("Close of %s: %v", p.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

func (p *peer) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.broker.Leave(ctx)
}
