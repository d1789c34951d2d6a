// Package faults counts what goes wrong in each app: connections, messages of
// clients and requests of backends that are refused, and clients that take too
// little and are closed. It reads the log of package trace.
//
// Faults of one cause and detail are a row: how many there were in each of the last
// 24 hours, the first and the last of them, and one example. A cause is a word of
// ours. A detail may come from a stranger, so there are few of them for each cause.
//
// What is kept is in memory, of this node, and ends with it. Who shows it is not
// known here.
//
// # Bounds
//
// An app has [MaxRows] rows, a cause 16 details, and all apps together [MaxBytes].
// What comes beyond is counted in rows called [Other], so that no counts are lost.
//
// # Locks
//
// Table.mu guards which apps have rows, and book.mu the rows of one. Table.mu is
// taken first. Both are leaves for whoever writes: nothing is called under them.
package faults

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/trace"
)

const (
	// Hours is how many hours are kept.
	Hours = 24
	// MaxRows is how many rows an app has.
	MaxRows = 256
	// MaxBytes is what the rows of all apps may cost.
	MaxBytes = 16 << 20

	// maxDetails is how many details of one cause are told apart.
	maxDetails = 16
	// rowCost is what a row costs beside its texts.
	rowCost = 512
	// exampleEvery is how often the example of a row is replaced.
	exampleEvery = time.Second
)

// Other stands for details, and as a cause for causes, for which there was no row.
const Other = "(other)"

// An Example is one fault of a row, the last of them or nearly so. Fields may be
// empty. It holds no secret.
type Example struct {
	At      time.Time `json:"at"`
	Text    string    `json:"text"` // what the client or the backend was told
	Code    int       `json:"code,omitempty"`
	Socket  string    `json:"socket,omitempty"`
	User    string    `json:"user,omitempty"`
	Channel string    `json:"channel,omitempty"`
	Event   string    `json:"event,omitempty"`
	Key     string    `json:"key,omitempty"`
	Library string    `json:"library,omitempty"`
	Origin  string    `json:"origin,omitempty"`
	Address string    `json:"address,omitempty"`
}

func (e *Example) cost() int {
	return len(e.Text) + len(e.Socket) + len(e.User) + len(e.Channel) + len(e.Event) + len(e.Key) + len(e.Library) + len(e.Origin) + len(e.Address)
}

// A Row is faults of one cause and detail.
type Row struct {
	From   Party
	Cause  Cause
	Detail string
	// Counts are by the hour: the last is that of the hour Until begins.
	Counts      [Hours]uint64
	Until       time.Time
	First, Last time.Time
	Example     Example
}

// Total is how many there were in the hours that are kept.
func (r *Row) Total() (n uint64) {
	for _, c := range r.Counts {
		n += c
	}
	return n
}

// Add adds what another node has counted.
func (r *Row) Add(o *Row) {
	until := r.Until
	if o.Until.After(until) {
		until = o.Until
	}
	r.turn(until)
	other := *o
	other.turn(until)
	for i := range r.Counts {
		r.Counts[i] += other.Counts[i]
	}
	if o.First.Before(r.First) {
		r.First = o.First
	}
	if o.Last.After(r.Last) {
		r.Last = o.Last
	}
	if o.Example.At.After(r.Example.At) {
		r.Example = o.Example
	}
}

// turn makes the counts end with a later hour.
func (r *Row) turn(until time.Time) {
	gone := int(min(until.Sub(r.Until)/time.Hour, Hours))
	if gone <= 0 {
		return
	}
	copy(r.Counts[:], r.Counts[gone:])
	clear(r.Counts[Hours-gone:])
	r.Until = until
}

// A Table has the faults of one node. It is safe for concurrent use. Make it with
// [New].
type Table struct {
	now func() time.Time

	mu    sync.Mutex
	books map[string]*book // by app

	// bytes is guarded by costMu, which is taken last.
	costMu sync.Mutex
	bytes  int
}

// A book has the rows of one app.
type book struct {
	mu      sync.Mutex
	rows    map[name]*entry
	details map[cause]int // how many of each
	swept   time.Time
}

// An entry is a row and what is counted for it.
type entry struct {
	Row
	cost int
}

// cause is one of a side.
type cause struct {
	from  Party
	cause Cause
}

type name struct {
	cause
	detail string
}

var _ trace.Sink = (*Table)(nil)

// New returns an empty table. Now may be nil.
func New(now func() time.Time) *Table {
	if now == nil {
		now = time.Now
	}
	return &Table{now: now, books: make(map[string]*book)}
}

// Wants is what the table is to be told.
var Wants = trace.Interest{Kinds: trace.KindsOf(
	trace.ConnectionRefused, trace.ClientError, trace.APIError, trace.SlowClosed, trace.Disconnected, trace.Error, trace.WebhookFailed,
)}

