// Package queuetest keeps events of webhooks in memory, for tests. It stores
// what the real store stores, which is text, and can be told to fail.
//
// One lock guards everything, and is held during no call to anybody else.
package queuetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// ErrDown is an error for a store that fails.
var ErrDown = errors.New("the queue is down")

// A Memory is a store in memory.
type Memory struct {
	mu      sync.Mutex
	stream  uint32 // how often the store was lost, and one
	seq     uint64
	records map[uint64]stored
	ids     map[string]uint64
	letters map[uint64][]byte
	claims  map[queue.Owner]queue.Claim
	ever    map[eventAt]bool // what was stored at any time
	refuse  error            // of what is published
	unheard int              // this many records are stored, but their answers lost
	hold    chan struct{}    // answers wait until it is closed, unless it is nil
	broken  error            // of everything else
}

type stored struct {
	of   queue.Owner
	to   queue.Address
	text []byte
}

// An eventAt is an event of an endpoint.
type eventAt struct {
	to queue.Address
	id queue.EventID
}

// New returns an empty store.
func New() *Memory {
	return &Memory{stream: 1, records: map[uint64]stored{}, ids: map[string]uint64{}, letters: map[uint64][]byte{},
		claims: map[queue.Owner]queue.Claim{}, ever: map[eventAt]bool{}}
}

// Store returns its parts.
func (m *Memory) Store() *queue.Store {
	return &queue.Store{Queue: m, Claims: claims{m}, DeadLetters: deadLetters{m}}
}

type ack struct {
	at   queue.Number
	err  error
	hold chan struct{}
}

func (a ack) Wait(ctx context.Context) (queue.Number, error) {
	if a.hold != nil {
		select {
		case <-a.hold:
		case <-ctx.Done():
			return queue.Number{}, ctx.Err()
		}
	}
	return a.at, a.err
}

// Publish is that of [queue.Queue].
func (m *Memory) Publish(of queue.Owner, to queue.Address, r *queue.Record) (queue.Ack, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return nil, m.refuse
	}
	if seq := m.ids[r.ID]; seq != 0 {
		return ack{at: queue.Number{Stream: m.stream, Seq: seq}}, nil
	}
	m.seq++
	m.ids[r.ID] = m.seq
	m.records[m.seq] = stored{of, to, queue.EncodeRecord(r)}
	for i := range r.Events {
		m.ever[eventAt{to, r.Events[i].ID}] = true
	}
	if m.unheard > 0 {
		m.unheard--
		return ack{err: ErrDown}, nil
	}
	return ack{at: queue.Number{Stream: m.stream, Seq: m.seq}, hold: m.hold}, nil
}

// Next is that of [queue.Queue].
func (m *Memory) Next(_ context.Context, of queue.Owner, to queue.Address, from queue.Number) (queue.Number, *queue.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return queue.Number{}, nil, m.broken
	}
	if from.Stream != m.stream {
		from.Seq = 0
	}
	for _, seq := range slices.Sorted(maps.Keys(m.records)) {
		if s := m.records[seq]; seq >= from.Seq && s.of == of && s.to == to {
			r, err := queue.DecodeRecord(s.text)
			return queue.Number{Stream: m.stream, Seq: seq}, r, err
		}
	}
	return queue.Number{Stream: m.stream}, nil, queue.ErrEmpty
}

// Remove is that of [queue.Queue].
func (m *Memory) Remove(_ context.Context, n queue.Number) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n.Stream == m.stream {
		delete(m.records, n.Seq)
	}
	return m.broken
}

// RemoveThrough is that of [queue.Queue].
func (m *Memory) RemoveThrough(_ context.Context, of queue.Owner, to queue.Address, last queue.Number) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.records, func(seq uint64, s stored) bool {
		return last.Stream == m.stream && seq <= last.Seq && s.of == of && s.to == to
	})
	return m.broken
}

