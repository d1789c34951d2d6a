package webhook

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// A memQueue is a queue in memory that can be told to fail. It stores what the
// real one stores: text.
type memQueue struct {
	mu      sync.Mutex
	stream  uint32 // how often the store was lost, and one
	seq     uint64
	records map[uint64]stowed
	ids     map[string]uint64
	graves  map[uint64][]byte
	heir    map[owner]heir
	ever    map[eventOf]bool // what was stored at any time
	refuse  error            // of publish
	unheard int              // this many records are stored, but their answers lost
	hold    chan struct{}    // answers wait until it is closed, unless it is nil
	broken  error            // of everything else
}

type stowed struct {
	of   owner
	to   address
	text []byte
}

var errDown = errors.New("the queue is down")

func newMemQueue() *memQueue {
	return &memQueue{stream: 1, records: map[uint64]stowed{}, ids: map[string]uint64{}, graves: map[uint64][]byte{}, heir: map[owner]heir{}, ever: map[eventOf]bool{}}
}

type memAck struct {
	at   number
	err  error
	hold chan struct{}
}

func (a memAck) wait(ctx context.Context) (number, error) {
	if a.hold != nil {
		select {
		case <-a.hold:
		case <-ctx.Done():
			return number{}, ctx.Err()
		}
	}
	return a.at, a.err
}

func (q *memQueue) publish(of owner, to address, r *record) (ack, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refuse != nil {
		return nil, q.refuse
	}
	if seq := q.ids[r.id]; seq != 0 {
		return memAck{at: number{q.stream, seq}}, nil
	}
	q.seq++
	q.ids[r.id] = q.seq
	q.records[q.seq] = stowed{of, to, encodeRecord(r)}
	for i := range r.events {
		q.ever[eventOf{to, r.events[i].id}] = true
	}
	if q.unheard > 0 {
		q.unheard--
		return memAck{err: errDown}, nil
	}
	return memAck{at: number{q.stream, q.seq}, hold: q.hold}, nil
}

func (q *memQueue) next(_ context.Context, of owner, to address, from number) (number, *record, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken != nil {
		return number{}, nil, q.broken
	}
	if from.stream != q.stream {
		from.seq = 0
	}
	for _, seq := range slices.Sorted(maps.Keys(q.records)) {
		if s := q.records[seq]; seq >= from.seq && s.of == of && s.to == to {
			r, err := decodeRecord(s.text)
			return number{q.stream, seq}, r, err
		}
	}
	return number{stream: q.stream}, nil, errEmpty
}

func (q *memQueue) remove(_ context.Context, n number) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n.stream == q.stream {
		delete(q.records, n.seq)
	}
	return q.broken
}

func (q *memQueue) removeThrough(_ context.Context, of owner, to address, last number) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	maps.DeleteFunc(q.records, func(seq uint64, s stowed) bool {
		return last.stream == q.stream && seq <= last.seq && s.of == of && s.to == to
	})
	return q.broken
}

func (q *memQueue) backlog(_ context.Context, of owner) (map[address]backlog, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := map[address]backlog{}
	for _, s := range q.records {
		if s.of != of {
			continue
		}
		b := all[s.to]
		all[s.to] = backlog{b.records + 1, b.bytes + int64(len(s.text))}
	}
	return all, nil
}

func (q *memQueue) owners(context.Context) ([]owner, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := map[owner]bool{}
	for _, s := range q.records {
		all[s.of] = true
	}
	return slices.Collect(maps.Keys(all)), q.broken
}

func (q *memQueue) scan(_ context.Context, of owner, each func(address, *record)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, seq := range slices.Sorted(maps.Keys(q.records)) {
		if s := q.records[seq]; s.of == of {
			r, err := decodeRecord(s.text)
			if err != nil {
				return err
			}
			each(s.to, r)
		}
	}
	return q.broken
}

func (q *memQueue) heirs(context.Context) (map[owner]heir, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.heir), q.broken
}

func (q *memQueue) inherit(_ context.Context, dead, by owner, after uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.heir[dead].revision != after {
		return errTaken
	}
	q.seq++
	q.heir[dead] = heir{by, q.seq}
	return q.broken
}

func (q *memQueue) disinherit(_ context.Context, dead owner, by heir) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.heir[dead] == by {
		delete(q.heir, dead)
	}
	return q.broken
}

func (q *memQueue) bury(_ context.Context, b *burial) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken != nil {
		return q.broken
	}
	q.seq++
	q.graves[q.seq] = encodeBurial(b)
	return nil
}

func (q *memQueue) buried(_ context.Context, of address, after uint64, each func(*burial) bool) error {
	q.mu.Lock()
	var list []*burial
	for _, seq := range slices.Sorted(maps.Keys(q.graves)) {
		b, err := decodeBurial(q.graves[seq])
		if err != nil {
			q.mu.Unlock()
			return err
		}
		b.seq = seq
		if seq > after && (of.app == "" || of.app == b.to.app) && (of.endpoint == "" || of.endpoint == b.to.endpoint) {
			list = append(list, b)
		}
	}
	q.mu.Unlock()
	for _, b := range list {
		if !each(b) {
			break
		}
	}
	return nil
}

func (q *memQueue) exhume(_ context.Context, seq uint64) (*burial, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	text, ok := q.graves[seq]
	if !ok {
		return nil, errEmpty
	}
	b, err := decodeBurial(text)
	if err == nil {
		b.seq = seq
	}
	return b, err
}

func (q *memQueue) forget(_ context.Context, b *burial) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.graves, b.seq)
	return nil
}

// left is how many records and burials there are.
func (q *memQueue) left() (records, burials int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.records), len(q.graves)
}

// broke makes all else fail.
func (q *memQueue) broke(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken = err
}

// fail makes the queue refuse what is published.
func (q *memQueue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refuse = err
}

// lose is a store that is lost and made again, empty: its numbers begin anew.
func (q *memQueue) lose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stream++
	q.seq = 0
	clear(q.records)
	clear(q.ids)
}
