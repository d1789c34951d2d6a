// Package work keeps things to do in a stream of the engine. Each is one node's at a time,
// and another node's when that one dies.
//
// What is put is durable when Put returns. Whoever takes an item says that it is done, or
// when to look at it again. While it is worked on, the queue tells the engine so. What
// nobody says anything about for [AckWait] is given to somebody else: to a node that lives,
// or to the same one after it was started again.
//
// So an item may be worked on twice, by a node that was given up and does not know. The
// package does not prevent that: whoever works keeps a revision somewhere, and finds out.
//
// # Goroutines
//
// One that takes items, and one that tells of those that are worked on. [Queue.Stop] waits for
// both.
//
// # Bounds
//
// The stream has the size that its owner says; beyond that, Put returns [ErrFull]. A node has
// as many items in memory as its owner says there is room for.
package work

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// AckWait is how long an item may be silent before another node gets it.
const AckWait = 10 * time.Second

const (
	// patience is how long the engine has for one step.
	patience = 5 * time.Second
	// fetchWait is how long one request for items waits for them.
	fetchWait = 5 * time.Second
	// maxPending is how many items may be worked on, or wait to be looked at again, on
	// all nodes.
	maxPending = 1_000_000
	// memoryBytes is what a stream may have that is kept in memory.
	memoryBytes = 16 << 20
	// duplicates is how long the stream knows the ids of what was put.
	duplicates = 2 * time.Minute
)

// ErrFull says that there is no room for more work.
var ErrFull = errors.New("work: too much is queued")

// Config is what a queue stands on. All is required.
type Config struct {
	Engine *engine.Engine
	// Name is that of the stream, and Subjects begins the subjects of its items. The
	// subject ends with a dot.
	Name, Subjects string
	Description    string
	MaxBytes       int64
	// Room is how many items a node works on at once.
	Room int
	// Begin begins to work on an item, and does not block.
	Begin func(*Item)
	Log   *slog.Logger
}

// A Queue is work of all nodes. Its methods are safe for concurrent use.
type Queue struct {
	cfg    Config
	js     jetstream.JetStream
	stream jetstream.Stream

	freed   wakeup.Signal
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	held map[*Item]struct{} // that are worked on here
}

// Open opens a queue, which it makes if it is not there. It takes no items before
// [Queue.Start].
func Open(ctx context.Context, cfg Config) (*Queue, error) {
	e := cfg.Engine
	if e.Storage() == jetstream.MemoryStorage {
		cfg.MaxBytes = min(cfg.MaxBytes, memoryBytes)
	}
	stream, err := e.Stream(ctx, jetstream.StreamConfig{
		Name:        cfg.Name,
		Description: cfg.Description,
		Subjects:    []string{cfg.Subjects + ">"},
		Retention:   jetstream.WorkQueuePolicy,
		Discard:     jetstream.DiscardNew, // what was accepted is not forgotten
		MaxBytes:    cfg.MaxBytes,
		Duplicates:  duplicates,
	})
	if err != nil {
		return nil, fmt.Errorf("work: %w", err)
	}
	return &Queue{cfg: cfg, js: e.JetStream(), stream: stream, freed: wakeup.New(), held: make(map[*Item]struct{})}, nil
}

// Put puts an item, and returns when it is durable. The same id is put once within two
// minutes. The kind is the last part of the subject: letters, digits and dashes.
func (q *Queue) Put(ctx context.Context, kind, id string, data []byte) error {
	if err := q.cfg.Engine.Writable(); err != nil {
		return fmt.Errorf("work: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m := nats.NewMsg(q.cfg.Subjects + kind)
	m.Data = data
	m.Header.Set(jetstream.MsgIDHeader, id)
	_, err := q.js.PublishMsg(ctx, m)
	if refused, ok := errors.AsType[*jetstream.APIError](err); ok && uint16(refused.ErrorCode) == uint16(natsserver.JSStreamStoreFailedF) {
		return ErrFull
	}
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	return nil
}

// Start begins to take items. Whoever calls it must call Stop.
func (q *Queue) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	q.running.Go(func() { q.take(ctx) })
	q.running.Go(func() { q.tell(ctx) })
}

// Stop takes no more items, and tells no more of those that are worked on. Call it when
// nothing is.
func (q *Queue) Stop() {
	q.cancel()
	q.running.Wait()
}

// Held is how many items this node works on.
func (q *Queue) Held() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.held)
}

