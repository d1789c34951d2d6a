package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/engine"
)

// DeadLetterStreamName is the stream of dead letters. deadSubjects begins its
// subjects, which go on with the app and the endpoint. The names are of an
// earlier vocabulary, and stay because they are on disk.
const (
	DeadLetterStreamName = "belfry-webhooks-buried"
	deadSubjects         = "belfry.webhooks.buried."
)

// deadFor is how long dead letters are kept.
const deadFor = 7 * 24 * time.Hour

// jetDeadLetters are dead letters in JetStream.
type jetDeadLetters struct {
	engine *engine.Engine
	js     jetstream.JetStream
	stream jetstream.Stream
}

var _ DeadLetters = (*jetDeadLetters)(nil)

func openDeadLetters(ctx context.Context, e *engine.Engine, js jetstream.JetStream, maxBytes int64) (*jetDeadLetters, error) {
	stream, err := e.Stream(ctx, jetstream.StreamConfig{
		Name:        DeadLetterStreamName,
		Description: "events for webhooks that were given up",
		Subjects:    []string{deadSubjects + ">"},
		Discard:     jetstream.DiscardOld,
		MaxBytes:    maxBytes,
		MaxAge:      deadFor,
	})
	if err != nil {
		return nil, fmt.Errorf("webhook: dead letters: %w", err)
	}
	return &jetDeadLetters{e, js, stream}, nil
}

func (s *jetDeadLetters) Put(ctx context.Context, d *DeadLetter) error {
	if err := s.engine.Writable(); err != nil {
		return err
	}
	_, err := s.js.Publish(ctx, deadSubjects+d.To.subject(), EncodeDeadLetter(d), jetstream.WithMsgID(d.ID()))
	if err != nil {
		return fmt.Errorf("webhook: keep a dead letter: %w", err)
	}
	return nil
}

// ID is what a store knows a dead letter by, so that it is kept once.
func (d *DeadLetter) ID() string {
	return fmt.Sprintf("%s.%s.%d", d.To.subject(), d.Events[0].ID, d.At)
}

func (s *jetDeadLetters) List(ctx context.Context, of Address, after uint64, each func(*DeadLetter) bool) error {
	any := func(name string) string {
		if name == "" {
			return "*"
		}
		return escape(name)
	}
	subject := deadSubjects + any(of.App) + "." + any(of.Endpoint)
	for {
		m, err := s.stream.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		d, err := letterIn(m, err)
		if err != nil {
			return err
		}
		if after = d.Seq; !each(d) {
			return nil
		}
	}
}

func (s *jetDeadLetters) Get(ctx context.Context, seq uint64) (*DeadLetter, error) {
	m, err := s.stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, ErrEmpty
	}
	return letterIn(m, err)
}

// letterIn reads what was got, unless that has failed.
func letterIn(m *jetstream.RawStreamMsg, err error) (*DeadLetter, error) {
	if err != nil {
		return nil, fmt.Errorf("webhook: read dead letters: %w", err)
	}
	d, err := DecodeDeadLetter(m.Data)
	if err == nil {
		d.Seq = m.Sequence
	}
	return d, err
}

func (s *jetDeadLetters) Remove(ctx context.Context, d *DeadLetter) error {
	found, err := s.Get(ctx, d.Seq)
	if errors.Is(err, ErrEmpty) || err == nil && found.ID() != d.ID() {
		return nil
	}
	if err != nil {
		return err
	}
	return deleteMsg(ctx, s.stream, d.Seq)
}
