package recall

import (
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history"
)

// Kept is what a node has of one publisher: all its events in the range. An answer
// with it is one message for each event, and one that ends them. If nothing is known of
// the publisher, the range names none; that it has published nothing is another thing.
type Kept struct {
	history.Range
	Events []history.Event
	Number uint64 // of the question; 0: nobody has asked
}

// Send answers a peer that asks about a channel.
func (k *Kept) Send(to broker.Link, app, channel string) {
	for _, e := range k.Events {
		to.Send(&broker.Message{
			Kind: broker.Recalled, App: app, Name: channel, User: string(e.Publisher), Text: e.Frame.Message(),
			Except: e.Except, Serial: e.Number, Before: e.Before, Count: uint64(max(time.Since(e.At).Milliseconds(), 0)),
		})
	}
	to.Send(&broker.Message{
		Kind: broker.Recalled, On: true, App: app, Name: channel, User: string(k.Publisher), Count: k.Number,
		Serial: max(k.Last, k.Floor), Before: k.Floor,
	})
}

// Of is what there is of a publisher's events behind a number.
func Of(log *history.Log, publisher node.ID, after, number uint64) Kept {
	k := Kept{Number: number}
	k.Events, k.Range = log.Of(publisher, after, time.Now())
	return k
}

// Incoming is what has come of answers that are not complete, by peer. The zero
// value is empty.
type Incoming struct{ events map[node.ID][]history.Event }

// Take takes a message of a peer, and returns the answer that it completes, if it
// does.
func (i *Incoming) Take(from node.ID, m *broker.Message) (k Kept, complete bool) {
	if !m.On {
		if i.events == nil {
			i.events = make(map[node.ID][]history.Event)
		}
		i.events[from] = append(i.events[from], eventOf(m))
		return k, false
	}
	k = Kept{
		Range:  history.Range{Publisher: node.ID(m.User), Floor: m.Before, Last: m.Serial},
		Events: i.events[from], Number: m.Count,
	}
	delete(i.events, from)
	return k, true
}

func eventOf(m *broker.Message) history.Event {
	return history.Event{
		Mark: history.Mark{Publisher: node.ID(m.User), Number: m.Serial}, Before: m.Before, Except: m.Except,
		Frame: frame.Text(func(b []byte) []byte { return append(b, m.Text...) }),
		At:    time.Now().Add(-time.Duration(min(m.Count, 1<<40)) * time.Millisecond),
	}
}

// Usable reports whether an answer that has come says something that self did not
// know better, and is whole.
func (k *Kept) Usable(self node.ID) bool {
	return k.Publisher != "" && k.Publisher != self && k.consecutive()
}

// consecutive reports whether the events are all that there are in the range. Some
// are missing if messages were lost.
func (k *Kept) consecutive() bool {
	at := k.Floor
	for _, e := range k.Events {
		if e.Before != at || e.Number <= at {
			return false
		}
		at = e.Number
	}
	return at == k.Last
}