// Trace implements trace.Sink.
func (t *Table) Trace(r trace.Record) *trace.Tally {
	n, ok := classify(&r)
	if !ok {
		return nil
	}
	b := t.book(r.App)
	now := t.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	row := t.rowLocked(b, n, now)
	row.turn(now.Truncate(time.Hour))
	row.Counts[Hours-1]++
	row.Last = now
	if now.Sub(row.Example.At) >= exampleEvery {
		e := exampleOf(&r, now)
		if more := e.cost() - row.Example.cost(); t.spend(more) {
			row.Example = e
			row.cost += more
		}
	}
	return nil
}

func (t *Table) book(app string) *book {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.books[app]
	if b == nil {
		b = &book{rows: make(map[name]*entry), details: make(map[cause]int)}
		t.books[app] = b
	}
	return b
}

// spend counts what is kept, unless that is too much.
func (t *Table) spend(n int) bool {
	t.costMu.Lock()
	defer t.costMu.Unlock()
	if n > 0 && t.bytes+n > MaxBytes {
		return false
	}
	t.bytes += n
	return true
}

// rowLocked returns the row of that name, or the one that stands for it. The lock
// of the book is held.
func (t *Table) rowLocked(b *book, n name, now time.Time) *entry {
	if r := b.rows[n]; r != nil {
		return r
	}
	if now.Sub(b.swept) >= time.Minute {
		t.sweepLocked(b, now)
	}
	rest := name{n.cause, Other}
	all := name{cause{Service, Other}, Other}
	room := len(b.rows) < MaxRows-1
	cost := rowCost + len(n.detail)
	switch {
	case room && b.details[n.cause] < maxDetails && t.spend(cost):
		n.detail = strings.Clone(n.detail)
	case b.rows[rest] != nil:
		return b.rows[rest]
	case room && t.spend(rowCost):
		n, cost = rest, rowCost
	case b.rows[all] != nil:
		return b.rows[all]
	default: // each app has this one, whatever others cost
		n, cost = all, 0
	}
	b.details[n.cause]++
	e := &entry{Row{From: n.from, Cause: n.cause.cause, Detail: n.detail, First: now, Until: now.Truncate(time.Hour)}, cost}
	b.rows[n] = e
	return e
}

// sweepLocked forgets rows in which nothing has happened for as long as rows are
// told. The lock of the book is held.
func (t *Table) sweepLocked(b *book, now time.Time) {
	b.swept = now
	for n, r := range b.rows {
		if now.Sub(r.Last) < Hours*time.Hour {
			continue
		}
		delete(b.rows, n)
		b.details[n.cause]--
		t.spend(-r.cost)
	}
}

// Forget lets go of the faults of an app that is gone.
func (t *Table) Forget(app string) {
	t.mu.Lock()
	b := t.books[app]
	delete(t.books, app)
	t.mu.Unlock()
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.rows {
		r.Last = time.Time{}
	}
	t.sweepLocked(b, t.now())
}

// Rows returns the faults of an app in the last 24 hours, the most frequent first.
func (t *Table) Rows(app string) []Row {
	t.mu.Lock()
	b := t.books[app]
	t.mu.Unlock()
	if b == nil {
		return nil
	}
	now := t.now()
	b.mu.Lock()
	rows := make([]Row, 0, len(b.rows))
	for r := range maps.Values(b.rows) {
		r.turn(now.Truncate(time.Hour))
		if r.Total() > 0 {
			rows = append(rows, r.Row)
		}
	}
	b.mu.Unlock()
	Sort(rows)
	return rows
}

// Sort puts the most frequent first.
func Sort(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int {
		x, y := a.Total(), b.Total()
		switch {
		case x != y && x > y:
			return -1
		case x != y:
			return 1
		}
		return strings.Compare(string(a.From)+string(a.Cause)+a.Detail, string(b.From)+string(b.Cause)+b.Detail)
	})
}

func exampleOf(r *trace.Record, now time.Time) Example {
	e := Example{At: now, Text: r.Text, Code: r.Code, User: r.User, Channel: r.Channel, Event: r.Event}
	if id := r.Socket.String(); !r.Socket.IsZero() {
		e.Socket = id
	}
	if c := r.Client; c != nil {
		e.Key, e.Library, e.Origin, e.Address = c.Key, c.Library, c.Origin, c.Address
	}
	for _, text := range []*string{&e.Text, &e.User, &e.Channel, &e.Event, &e.Key, &e.Library, &e.Origin} {
		*text = strings.Clone(*text) // which may be a piece of a request
	}
	return e
}
