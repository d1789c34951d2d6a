package explain

import (
	"context"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/journal"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// Bounds of what one node tells.
const (
	maxRecords = 5000
	maxNear    = 100 // names of other events
	maxSockets = 20  // of a user
)

// A Report is what one node knows about a question.
type Report struct {
	Node    node.ID         `json:"node"`
	Name    string          `json:"name"`
	Began   int64           `json:"began"` // when the node did, in nanoseconds since 1970
	Now     int64           `json:"now"`
	Off     bool            `json:"off,omitempty"` // it has no journal
	Horizon journal.Horizon `json:"horizon"`
	Last    uint64          `json:"last,omitempty"` // number of the last event of its own that is kept
	// Events are those that were asked for, at their origin and where they
	// arrived; Refused what was refused meanwhile; Near other events of the time.
	Events  []*journal.Record `json:"events,omitempty"`
	Refused []*journal.Record `json:"refused,omitempty"`
	Near    []*journal.Record `json:"near,omitempty"`
	// Lives are about the sockets of the question.
	Lives     []*journal.Record `json:"lives,omitempty"`
	Elsewhere string            `json:"elsewhere,omitempty"` // the app that the socket belongs to, if it is another
	Waiting   []Waiting         `json:"waiting,omitempty"`   // of the sockets that are here now
	Cut       bool              `json:"cut,omitempty"`       // there was more
}

// Waiting is how much waits for a client that is connected now.
type Waiting struct {
	Socket    protocol.SocketID `json:"socket"`
	Transport string            `json:"transport"`
	Bytes     int               `json:"bytes"`
}

// A Memory is what a node knows.
type Memory struct {
	Node    node.ID
	Name    string // empty if the node is alone
	Began   time.Time
	Journal *journal.Journal // nil: it is off
	// Waiting returns how a connection of an app is that is here now, or nil.
	Waiting func(ctx context.Context, app string, id protocol.SocketID) *Waiting
}

// Report returns what the node knows about a question.
func (s *Memory) Report(ctx context.Context, q Query) *Report {
	r := &Report{Node: s.Node, Name: s.Name, Began: s.Began.UnixNano(), Now: time.Now().UnixNano(), Off: s.Journal == nil}
	if s.Journal == nil {
		return r
	}
	sockets := s.sockets(q)
	near := make(map[[2]string]bool)
	s.Journal.Each(q.App, func(rec *journal.Record) bool {
		r.take(rec, q, sockets, near, s.Node)
		return !r.Cut
	})
	// What was forgotten while this was read is forgotten here too.
	r.Horizon = s.Journal.Horizon(q.App)
	if !q.Socket.IsZero() && len(r.Lives) == 0 {
		r.Elsewhere = s.otherApp(q)
	}
	for id := range sockets {
		if w := s.Waiting(ctx, q.App, id); w != nil {
			r.Waiting = append(r.Waiting, *w)
		}
	}
	return r
}

// sockets are those that the question is about: the one that it names, or those of
// the user, the newest ones.
func (s *Memory) sockets(q Query) map[protocol.SocketID]bool {
	found := make(map[protocol.SocketID]bool)
	if !q.Socket.IsZero() {
		found[q.Socket] = true
	}
	if q.User == "" {
		return found
	}
	var order []protocol.SocketID
	s.Journal.Each(q.App, func(rec *journal.Record) bool {
		if rec.User == q.User && (rec.Kind == trace.SignedIn || rec.Kind == trace.Subscribed) && !slices.Contains(order, rec.Socket) {
			if order = append(order, rec.Socket); len(order) > maxSockets {
				order = order[1:]
			}
		}
		return true
	})
	for _, id := range order {
		found[id] = true
	}
	return found
}

// take takes a record if it has to do with the question.
func (r *Report) take(rec *journal.Record, q Query, sockets map[protocol.SocketID]bool, near map[[2]string]bool, self node.ID) {
	switch rec.Kind {
	case trace.APIMessage, trace.ClientEvent, trace.Arrived, trace.Error:
		if rec.ID.Node == self {
			r.Last = max(r.Last, rec.ID.Number)
		}
		r.takeEvent(rec, q, near)
	case trace.APIError:
		if q.during(rec.At) || !q.Event.IsZero() {
			r.Refused = last(append(r.Refused, rec))
		}
	case trace.ClientError:
		if sockets[rec.Socket] {
			r.Lives = append(r.Lives, rec)
		} else if rec.Event == q.Name && q.Name != "" && q.during(rec.At) {
			r.Refused = last(append(r.Refused, rec))
		}
	default:
		if sockets[rec.Socket] {
			r.Lives = append(r.Lives, rec)
		}
	}
	r.Cut = len(r.Events)+len(r.Lives) >= maxRecords
}

func (r *Report) takeEvent(rec *journal.Record, q Query, near map[[2]string]bool) {
	byName := rec.Kind == trace.APIMessage || rec.Kind == trace.ClientEvent
	switch {
	case !q.Event.IsZero():
		if rec.ID == q.Event {
			r.Events = append(r.Events, rec)
		}
	case !q.during(rec.At):
	case rec.Channel == q.Channel && (!byName || q.Name == "" || rec.Event == q.Name):
		r.Events = append(r.Events, rec)
	case byName && len(near) < maxNear && !near[[2]string{rec.Channel, rec.Event}]:
		near[[2]string{rec.Channel, rec.Event}] = true
		r.Near = append(r.Near, rec)
	}
}

// last keeps the newest of a list that may grow long.
func last(list []*journal.Record) []*journal.Record {
	if len(list) > maxNear {
		return list[1:]
	}
	return list
}

// otherApp is the app that the socket of the question belongs to, if something is
// kept of it.
func (s *Memory) otherApp(q Query) (found string) {
	for _, app := range s.Journal.Apps() {
		s.Journal.Each(app, func(rec *journal.Record) bool {
			if rec.Kind == trace.Connected && rec.Socket == q.Socket {
				found = app
			}
			return found == ""
		})
		if found != "" && found != q.App {
			return found
		}
	}
	return ""
}
