package natsroster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/engine"
)

var _ journal = (*streams)(nil)

// streams are a journal in JetStream: one stream for the log, with a subject
// for each incarnation, and one for snapshots.
type streams struct {
	js   jetstream.JetStream
	make func(context.Context, jetstream.StreamConfig) (jetstream.Stream, error)

	logName, logPrefix           string
	snapshotName, snapshotPrefix string
}

const (
	heartbeat = time.Second // of a consumer, so that one that has died is noticed
	// maxMessage is above batches and chunks of snapshots.
	maxMessage = 1 << 20
	// rememberIDs is how long a batch is not stored twice. Past that readers
	// notice by its number.
	rememberIDs = 2 * time.Minute
)

func newStreams(cfg Config) *streams {
	p := cfg.Prefix
	return &streams{
		js: cfg.JetStream, make: cfg.Stream,
		logName: p + "-roster", logPrefix: p + ".roster.",
		// That is what data directories have: a snapshot was called an image once.
		snapshotName: p + "-roster-images", snapshotPrefix: p + ".roster-images.",
	}
}

func (s *streams) open(ctx context.Context) error {
	for name, prefix := range map[string]string{s.logName: s.logPrefix, s.snapshotName: s.snapshotPrefix} {
		_, err := s.make(ctx, jetstream.StreamConfig{
			Name:       name,
			Subjects:   []string{prefix + "*"},
			Discard:    jetstream.DiscardNew,
			MaxMsgSize: maxMessage,
			Duplicates: rememberIDs,
			DenyDelete: true,
		})
		if err != nil {
			return fmt.Errorf("roster: stream %s: %w", name, err)
		}
	}
	return nil
}

func (s *streams) append(ctx context.Context, author node.ID, id string, data []byte) (uint64, error) {
	msg := &nats.Msg{Subject: s.logPrefix + string(author), Data: data}
	ack, err := s.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id), jetstream.WithExpectStream(s.logName), jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (s *streams) bounds(ctx context.Context) (first, last uint64, err error) {
	stream, err := s.js.Stream(ctx, s.logName) // asks for its state
	if err != nil {
		return 0, 0, err
	}
	if err := engine.Led(stream.CachedInfo()); err != nil {
		return 0, 0, err
	}
	state := stream.CachedInfo().State
	return max(state.FirstSeq, 1), state.LastSeq, nil
}

func (s *streams) at(ctx context.Context, seq uint64) (record, error) {
	stream, err := s.js.Stream(ctx, s.logName)
	if err != nil {
		return record{}, err
	}
	msg, err := stream.GetMsg(ctx, seq)
	if err != nil {
		return record{}, err
	}
	return record{seq: seq, author: author(msg.Subject, s.logPrefix), data: msg.Data}, nil
}

// author returns who has written to a subject; nobody if that is not how ours
// look.
func author(subject, prefix string) node.ID {
	id := node.ID(strings.TrimPrefix(subject, prefix))
	if !id.Valid() {
		return ""
	}
	return id
}

func (s *streams) follow(ctx context.Context, from uint64, read func(record) error) error {
	return s.consume(ctx, s.logName, from, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		if meta.Sequence.Stream != from {
			return errGap
		}
		from++
		return read(record{meta.Sequence.Stream, author(msg.Subject(), s.logPrefix), msg.Data(), meta.NumPending})
	})
}

// consume calls read with every message of a stream from a position on. The
// consumer lives as long as the call: that of the library would go on by
// itself after something was wrong, and not say that a stream was made anew.
func (s *streams) consume(ctx context.Context, stream string, from uint64, read func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	consumer, err := s.js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       max(from, 1),
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: 30 * time.Second,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return err
	}
	defer func() { // or it goes by itself
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		s.js.DeleteConsumer(ctx, stream, consumer.CachedInfo().Name)
	}()
	messages, err := consumer.Messages(
		jetstream.PullMaxMessagesWithBytesLimit(1000, 8<<20),
		jetstream.PullExpiry(10*time.Second),
		jetstream.PullHeartbeat(heartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true),
	)
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if err := read(msg, meta); err != nil {
			return err
		}
	}
}

func (s *streams) keep(ctx context.Context, author node.ID, chunks [][]byte) error {
	for _, chunk := range chunks {
		ctx, cancel := context.WithTimeout(ctx, publishTimeout)
		_, err := s.js.Publish(ctx, s.snapshotPrefix+string(author), chunk, jetstream.WithExpectStream(s.snapshotName))
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *streams) kept(ctx context.Context, read func(node.ID, uint64, []byte)) error {
	stream, err := s.js.Stream(ctx, s.snapshotName)
	if err != nil {
		return err
	}
	if err := engine.Led(stream.CachedInfo()); err != nil {
		return err
	}
	if stream.CachedInfo().State.Msgs == 0 {
		return nil
	}
	last := stream.CachedInfo().State.LastSeq
	done := errors.New("done")
	err = s.consume(ctx, s.snapshotName, 1, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		read(author(msg.Subject(), s.snapshotPrefix), meta.Sequence.Stream, msg.Data())
		if meta.Sequence.Stream >= last || meta.NumPending == 0 {
			return done
		}
		return nil
	})
	if err == done {
		return nil
	}
	return err
}

func (s *streams) forget(ctx context.Context, batches, chunks uint64) error {
	for name, below := range map[string]uint64{s.logName: batches, s.snapshotName: chunks} {
		stream, err := s.js.Stream(ctx, name)
		if err == nil {
			err = stream.Purge(ctx, jetstream.WithPurgeSequence(below))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
