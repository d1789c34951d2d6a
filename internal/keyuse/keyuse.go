// Package keyuse counts by whom keys of apps are used, so that an operator knows
// whether one can be revoked. It counts in memory, from the start of the process.
//
// It knows keys as texts. Whether one is valid, whoever notes its use has found out.
//
// # Bounds
//
// [MaxKeys] keys are remembered, and then the one is forgotten that was not used for
// the longest time of some. Of a key [MaxUsers] users of each kind are told apart, and
// [MaxRows] of all keys together; others are one, which is called [Other].
//
// # Locks
//
// Table.mu guards which keys there are, entry.mu the users of one. entry.mu is taken
// after Table.mu, or without it.
package keyuse

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a [Table].
const (
	MaxKeys  = 16384
	MaxUsers = 16
	MaxRows  = 16384
	maxName  = 200
)

// Other is the name of users that are not told apart.
const Other = "(other)"

// A Kind is what a key is used for.
type Kind uint8

// The kinds of use.
const (
	Request    Kind = iota // of a backend
	Connection             // of a client
	Signature              // that lets a client subscribe or sign in
	kinds
)

var kindNames = [kinds]string{"request", "connection", "signature"}

func (k Kind) String() string { return kindNames[k] }

// MarshalText writes a kind as its name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind by its name.
func (k *Kind) UnmarshalText(text []byte) error {
	*k = Kind(max(slices.Index(kindNames[:], string(text)), 0))
	return nil
}

// A Use is what one user did with a key.
type Use struct {
	Kind Kind      `json:"kind"`
	By   string    `json:"by"` // the library that it says it is, may be empty
	Last time.Time `json:"last"`
	Hour uint64    `json:"last_hour"`
}

// minutes is how many are remembered of a user.
const minutes = 60

// row is one user of a key.
type row struct {
	kind   Kind
	by     string
	last   int64 // in nanoseconds
	minute int64 // the latest of counts, since 1970
	counts [minutes]uint32
}

// turn makes the counts those of the hour that ends with a minute.
func (r *row) turn(minute int64) {
	for gone := min(minute-r.minute, minutes); gone > 0; gone-- {
		r.minute++
		r.counts[(minute-gone+1)%minutes] = 0
	}
	r.minute = max(r.minute, minute)
}

type id struct{ app, key string }

// An entry is a key that was used.
type entry struct {
	id   id
	last atomic.Int64

	mu       sync.Mutex
	rows     []row
	requests uint64 // that nobody took yet
}

// A Table counts. Its methods are safe for concurrent use; those of a nil one do
// nothing.
type Table struct {
	now  func() time.Time
	rows atomic.Int64 // of all keys, without those that are called Other

	mu    sync.RWMutex
	keys  map[id]*entry
	loose map[string]uint64 // requests by app, of keys that are forgotten
}

// New returns an empty table. A nil now is time.Now.
func New(now func() time.Time) *Table {
	if now == nil {
		now = time.Now
	}
	return &Table{now: now, keys: map[id]*entry{}, loose: map[string]uint64{}}
}

// Note counts a use of a key of an app now. By is copied if it is kept.
func (t *Table) Note(now time.Time, app, key string, kind Kind, by string) {
	if t == nil {
		return
	}
	t.mu.RLock()
	e := t.keys[id{app, key}]
	if e != nil {
		e.note(t, now, kind, by)
	}
	t.mu.RUnlock()
	if e != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.enterLocked(id{app, key}).note(t, now, kind, by)
}

// enterLocked returns the entry of a key, which it makes. t.mu is held.
func (t *Table) enterLocked(k id) *entry {
	if e := t.keys[k]; e != nil {
		return e
	}
	if len(t.keys) >= MaxKeys {
		t.forgetLocked()
	}
	k = id{strings.Clone(k.app), strings.Clone(k.key)}
	e := &entry{id: k}
	t.keys[k] = e
	return e
}

// forgetLocked forgets the key of a few that was used the longest time ago. t.mu is
// held.
func (t *Table) forgetLocked() {
	var oldest *entry
	looked := 0
	for _, e := range t.keys {
		if oldest == nil || e.last.Load() < oldest.last.Load() {
			oldest = e
		}
		if looked++; looked == 16 {
			break
		}
	}
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	delete(t.keys, oldest.id)
	for i := range oldest.rows {
		if oldest.rows[i].by != Other {
			t.rows.Add(-1)
		}
	}
	if oldest.requests > 0 {
		t.loose[oldest.id.app] += oldest.requests
	}
}

func (e *entry) note(t *Table, now time.Time, kind Kind, by string) {
	by = by[:min(len(by), maxName)]
	minute := now.Unix() / 60
	e.last.Store(now.UnixNano())
	e.mu.Lock()
	defer e.mu.Unlock()
	if kind == Request {
		e.requests++
	}
	r := e.rowLocked(t, kind, by, minute)
	r.turn(minute)
	r.last = now.UnixNano()
	r.counts[r.minute%minutes]++
}

// rowLocked returns the row of a user, or that of others if there is no room for it.
// e.mu is held.
func (e *entry) rowLocked(t *Table, kind Kind, by string, minute int64) *row {
	users := 0
	var idle *row
	for i := range e.rows {
		r := &e.rows[i]
		if r.kind != kind {
			continue
		}
		if r.by == by {
			return r
		}
		users++
		if r.by != Other && minute-r.minute >= minutes && (idle == nil || r.last < idle.last) {
			idle = r
		}
	}
	if users >= MaxUsers || by != Other && t.rows.Load() >= MaxRows {
		if idle != nil { // whose hour is over anyway
			*idle = row{kind: kind, by: strings.Clone(by), minute: minute}
			return idle
		}
		if by != Other {
			return e.rowLocked(t, kind, Other, minute)
		}
	}
	if by != Other {
		t.rows.Add(1)
	}
	e.rows = append(e.rows, row{kind: kind, by: strings.Clone(by), minute: minute})
	return &e.rows[len(e.rows)-1]
}

// Uses returns who used a key of an app, the latest first.
func (t *Table) Uses(app, key string) []Use {
	t.mu.RLock()
	e := t.keys[id{app, key}]
	t.mu.RUnlock()
	if e == nil {
		return nil
	}
	minute := t.now().Unix() / 60
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]Use, 0, len(e.rows))
	for i := range e.rows {
		r := &e.rows[i]
		r.turn(minute)
		u := Use{Kind: r.kind, By: r.by, Last: time.Unix(0, r.last).UTC()}
		for _, n := range r.counts {
			u.Hour += uint64(n)
		}
		list = append(list, u)
	}
	slices.SortFunc(list, func(x, y Use) int {
		return cmp.Or(y.Last.Compare(x.Last), cmp.Compare(x.Kind, y.Kind), strings.Compare(x.By, y.By))
	})
	return list
}

// TakeRequests calls each for the apps whose backends have asked for something since
// the last call, with how often. It calls each for an app once for every key.
func (t *Table) TakeRequests(each func(app string, requests uint64)) {
	t.mu.Lock()
	list := make([]*entry, 0, len(t.keys))
	for _, e := range t.keys {
		list = append(list, e)
	}
	loose := t.loose
	t.loose = map[string]uint64{}
	t.mu.Unlock()
	for app, n := range loose {
		each(app, n)
	}
	for _, e := range list {
		e.mu.Lock()
		n := e.requests
		e.requests = 0
		e.mu.Unlock()
		if n > 0 {
			each(e.id.app, n)
		}
	}
}