// Backlog is that of [queue.Queue].
func (m *Memory) Backlog(_ context.Context, of queue.Owner) (queue.Backlog, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := queue.Backlog{Owner: of, Endpoints: map[queue.Address]queue.Size{}}
	for _, s := range m.records {
		if s.of != of {
			continue
		}
		size := b.Endpoints[s.to]
		b.Endpoints[s.to] = queue.Size{Records: size.Records + 1, Bytes: size.Bytes + int64(len(s.text))}
	}
	return b, nil
}

// Owners is that of [queue.Queue].
func (m *Memory) Owners(context.Context) ([]queue.Owner, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[queue.Owner]bool{}
	for _, s := range m.records {
		all[s.of] = true
	}
	return slices.Collect(maps.Keys(all)), m.broken
}

// Scan is that of [queue.Queue].
func (m *Memory) Scan(_ context.Context, of queue.Owner, each func(queue.Address, *queue.Record)) error {
	m.mu.Lock()
	var found []stored
	for _, seq := range slices.Sorted(maps.Keys(m.records)) {
		if s := m.records[seq]; s.of == of {
			found = append(found, s)
		}
	}
	broken := m.broken
	m.mu.Unlock()
	for _, s := range found {
		r, err := queue.DecodeRecord(s.text)
		if err != nil {
			return err
		}
		each(s.to, r)
	}
	return broken
}

// claims are those of a Memory.
type claims struct{ m *Memory }

func (c claims) All(context.Context) (map[queue.Owner]queue.Claim, error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return maps.Clone(c.m.claims), c.m.broken
}

func (c claims) Claim(_ context.Context, dead, by queue.Owner, after uint64) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.claims[dead].Revision != after {
		return queue.ErrTaken
	}
	c.m.seq++
	c.m.claims[dead] = queue.Claim{By: by, Revision: c.m.seq}
	return c.m.broken
}

func (c claims) Forget(_ context.Context, dead queue.Owner, by queue.Claim) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.claims[dead] == by {
		delete(c.m.claims, dead)
	}
	return c.m.broken
}

// deadLetters are those of a Memory.
type deadLetters struct{ m *Memory }

func (d deadLetters) Put(_ context.Context, letter *queue.DeadLetter) error {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if d.m.broken != nil {
		return d.m.broken
	}
	if d.m.ids[letter.ID()] != 0 {
		return nil
	}
	d.m.seq++
	d.m.ids[letter.ID()] = d.m.seq
	d.m.letters[d.m.seq] = queue.EncodeDeadLetter(letter)
	return nil
}

func (d deadLetters) List(ctx context.Context, of queue.Address, after uint64, each func(*queue.DeadLetter) bool) error {
	d.m.mu.Lock()
	numbers := slices.Sorted(maps.Keys(d.m.letters))
	d.m.mu.Unlock()
	for _, seq := range numbers {
		letter, err := d.Get(ctx, seq)
		if errors.Is(err, queue.ErrEmpty) {
			continue
		}
		if err != nil {
			return err
		}
		chosen := seq > after && (of.App == "" || of.App == letter.To.App) && (of.Endpoint == "" || of.Endpoint == letter.To.Endpoint)
		if chosen && !each(letter) {
			break
		}
	}
	return nil
}

func (d deadLetters) Get(_ context.Context, seq uint64) (*queue.DeadLetter, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	text, ok := d.m.letters[seq]
	if !ok {
		return nil, queue.ErrEmpty
	}
	letter, err := queue.DecodeDeadLetter(text)
	if err == nil {
		letter.Seq = seq
	}
	return letter, err
}

func (d deadLetters) Remove(ctx context.Context, letter *queue.DeadLetter) error {
	found, err := d.Get(ctx, letter.Seq)
	if errors.Is(err, queue.ErrEmpty) || err == nil && found.ID() != letter.ID() {
		return nil
	}
	if err != nil {
		return err
	}
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	delete(d.m.letters, letter.Seq)
	return nil
}
