package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
)

// errReplaced says that the stream was another one when the answer came.
var errReplaced = errors.New("webhook: the queue was lost and made again")

// confirmAfter is the wait before a stream counts as another one only
// because of the time at which it says to have been made. A server that has
// just started may say another time for a moment.
const confirmAfter = 250 * time.Millisecond

// An identity tells a stream from another one of its name: by when it was made,
// and by the numbers that it is known to have had.
type identity struct {
	conn   *nats.Conn
	stream jetstream.Stream

	mu         sync.Mutex
	which      uint32 // from 1
	created    time.Time
	last       uint64 // number that it is known to have had
	answered   uint64 // last number of a record of ours
	reconnects uint64 // of conn, when it was looked at
}

func newIdentity(conn *nats.Conn, stream jetstream.Stream) *identity {
	info := stream.CachedInfo()
	return &identity{conn: conn, stream: stream, which: 1, created: info.Created, last: info.State.LastSeq, reconnects: conn.Stats().Reconnects}
}

// known returns which stream there was when it was looked at.
func (id *identity) known() uint32 {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.which
}

// current returns which stream there is. It looks only if the connection was
// lost since it has.
func (id *identity) current(ctx context.Context) (uint32, error) {
	id.mu.Lock()
	which, same := id.which, id.reconnects == id.conn.Stats().Reconnects
	id.mu.Unlock()
	if same {
		return which, nil
	}
	return id.look(ctx)
}

// accept returns which stream has stored a record of ours under a number.
// Repeated says that the stream had the record before.
func (id *identity) accept(ctx context.Context, seq uint64, repeated bool) (uint32, error) {
	id.mu.Lock()
	usual := !repeated && seq > id.answered && id.reconnects == id.conn.Stats().Reconnects
	which := id.which
	if usual {
		id.answered = seq
	}
	id.mu.Unlock()
	if usual {
		return which, nil
	}
	which, err := id.look(ctx)
	if err == nil {
		id.mu.Lock()
		id.answered = max(id.answered, seq)
		id.mu.Unlock()
	}
	return which, err
}

// look asks which stream there is.
func (id *identity) look(ctx context.Context) (uint32, error) {
	reconnects := id.conn.Stats().Reconnects
	info, err := id.stream.Info(ctx)
	if err == nil && id.onlyMadeAtAnotherTime(info) {
		backoff.Sleep(ctx, confirmAfter)
		info, err = id.stream.Info(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("webhook: look at the queue: %w", err)
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	if !info.Created.Equal(id.created) || info.State.LastSeq < id.last {
		id.which++
		id.created, id.last, id.answered = info.Created, 0, 0
	}
	id.last = max(id.last, info.State.LastSeq)
	id.reconnects = max(id.reconnects, reconnects)
	return id.which, nil
}

func (id *identity) onlyMadeAtAnotherTime(info *jetstream.StreamInfo) bool {
	id.mu.Lock()
	defer id.mu.Unlock()
	return !info.Created.Equal(id.created) && info.State.LastSeq >= id.last
}
