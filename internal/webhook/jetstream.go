package webhook

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/engine"
)

// The names of the streams, and their subjects. Those of the queue go on with
// the owner, the app and the endpoint, the others with the app and the endpoint.
const (
	queueStream   = "belfry-webhooks"
	queueSubjects = "belfry.webhooks.queue."
	buryStream    = "belfry-webhooks-buried"
	burySubjects  = "belfry.webhooks.buried."
)

const (
	publishTimeout = 5 * time.Second
	// duplicates is how long the stream knows records that it has; an answer
	// is waited for less than that.
	duplicates = time.Minute
	// buriedFor is how long what was given up is kept.
	buriedFor = 7 * 24 * time.Hour
)

// A jetQueue is a queue in JetStream.
type jetQueue struct {
	engine  *engine.Engine
	js      jetstream.JetStream
	queue   jetstream.Stream
	numbers *identity // of queue
	graves  jetstream.Stream
	heirsOf jetstream.KeyValue // nil unless in a cluster
	heirLog jetstream.Stream   // behind heirsOf
}

var _ queue = (*jetQueue)(nil)

// openQueue makes the streams if need be.
func openQueue(ctx context.Context, cfg Config) (*jetQueue, error) {
	e := cfg.Engine
	js, err := jetstream.New(e.Conn(), jetstream.WithPublishAsyncTimeout(publishTimeout), jetstream.WithPublishAsyncMaxPending(2*maxFlights))
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	q := &jetQueue{engine: e, js: js}
	maxBytes, maxBuried := cfg.MaxBytes, cfg.MaxBuried
	if e.Storage() == jetstream.MemoryStorage {
		maxBytes, maxBuried = min(maxBytes, 64<<20), min(maxBuried, 16<<20)
	}
	q.queue, err = e.Stream(ctx, jetstream.StreamConfig{
		Name:        queueStream,
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
	q.numbers = newIdentity(e.Conn(), q.queue)
	q.graves, err = e.Stream(ctx, jetstream.StreamConfig{
		Name:        buryStream,
		Description: "events for webhooks that were given up",
		Subjects:    []string{burySubjects + ">"},
		Discard:     jetstream.DiscardOld,
		MaxBytes:    maxBuried,
		MaxAge:      buriedFor,
	})
	if err != nil {
		return nil, fmt.Errorf("webhook: store of what was given up: %w", err)
	}
	if cfg.Clustered {
		q.heirsOf, err = e.Bucket(ctx, jetstream.KeyValueConfig{Bucket: heirsBucket, Description: "who has taken over whose queue", History: 1})
		if err == nil {
			q.heirLog, err = js.Stream(ctx, "KV_"+heirsBucket)
		}
		if err != nil {
			return nil, fmt.Errorf("webhook: heirs: %w", err)
		}
	}
	return q, nil
}

// prefix is what the subjects of an owner's queue begin with.
func (o owner) prefix() string { return queueSubjects + string(o) + "." }

// subject is the end of the subjects of an address.
func (a address) subject() string { return escape(a.app) + "." + escape(a.endpoint) }

// escape makes one token of a name, reversibly.
func escape(name string) string {
	plain := func(b byte) bool {
		return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_'
	}
	var b strings.Builder
	for i := range len(name) {
		if plain(name[i]) {
			b.WriteByte(name[i])
		} else {
			fmt.Fprintf(&b, "%%%02x", name[i])
		}
	}
	if b.Len() == 0 {
		return "%"
	}
	return b.String()
}

func unescape(token string) (string, bool) {
	if token == "%" {
		return "", true
	}
	var b []byte
	for len(token) > 0 {
		if token[0] != '%' {
			b, token = append(b, token[0]), token[1:]
			continue
		}
		if len(token) < 3 {
			return "", false
		}
		n, err := strconv.ParseUint(token[1:3], 16, 8)
		if err != nil {
			return "", false
		}
		b, token = append(b, byte(n)), token[3:]
	}
	return string(b), true
}

func parseSubject(subject, prefix string) (address, bool) {
	app, endpoint, found := strings.Cut(strings.TrimPrefix(subject, prefix), ".")
	a, ok1 := unescape(app)
	e, ok2 := unescape(endpoint)
	return address{a, e}, found && ok1 && ok2
}

func (q *jetQueue) publish(of owner, to address, r *record) (ack, error) {
	if err := q.engine.Writable(); err != nil {
		return nil, err
	}
	m := nats.NewMsg(of.prefix() + to.subject())
	m.Data = encodeRecord(r)
	m.Header.Set(jetstream.MsgIDHeader, r.id)
	a := jetAck{queue: q, stream: q.numbers.known()}
	var err error
	if a.future, err = q.js.PublishMsgAsync(m); err != nil {
		return nil, fmt.Errorf("webhook: publish: %w", err)
	}
	return a, nil
}

type jetAck struct {
	queue  *jetQueue
	stream uint32 // that there was when it was published
	future jetstream.PubAckFuture
}

// wait fails if the stream was replaced meanwhile, since it is not known which
// one has the record.
func (a jetAck) wait(ctx context.Context) (number, error) {
	select {
	case answer := <-a.future.Ok():
		stream, err := a.queue.numbers.accept(ctx, answer.Sequence, answer.Duplicate)
		if err == nil && stream != a.stream {
			err = errReplaced
		}
		return number{stream, answer.Sequence}, err
	case err := <-a.future.Err():
		return number{}, fmt.Errorf("webhook: publish: %w", err)
	case <-ctx.Done():
		return number{}, context.Cause(ctx)
	}
}

func (q *jetQueue) next(ctx context.Context, of owner, to address, from number) (number, *record, error) {
	stream, err := q.numbers.current(ctx)
	if err != nil {
		return number{}, nil, err
	}
	if from.stream != stream {
		from.seq = 0
	}
	m, err := q.queue.GetMsg(ctx, from.seq, jetstream.WithGetMsgSubject(of.prefix()+to.subject()))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return number{stream: stream}, nil, errEmpty
	}
	if err != nil {
		return number{}, nil, fmt.Errorf("webhook: read the queue: %w", err)
	}
	r, err := decodeRecord(m.Data)
	return number{stream, m.Sequence}, r, err // a record that can not be read has a number too
}

func (q *jetQueue) remove(ctx context.Context, n number) error {
	if stream, err := q.numbers.look(ctx); err != nil || stream != n.stream {
		return err
	}
	return deleteMsg(ctx, q.queue, n.seq)
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

func (q *jetQueue) removeThrough(ctx context.Context, of owner, to address, n number) error {
	if stream, err := q.numbers.look(ctx); err != nil || stream != n.stream {
		return err
	}
	return q.queue.Purge(ctx, jetstream.WithPurgeSubject(of.prefix()+to.subject()), jetstream.WithPurgeSequence(n.seq+1))
}

func (q *jetQueue) backlog(ctx context.Context, of owner) (map[address]backlog, error) {
	info, err := q.queue.Info(ctx, jetstream.WithSubjectFilter(of.prefix()+">"))
	if err != nil {
		return nil, fmt.Errorf("webhook: read the queue: %w", err)
	}
	each := int64(0)
	if info.State.Msgs > 0 {
		each = int64(info.State.Bytes / info.State.Msgs)
	}
	all := make(map[address]backlog)
	for subject, n := range info.State.Subjects {
		if a, ok := parseSubject(subject, of.prefix()); ok {
			all[a] = backlog{int(n), int64(n) * each}
		}
	}
	return all, nil
}

func (q *jetQueue) bury(ctx context.Context, b *burial) error {
	if err := q.engine.Writable(); err != nil {
		return err
	}
	_, err := q.js.Publish(ctx, burySubjects+b.to.subject(), encodeBurial(b),
		jetstream.WithMsgID(b.id()))
	if err != nil {
		return fmt.Errorf("webhook: bury: %w", err)
	}
	return nil
}

func (q *jetQueue) buried(ctx context.Context, of address, after uint64, each func(*burial) bool) error {
	subject := burySubjects
	for i, name := range []string{of.app, of.endpoint} {
		if i > 0 {
			subject += "."
		}
		if name == "" {
			subject += "*"
		} else {
			subject += escape(name)
		}
	}
	for {
		m, err := q.graves.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("webhook: read what was given up: %w", err)
		}
		after = m.Sequence
		b, err := decodeBurial(m.Data)
		if err != nil {
			return err
		}
		b.seq = m.Sequence
		if !each(b) {
			return nil
		}
	}
}

func (q *jetQueue) exhume(ctx context.Context, seq uint64) (*burial, error) {
	m, err := q.graves.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, errEmpty
	}
	if err != nil {
		return nil, fmt.Errorf("webhook: read what was given up: %w", err)
	}
	b, err := decodeBurial(m.Data)
	if err == nil {
		b.seq = seq
	}
	return b, err
}

func (q *jetQueue) forget(ctx context.Context, b *burial) error {
	found, err := q.exhume(ctx, b.seq)
	if errors.Is(err, errEmpty) || err == nil && found.id() != b.id() {
		return nil
	}
	if err != nil {
		return err
	}
	return deleteMsg(ctx, q.graves, b.seq)
}

// id is what the engine knows a burial by, so that it is kept once.
func (b *burial) id() string { return fmt.Sprintf("%s.%s.%d", b.to.subject(), b.events[0].id, b.at) }
