package natsroster

import (
	"context"
	"errors"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A journal is where the log is kept, and snapshots of ledgers beside it. Its
// methods are safe for concurrent use.
type journal interface {
	// open returns when the log can be used.
	open(ctx context.Context) error
	// append stores a batch, and returns its position. One that has an id
	// that was stored lately is not stored twice.
	append(ctx context.Context, author node.ID, id string, data []byte) (seq uint64, err error)
	// bounds returns the first and the last position of the log; last is one
	// less than first if it is empty.
	bounds(ctx context.Context) (first, last uint64, err error)
	// at returns one batch.
	at(ctx context.Context, seq uint64) (record, error)
	// follow calls read with every batch from a position on, as they come,
	// until ctx ends, read returns an error, or there is something wrong.
	// errGap says that batches are missing.
	follow(ctx context.Context, from uint64, read func(record) error) error
	// keep stores a snapshot in chunks.
	keep(ctx context.Context, author node.ID, chunks [][]byte) error
	// kept calls read with all chunks that are kept, in the order of keep.
	kept(ctx context.Context, read func(author node.ID, seq uint64, chunk []byte)) error
	// forget removes batches, and chunks, below these positions.
	forget(ctx context.Context, batches, chunks uint64) error
}

var errGap = errors.New("roster: a part of the log is missing")

// A record is a batch as it is stored.
type record struct {
	seq    uint64
	author node.ID
	data   []byte
	more   uint64 // how many follow already
}
