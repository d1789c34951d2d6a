// Package sent remembers for a while what was sent to endpoints of webhooks,
// and what they answered, so that an operator can see it. It is in memory only.
//
// It knows requests as they were on the wire. It does not know why one is tried
// again, nor when: whoever sends them tells it. What was given up is kept in the
// engine; here it is forgotten like everything else.
//
// # Bounds
//
// Of an endpoint the last [MaxEntries] requests are remembered, and of all together
// [MaxBytes], counted at what they take in memory. The oldest go first. Of the
// attempts at one request there are the last [MaxAttempts].
//
// # Locks
//
// Log.mu guards everything. Nothing is called while it is held.
package sent

import (
	"container/list"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// Bounds of a [Log].
const (
	MaxEntries  = 1000
	MaxBytes    = 8 << 20
	MaxAttempts = 16
	// MaxAnswer is how many bytes of the body of an answer are remembered, and
	// about how many of its header.
	MaxAnswer = 4 << 10
)

// A State is what became of a request.
type State string

// The states of a request.
const (
	Waiting   State = "waiting" // is tried again
	Delivered State = "delivered"
	GivenUp   State = "dead_letter"
	Split     State = "split" // its events go on in requests of their own
)

// States are all that there are.
var States = []State{Waiting, Delivered, GivenUp, Split}

// A Field is one line of a header.
type Field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden,omitempty"` // the value may be secret, and is left out
}

// An Event is one that was in a request.
type Event struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Channel string `json:"channel"`

	from, to int // where it stands in the body
}

// A Try is one attempt at a request.
type Try struct {
	At     time.Time     `json:"at"`
	Number int           `json:"number"` // of the attempts, from 1
	Manual bool          `json:"manual"` // an operator asked for it
	Status int           `json:"status"` // of the answer; 0: there was none
	Cause  string        `json:"cause"`  // of a failure, as in metrics; empty for none
	Error  string        `json:"error"`
	Took   time.Duration `json:"took"`
	Header []Field       `json:"header"` // of the answer
	Answer []byte        `json:"answer"` // its first bytes
	More   bool          `json:"more"`   // there was more of it
}

// A Request is one that was sent, with what became of it. It is a copy, and what
// is in it is immutable.
type Request struct {
	ID       string
	To       queue.Address
	URL      string // without what is secret
	Began    time.Time
	State    State
	Events   []Event
	Header   []Field // of the last attempt
	Body     []byte
	Attempts int   // that there were
	Tries    []Try // the last of them, the oldest first
}

// An Entry is a request in a log.
type Entry struct {
	log *Log

	// Guarded by log.mu.
	Request
	cost         int
	in, all      *list.Element // nil when it was forgotten
	ofItsAddress *list.List
}

// A Log remembers requests. Its methods are safe for concurrent use.
type Log struct {
	origin string // of the ids

	mu     sync.Mutex
	last   uint64    // number that was given
	latest time.Time // when one began last
	bytes  int
	byID   map[string]*Entry
	all    list.List                    // the newest at the front
	lists  map[queue.Address]*list.List // the same
}

// New returns an empty log.
func New() *Log {
	var random [4]byte
	rand.Read(random[:])
	return &Log{origin: hex.EncodeToString(random[:]), byID: map[string]*Entry{}, lists: map[queue.Address]*list.List{}}
}

// entryCost and tryCost are about what an entry and an attempt take in memory beside their
// texts.
const (
	entryCost = 640
	eventCost = 80
	tryCost   = 200
	fieldCost = 40
)

// Begin notes a request that is about to be sent. Its body belongs to the log too and is not
// changed any more; what else is given is copied.
func (l *Log) Begin(to queue.Address, url string, body []byte, events []*queue.Event) *Entry {
	e := &Entry{log: l, Request: Request{To: to, URL: url, State: Waiting, Body: body}}
	e.Events = make([]Event, 0, len(events))
	e.cost = entryCost + len(body) + len(url)
	at := len(body) - len("]}")
	for _, event := range slices.Backward(events) { // which stand at the end, with commas
		v := Event{ID: event.ID.String(), Channel: strings.Clone(event.Channel), from: at - len(event.Body), to: at}
		if names := event.Type.Names(); len(names) == 1 {
			v.Name = names[0]
		}
		at = v.from - len(",")
		e.Events = append(e.Events, v)
		e.cost += eventCost + len(v.ID) + len(v.Channel)
	}
	slices.Reverse(e.Events)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	// No two begin in the same moment, so that their times are an order.
	l.latest = later(time.Now().UTC().Truncate(time.Microsecond), l.latest.Add(time.Microsecond))
	e.Began = l.latest
	e.ID = l.origin + "-" + strconv.FormatUint(l.last, 10)
	e.ofItsAddress = l.lists[to]
	if e.ofItsAddress == nil {
		e.ofItsAddress = list.New()
		l.lists[to] = e.ofItsAddress
	}
	e.in, e.all = e.ofItsAddress.PushFront(e), l.all.PushFront(e)
	l.byID[e.ID] = e
	l.bytes += e.cost
	if e.ofItsAddress.Len() > MaxEntries {
		l.forgetLocked(e.ofItsAddress.Back().Value.(*Entry))
	}
	l.shrinkLocked()
	return e
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// shrinkLocked forgets the oldest while there is too much. l.mu is held.
func (l *Log) shrinkLocked() {
	for l.bytes > MaxBytes {
		l.forgetLocked(l.all.Back().Value.(*Entry))
	}
}

// forgetLocked forgets an entry. l.mu is held.
func (l *Log) forgetLocked(e *Entry) {
	if e.ofItsAddress.Remove(e.in); e.ofItsAddress.Len() == 0 {
		delete(l.lists, e.To)
	}
	l.all.Remove(e.all)
	delete(l.byID, e.ID)
	l.bytes -= e.cost
	e.in, e.all, e.Request = nil, nil, Request{}
}

// Tried notes an attempt, with the header that was sent. The numbers of attempts
// are given here.
func (e *Entry) Tried(header []Field, t Try) {
	l := e.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.all == nil {
		return
	}
	e.Attempts++
	t.Number = e.Attempts
	before := costOf(e.Header)
	if len(e.Tries) == MaxAttempts {
		before += e.Tries[0].cost()
		e.Tries = e.Tries[1:]
	}
	e.Header = header
	e.Tries = append(slices.Clip(e.Tries), t) // who has a copy keeps what it has
	change := costOf(header) + t.cost() - before
	e.cost += change
	l.bytes += change
	l.shrinkLocked()
}

func (t *Try) cost() int { return tryCost + len(t.Error) + len(t.Answer) + costOf(t.Header) }

func costOf(fields []Field) int {
	n := 0
	for _, f := range fields {
		n += fieldCost + len(f.Name) + len(f.Value)
	}
	return n
}

// Ended notes what became of the request.
func (e *Entry) Ended(s State) {
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	e.State = s
}

// Get returns the request of an id, and its entry; nil if it is not remembered.
func (l *Log) Get(id string) (*Entry, *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byID[id]
	if e == nil {
		return nil, nil
	}
	r := e.Request
	return e, &r
}

// Again returns the body of a request with the same events and another time.
func (r *Request) Again(now time.Time) []byte {
	b := append(make([]byte, 0, len(r.Body)), `{"time_ms":`...)
	b = strconv.AppendInt(b, now.UnixMilli(), 10)
	b = append(b, `,"events":[`...)
	for i, e := range r.Events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r.Body[e.from:e.to]...)
	}
	return append(b, `]}`...)
}
