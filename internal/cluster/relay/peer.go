package relay

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
)

// The names of messages between relays. Count is the number of a connection, and
// On whether its dialer has sent the message; or Count is that of a question.
const (
	messageOpen   = "o" // opens a connection
	messageData   = "d" // Text: bytes of a connection
	messageCredit = "c" // Text: so many bytes were taken, 4 bytes
	messageEnd    = "e" // nothing follows on a connection
	messageAsk    = "q" // Text: the session
	messageAnswer = "a" // On: whether it is there
	messageLeave  = "l" // Count: over how many milliseconds the sender's clients are sent away
)

// Why connections end before their time.
var (
	errLost   = errors.New("relay: messages of the other node were lost")
	errSilent = errors.New("relay: the other node is silent")
	errGone   = errors.New("relay: the other node is gone")
	errClosed = errors.New("relay: closed")
	errFull   = errors.New("relay: too many requests are passed on")
	errBroken = errors.New("relay: the other node has sent what it may not")
)

// maxAccepted is how many connections a peer may have open to this node. It
// needs one, and another while the end of the first is on its way.
const maxAccepted = 4

// A key names a connection of a link.
type key struct {
	number uint64
	ours   bool // this node has dialed
}

// A peer is another node, as long as its link lives.
type peer struct {
	relay   *Relay
	link    broker.Link
	suspect atomic.Bool // it is silent
	dialer  dialer

	mu       sync.Mutex
	gone     bool
	conns    map[key]*conn
	dialed   uint64 // number of the last connection
	accepted int    // connections of the peer that are open
	answers  map[*response]struct{}
	leaving  bool // it sends its clients away
}

func newPeer(r *Relay, l broker.Link) *peer {
	return &peer{relay: r, link: l, conns: make(map[key]*conn), answers: make(map[*response]struct{})}
}

// receive takes a message, on the broker's goroutine.
func (p *peer) receive(m *broker.Message) {
	switch m.Name {
	case messageAsk:
		has := !p.relay.isClosed() && p.relay.host.Has(string(m.Text))
		p.link.Send(&broker.Message{Kind: broker.Relay, Name: messageAnswer, Count: m.Count, On: has})
	case messageAnswer:
		p.relay.finds.told(p.link.ID(), m.Count, m.On)
	case messageLeave:
		p.leave(time.Duration(min(m.Count, maxLeave)) * time.Millisecond)
	default:
		p.receiveOfConn(m)
	}
}

// receiveOfConn takes a message that is about a connection.
func (p *peer) receiveOfConn(m *broker.Message) {
	k := key{m.Count, !m.On}
	if m.Name == messageOpen && !k.ours {
		if !p.accept(k) {
			p.send(k, messageEnd, nil)
		}
		return
	}
	p.mu.Lock()
	c := p.conns[k]
	p.mu.Unlock()
	switch {
	case c == nil && m.Name == messageEnd: // it has ended here as well
	case c == nil:
		p.send(k, messageEnd, nil)
	case m.Name == messageData:
		c.put(m.Text)
	case m.Name == messageCredit && len(m.Text) == 4:
		c.refill(int(binary.BigEndian.Uint32(m.Text)))
	case m.Name == messageEnd:
		c.finish()
	default:
		c.end(errBroken)
	}
}

// send sends a message about a connection.
func (p *peer) send(k key, name string, text []byte) {
	p.link.Send(&broker.Message{Kind: broker.Relay, Name: name, Count: k.number, On: k.ours, Text: text})
}

// accept makes a connection of the peer be served.
func (p *peer) accept(k key) bool {
	c := newConn(p, k)
	if !p.add(c) {
		return false
	}
	if !p.relay.listener.offer(c) {
		p.remove(c)
		return false
	}
	return true
}

// dial opens a connection to the peer.
func (p *peer) dial() (*conn, error) {
	p.mu.Lock()
	p.dialed++
	k := key{p.dialed, true}
	p.mu.Unlock()
	c := newConn(p, k)
	if p.suspect.Load() || !p.add(c) {
		return nil, errGone
	}
	p.send(k, messageOpen, nil)
	return c, nil
}

// add makes a connection known to the link, unless that is over.
func (p *peer) add(c *conn) bool {
	if p.relay.isClosed() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.conns[c.key] != nil || !c.key.ours && p.accepted >= maxAccepted {
		return false
	}
	p.conns[c.key] = c
	if !c.key.ours {
		p.accepted++
	}
	return true
}

func (p *peer) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c.key] != c {
		return
	}
	delete(p.conns, c.key)
	if !c.key.ours {
		p.accepted--
	}
}

// breakOff ends all connections, and with them the requests.
func (p *peer) breakOff(why error) {
	p.mu.Lock()
	p.gone = p.gone || why == errGone || why == errClosed
	conns := make([]*conn, 0, len(p.conns))
	for _, c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		c.end(why)
	}
}

const (
	// leaveAgain is when a request ends that comes while the peer sends its
	// clients away.
	leaveAgain = time.Second
	maxLeave   = 24 * 60 * 60 * 1000 // milliseconds
)

// sendLeave tells the peer that this node sends its clients away.
func (p *peer) sendLeave(over time.Duration) {
	p.link.Send(&broker.Message{Kind: broker.Relay, Name: messageLeave, Count: uint64(over.Milliseconds())})
}

// leave has the answers end that go to clients of the peer.
func (p *peer) leave(over time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = true
	for a := range p.answers {
		if a.timer == nil {
			a.leaveIn(rand.N(over + 1))
		}
	}
}

// begin notes an answer to a client of the peer.
func (p *peer) begin(a *response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[a] = struct{}{}
	if p.leaving {
		a.leaveIn(leaveAgain)
	}
}

func (p *peer) end(a *response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.answers, a)
	if a.timer != nil {
		a.timer.Stop()
	}
}
