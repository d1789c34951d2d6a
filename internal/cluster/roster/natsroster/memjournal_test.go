package natsroster

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A memLog is a log in memory, which can do what those in JetStream do.
type memLog struct {
	mu      sync.Mutex
	first   uint64
	records []record // records[i] is at position first+i
	ids     map[string]uint64
	chunks  []memChunk
	written uint64        // chunks ever
	full    bool          // takes nothing
	changed chan struct{} // closed with every change
	life    int           // counts how often it was made anew
}

type memChunk struct {
	seq    uint64
	author node.ID
	data   []byte
}

// A memJournal is one node's way to a memLog.
type memJournal struct {
	*memLog
	cut     bool // nothing goes through
	mute    bool // nothing is taken
	deaf    int  // so many answers get lost
	opened  int
	appends int
	delay   func() time.Duration // until something is stored; nil for none
}

var _ journal = (*memJournal)(nil)

func newMemLog() *memLog {
	return &memLog{first: 1, ids: make(map[string]uint64), changed: make(chan struct{})}
}

// change changes something that others see.
func (l *memLog) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// lose makes the log anew.
func (l *memLog) lose() {
	l.change(func() {
		l.first, l.records, l.ids = 1, nil, make(map[string]uint64)
		l.life++
	})
}

func (l *memLog) lastLocked() uint64 { return l.first + uint64(len(l.records)) - 1 }

func (l *memLog) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastLocked()
}

var (
	errCut  = errors.New("no responders")
	errFull = errors.New("maximum bytes exceeded")
)

func (j *memJournal) open(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.opened++
	return nil
}

func (j *memJournal) append(ctx context.Context, author node.ID, id string, data []byte) (seq uint64, err error) {
	j.mu.Lock()
	delay := j.delay
	j.mu.Unlock()
	if delay != nil {
		time.Sleep(delay()) // only tests in bubbles set one
	}
	j.change(func() {
		j.appends++
		switch {
		case j.cut || j.mute:
			err = errCut
			return
		case j.full:
			err = errFull
			return
		}
		if seq = j.ids[id]; seq == 0 {
			seq = j.lastLocked() + 1
			j.ids[id] = seq
			j.records = append(j.records, record{seq: seq, author: author, data: bytes.Clone(data)})
		}
		if j.deaf > 0 {
			j.deaf--
			seq, err = 0, context.DeadlineExceeded
		}
	})
	return seq, err
}

func (j *memJournal) bounds(context.Context) (first, last uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cut {
		return 0, 0, errCut
	}
	return j.first, j.lastLocked(), nil
}

func (j *memJournal) at(_ context.Context, seq uint64) (record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cut || seq < j.first || seq > j.lastLocked() {
		return record{}, errCut
	}
	return j.records[seq-j.first], nil
}

func (j *memJournal) follow(ctx context.Context, from uint64, read func(record) error) error {
	j.mu.Lock()
	life := j.life
	j.mu.Unlock()
	for {
		j.mu.Lock()
		changed := j.changed
		var err error
		var r record
		switch {
		case j.cut || j.life != life:
			err = errCut
		case from < j.first:
			err = errGap
		case from <= j.lastLocked():
			r = j.records[from-j.first]
			r.more = j.lastLocked() - from
		}
		j.mu.Unlock()
		switch {
		case err != nil:
			return err
		case r.seq != 0:
			if err := read(r); err != nil {
				return err
			}
			from++
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (j *memJournal) keep(_ context.Context, author node.ID, chunks [][]byte) (err error) {
	j.change(func() {
		if j.cut || j.full {
			err = errFull
			return
		}
		for _, p := range chunks {
			j.written++
			j.chunks = append(j.chunks, memChunk{j.written, author, bytes.Clone(p)})
		}
	})
	return err
}

func (j *memJournal) kept(_ context.Context, read func(node.ID, uint64, []byte)) error {
	j.mu.Lock()
	chunks := append([]memChunk(nil), j.chunks...)
	j.mu.Unlock()
	for _, p := range chunks {
		read(p.author, p.seq, p.data)
	}
	return nil
}

func (j *memJournal) forget(_ context.Context, batches, chunks uint64) error {
	j.change(func() {
		if batches > j.first {
			n := min(batches-j.first, uint64(len(j.records)))
			j.records, j.first = j.records[n:], j.first+n
		}
		for len(j.chunks) > 0 && j.chunks[0].seq < chunks {
			j.chunks = j.chunks[1:]
		}
	})
	return nil
}
