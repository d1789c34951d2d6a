package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// A plan says which connection subscribes to which channels, and which streams
// of events there are. It does not change while a run goes on.
type plan struct {
	work      work
	settings  Settings
	names     []string // of the channels
	streams   int      // of every channel
	receivers []int    // of every channel: connections that count what they get
}

func newPlan(l Load, s Settings) *plan {
	p := &plan{work: l.does, settings: s, names: make([]string, s.Channels), receivers: make([]int, s.Channels)}
	nonce := rand.Uint32() // so that what was cached by an earlier run is not ours
	for i := range p.names {
		p.names[i] = fmt.Sprintf("%s%08x-%d", l.prefix, nonce, i)
	}
	switch p.work {
	case triggers:
		p.streams = s.Inflight // one for every publisher
	case chats:
		p.streams = p.rooms() // one for every member
	case churns:
		p.streams = 2 * p.rooms() // joins and leaves of every member
	}
	for i := range s.Connections {
		if !p.counts(i) {
			continue
		}
		for _, c := range p.channelsOf(i) {
			p.receivers[c]++
		}
	}
	return p
}

// rooms is how many members a channel has, at most.
func (p *plan) rooms() int {
	return (p.settings.Connections + p.settings.Channels - 1) / p.settings.Channels
}

// member is the place of a connection among those of its channel.
func (p *plan) member(connection int) int { return connection / p.settings.Channels }

// channelsOf returns the channels of a connection.
func (p *plan) channelsOf(connection int) []int {
	channels := make([]int, p.settings.Subscriptions)
	for j := range channels {
		channels[j] = (connection*p.settings.Subscriptions + j) % p.settings.Channels
	}
	return channels
}

// slow reports whether a connection never reads.
func (p *plan) slow(connection int) bool { return connection < p.settings.Slow }

// moves reports whether a connection leaves and joins.
func (p *plan) moves(connection int) bool {
	return p.work == churns && p.member(connection)%2 == 1
}

// counts reports whether a connection accounts for what it gets.
func (p *plan) counts(connection int) bool { return !p.slow(connection) && !p.moves(connection) }

// senders returns the connections that send.
func (p *plan) senders() []int {
	var ids []int
	for i := range p.settings.Connections {
		switch p.work {
		case chats:
			if !p.slow(i) {
				ids = append(ids, i)
			}
		case churns:
			if p.moves(i) {
				ids = append(ids, i)
			}
		}
	}
	return ids
}

// sequences is how many sequences the receivers keep in all.
func (p *plan) sequences() int {
	n := 0
	for _, r := range p.receivers {
		n += r * p.streams
	}
	return n
}

// own reports whether a stream of a channel is what the connection itself
// sends, so that it must not get it.
func (p *plan) own(connection, stream int) bool {
	return p.work == chats && p.member(connection) == stream
}

// expected is how many deliveries one event on a channel makes.
func (p *plan) expected(channel int) int {
	if p.work == chats { // whoever sends counts too, and gets nothing
		return max(p.receivers[channel]-1, 0)
	}
	return p.receivers[channel]
}

// userID is the id of a connection on presence channels, and userOf its
// opposite.
func userID(connection int) string { return "bench-" + strconv.Itoa(connection) }

func userOf(id string) (connection int, ok bool) {
	if len(id) < len("bench-") || id[:len("bench-")] != "bench-" {
		return 0, false
	}
	n, err := strconv.Atoi(id[len("bench-"):])
	return n, err == nil && n >= 0
}

// perEvent is how many deliveries an event makes, on average.
func (p *plan) perEvent() float64 {
	sum := 0
	for c := range p.names {
		sum += p.expected(c)
	}
	return float64(sum) / float64(len(p.names))
}

// frameSize is how many bytes an event is on the way to a client.
func (p *plan) frameSize() int {
	name := p.names[len(p.names)-1]
	typical := stamp{len(p.names), p.streams, 1000, int64(10 * time.Second)}
	var data []byte
	switch p.work {
	case churns:
		data = []byte(`"{\"user_id\":\"bench-100\",\"user_info\":{\"mark\":\"@@1.10.1000.10000000000|\"}}"`)
	default:
		data = typical.appendLiteral(nil, p.settings.Payload)
	}
	n := len(protocol.AppendEvent(nil, backendEvent, name, data, ""))
	if n < 126 {
		return n + 2
	}
	return n + 4
}
