package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/engine"
)

// StreamName is the stream of records.
const StreamName = "belfry-webhooks"

const (
	// MaxInFlight is how many records should wait for an answer at most.
	MaxInFlight    = 256
	publishTimeout = 5 * time.Second
	// duplicates is how long the stream knows records that it has; an answer
	// is waited for less than that.
	duplicates = time.Minute
	// scanMost is how far back Scan looks, in records of all owners. What a
	// node had queued and not acknowledged is among the last that it published.
	scanMost = 1 << 15
)

// A jetQueue is a queue in JetStream.
type jetQueue struct {
	engine   *engine.Engine
	js       jetstream.JetStream
	stream   jetstream.Stream
	identity *identity
}

var _ Queue = (*jetQueue)(nil)

func openRecords(ctx context.Context, e *engine.Engine, js jetstream.JetStream, maxBytes int64) (*jetQueue, error) {
	stream, err := e.Stream(ctx, jetstream.StreamConfig{
		Name:        StreamName,
		Description: "events on their way to webhooks",
		Subjects:    []string{queueSubjects + ">"},
		Retention:   jetstream.LimitsPolicy, // records are removed by their number, in any order
		Discard:     jetstream.DiscardNew,   // so that a full queue is refused and not forgotten
		MaxBytes:    maxBytes,
		Duplicates:  duplicates,
	})
	if err != nil {
		return nil, fmt.Errorf("webhook: queue: %w", err)
	}
	return &jetQueue{e, js, stream, newIdentity(e.Conn(), stream)}, nil
}

func (q *jetQueue) Publish(of Owner, to Address, r *Record) (Ack, error) {
	if err := q.engine.Writable(); err != nil {
		return nil, err
	}
	m := nats.NewMsg(of.prefix() + to.subject())
	m.Data = EncodeRecord(r)
	m.Header.Set(jetstream.MsgIDHeader, r.ID)
	a := jetAck{identity: q.identity, stream: q.identity.known()}
	var err error
	if a.future, err = q.js.PublishMsgAsync(m); err != nil {
		return nil, fmt.Errorf("webhook: publish: %w", err)
	}
	return a, nil
}

type jetAck struct {
	identity *identity
	stream   uint32 // that there was when it was published
	future   jetstream.PubAckFuture
}

// Wait fails if the stream was replaced meanwhile, since it is not known which
// one has the record.
func (a jetAck) Wait(ctx context.Context) (Number, error) {
	select {
	case answer := <-a.future.Ok():
		stream, err := a.identity.accept(ctx, answer.Sequence, answer.Duplicate)
		if err == nil && stream != a.stream {
			err = errReplaced
		}
		return Number{stream, answer.Sequence}, err
	case err := <-a.future.Err():
		return Number{}, fmt.Errorf("webhook: publish: %w", err)
	case <-ctx.Done():
		return Number{}, context.Cause(ctx)
	}
}

func (q *jetQueue) Next(ctx context.Context, of Owner, to Address, from Number) (Number, *Record, error) {
	stream, err := q.identity.current(ctx)
	if err != nil {
		return Number{}, nil, err
	}
	if from.Stream != stream {
		from.Seq = 0
	}
	m, err := q.stream.GetMsg(ctx, from.Seq, jetstream.WithGetMsgSubject(of.prefix()+to.subject()))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Number{Stream: stream}, nil, ErrEmpty
	}
	if err != nil {
		return Number{}, nil, unreadable(err)
	}
	r, err := DecodeRecord(m.Data)
	return Number{stream, m.Sequence}, r, err // a record that can not be read has a number too
}

func unreadable(err error) error { return fmt.Errorf("webhook: read the queue: %w", err) }

func (q *jetQueue) Remove(ctx context.Context, n Number) error {
	if stream, err := q.identity.look(ctx); err != nil || stream != n.Stream {
		return err
	}
	return deleteMsg(ctx, q.stream, n.Seq)
}

// deleteMsg deletes a message that may be gone already.
func deleteMsg(ctx context.Context, stream jetstream.Stream, seq uint64) error {
	err := stream.DeleteMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		if _, missing := stream.GetMsg(ctx, seq); errors.Is(missing, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	return err
}

func (q *jetQueue) RemoveThrough(ctx context.Context, of Owner, to Address, n Number) error {
	if stream, err := q.identity.look(ctx); err != nil || stream != n.Stream {
		return err
	}
	return q.stream.Purge(ctx, jetstream.WithPurgeSubject(of.prefix()+to.subject()), jetstream.WithPurgeSequence(n.Seq+1))
}

func (q *jetQueue) Backlog(ctx context.Context, of Owner) (Backlog, error) {
	info, err := q.stream.Info(ctx, jetstream.WithSubjectFilter(of.prefix()+">"))
	if err != nil {
		return Backlog{}, unreadable(err)
	}
	each := int64(0)
	if info.State.Msgs > 0 {
		each = int64(info.State.Bytes / info.State.Msgs)
	}
	b := Backlog{of, make(map[Address]Size)}
	for subject, n := range info.State.Subjects {
		if a, ok := parseSubject(subject, of.prefix()); ok {
			b.Endpoints[a] = Size{int(n), int64(n) * each}
		}
	}
	return b, nil
}

// Owners asks for the subjects, of which there are as many as endpoints with
// something to deliver.
func (q *jetQueue) Owners(ctx context.Context) ([]Owner, error) {
	info, err := q.stream.Info(ctx, jetstream.WithSubjectFilter(queueSubjects+">"))
	if err != nil {
		return nil, unreadable(err)
	}
	seen := make(map[Owner]bool)
	var list []Owner
	for subject := range info.State.Subjects {
		token, _, _ := strings.Cut(strings.TrimPrefix(subject, queueSubjects), ".")
		if of := Owner(token); !seen[of] {
			seen[of] = true
			list = append(list, of)
		}
	}
	return list, nil
}

func (q *jetQueue) Scan(ctx context.Context, of Owner, each func(Address, *Record)) error {
	info, err := q.stream.Info(ctx)
	if err != nil {
		return unreadable(err)
	}
	from := info.State.FirstSeq
	if last := info.State.LastSeq; last > scanMost {
		from = max(from, last-scanMost)
	}
	for {
		m, err := q.stream.GetMsg(ctx, from, jetstream.WithGetMsgSubject(of.prefix()+">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return unreadable(err)
		}
		from = m.Sequence + 1
		to, ok := parseSubject(m.Subject, of.prefix())
		if r, err := DecodeRecord(m.Data); ok && err == nil { // or else delivery will complain
			each(to, r)
		}
	}
}
