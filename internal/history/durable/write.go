package durable

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// again is when a write that has failed is tried again.
var again = backoff.Policy{First: 50 * time.Millisecond, Most: time.Second, Jitter: true}

// atOnce is for how many apps something is written at the same time.
const atOnce = 64

// run writes what waits until ctx ends.
func (s *Store) run(ctx context.Context) {
	defer close(s.stopped)
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		for failures := 0; ; {
			due, forget := s.due()
			if len(due)+len(forget) == 0 {
				break
			}
			err := s.remove(ctx, forget)
			if err == nil {
				err = s.write(ctx, due)
			}
			if ctx.Err() != nil {
				return
			}
			s.fail(err, failures == 0)
			if err == nil {
				failures = 0
				continue
			}
			failures++
			if !backoff.Sleep(ctx, again.Wait(failures)) {
				return
			}
		}
	}
}

// fail notes whether the last write has failed.
func (s *Store) fail(err error, first bool) {
	s.mu.Lock()
	s.failing = err != nil
	s.mu.Unlock()
	if err != nil {
		s.metrics.failures.Inc()
		if first {
			s.cfg.Log.Warn("events of durable histories can not be written; backends are refused until they can", "err", err)
		}
	}
}

// A delivery is the first chunk of an outbox on its way.
type delivery struct {
	of    *outbox
	chunk *chunk
	ack   jetstream.PubAckFuture
}

// due returns the first chunk of each outbox, which nothing is added to any more, and
// the apps of which all is to be removed before.
func (s *Store) due() (due []delivery, forget []*outbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.apps {
		if o.forget {
			forget = append(forget, o)
		}
		if len(o.chunks) == 0 || len(due) == atOnce {
			continue
		}
		o.chunks[0].sealed = true
		due = append(due, delivery{of: o, chunk: o.chunks[0]})
	}
	return due, forget
}

// remove removes what is there of apps.
func (s *Store) remove(ctx context.Context, forget []*outbox) error {
	for _, o := range forget {
		stream, err := s.open(ctx)
		if err == nil {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			err = stream.Purge(ctx, jetstream.WithPurgeSubject(ofApp(o.app)+">"))
		}
		if err != nil {
			return fmt.Errorf("durable: remove: %w", err)
		}
		s.mu.Lock()
		o.forget = false
		s.mu.Unlock()
	}
	return nil
}

// write writes chunks, and returns the error of the first one that was not.
func (s *Store) write(ctx context.Context, due []delivery) (err error) {
	if _, err := s.open(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range due {
		d := &due[i]
		m := nats.NewMsg(subject(d.of.app, s.cfg.Node))
		m.Data = append(d.chunk.header.append(nil), d.chunk.records...)
		m.Header.Set(jetstream.MsgTTLHeader, strconv.Itoa(max(int(d.chunk.ttl/time.Second), 1)))
		ack, failed := s.cfg.JetStream.PublishMsgAsync(m)
		if failed != nil {
			err = fmt.Errorf("durable: write: %w", failed)
			due = due[:i]
			break
		}
		d.ack = ack
	}
	for _, d := range due {
		select {
		case <-d.ack.Ok():
			s.done(d)
		case failed := <-d.ack.Err():
			err = fmt.Errorf("durable: write: %w", failed)
		case <-ctx.Done():
			err = fmt.Errorf("durable: write: %w", ctx.Err())
		}
	}
	return err
}

// done notes that a chunk is written.
func (s *Store) done(d delivery) {
	s.metrics.written.Add(float64(len(d.chunk.records)))
	s.mu.Lock()
	defer s.mu.Unlock()
	o := d.of
	o.chunks = o.chunks[1:]
	o.waiting -= len(d.chunk.records)
	s.waiting -= len(d.chunk.records)
	o.written = d.chunk.last
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

// drain returns when nothing waits to be written, or ctx ends.
func (s *Store) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	for app, ticket := range s.last() {
		if err := s.Await(ctx, app, ticket); err != nil {
			return err
		}
	}
	return nil
}

// last returns tickets for what was added last, by app.
func (s *Store) last() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := make(map[string]uint64, len(s.apps))
	for app, o := range s.apps {
		last[app] = o.added
	}
	return last
}

// subject is where the chunks of a publisher stand. Ids of apps are any text.
func subject(app string, publisher node.ID) string {
	return ofApp(app) + string(publisher)
}

func ofApp(app string) string {
	return subjects + base64.RawURLEncoding.EncodeToString([]byte(app)) + "."
}