// take is the goroutine that takes items.
func (q *Queue) take(ctx context.Context) {
	var consumer jetstream.Consumer
	again := backoff.Policy{First: 100 * time.Millisecond, Most: 2 * time.Second, Jitter: true}
	for failures := 0; ctx.Err() == nil; {
		room := q.cfg.Room - q.Held()
		if room <= 0 {
			select {
			case <-q.freed:
			case <-ctx.Done():
			}
			continue
		}
		var err error
		if consumer == nil {
			consumer, err = q.open(ctx)
		}
		if err == nil {
			err = q.fetch(ctx, consumer, room)
		}
		if err == nil {
			failures = 0
			continue
		}
		if failures++; ctx.Err() == nil && failures > 1 {
			q.cfg.Log.Debug("no work can be taken now; trying again", "stream", q.cfg.Name, "err", err)
		}
		consumer = nil // it may have been lost with its stream
		backoff.Sleep(ctx, again.Wait(failures))
	}
}

func (q *Queue) open(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return q.js.CreateOrUpdateConsumer(ctx, q.cfg.Name, jetstream.ConsumerConfig{
		Durable:       "workers",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       AckWait,
		MaxDeliver:    -1,
		MaxAckPending: maxPending,
	})
}

// fetch takes up to so many items, as they come.
func (q *Queue) fetch(ctx context.Context, from jetstream.Consumer, room int) error {
	const most = 256
	ctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	batch, err := from.Fetch(min(room, most), jetstream.FetchContext(ctx))
	if err != nil {
		return err
	}
	for m := range batch.Messages() {
		q.begin(m)
	}
	if err := batch.Error(); ctx.Err() == nil {
		return err
	}
	return nil
}

func (q *Queue) begin(m jetstream.Msg) {
	item := &Item{Data: m.Data(), Again: true, queue: q, msg: m}
	if meta, err := m.Metadata(); err == nil {
		item.Again = meta.NumDelivered > 1
		item.Put = meta.Timestamp
	}
	q.mu.Lock()
	q.held[item] = struct{}{}
	q.mu.Unlock()
	q.cfg.Begin(item)
}

// tell is the goroutine that tells the engine what is still worked on.
func (q *Queue) tell(ctx context.Context) {
	for backoff.Sleep(ctx, AckWait/4) {
		q.mu.Lock()
		list := make([]*Item, 0, len(q.held))
		for item := range q.held {
			list = append(list, item)
		}
		q.mu.Unlock()
		for _, item := range list {
			_ = item.msg.InProgress() // if it gets lost, the next does the same
		}
	}
}

// An Item is something to do that this node has. One of its methods ends it.
type Item struct {
	Data []byte
	Put  time.Time // when it was put
	// Again says that somebody has had it before.
	Again bool

	queue *Queue
	msg   jetstream.Msg
}

// release says that the node does not have it any more.
func (i *Item) release() {
	q := i.queue
	q.mu.Lock()
	delete(q.held, i)
	q.mu.Unlock()
	q.freed.Set()
}

// Done removes the item, and returns when it is gone, or nobody answers. Then somebody gets
// it once more.
func (i *Item) Done(ctx context.Context) error {
	defer i.release()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := i.msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("work: %w", err)
	}
	return nil
}

// Later has somebody look at the item after a while.
func (i *Item) Later(after time.Duration) {
	defer i.release()
	_ = i.msg.NakWithDelay(max(after, time.Millisecond)) // if it gets lost, it comes after AckWait
}

// Drop leaves the item to whoever gets it after [AckWait]: this node has lost it.
func (i *Item) Drop() { i.release() }
