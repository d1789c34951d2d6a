package durable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/history"
)

// maxPublishers is how many publishers of an app are read, the latest of them.
const maxPublishers = 48

// Read returns what is kept of an app's events, of all publishers but this node and
// those that are to be skipped. What has been there for longer than ttl is left out.
func (s *Store) Read(ctx context.Context, app string, ttl time.Duration, skip func(node.ID) bool) ([]history.Former, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	stream, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(ofApp(app)+">"))
	if err != nil {
		return nil, fmt.Errorf("durable: read: %w", err)
	}
	var wanted []string
	for name := range info.State.Subjects {
		id := node.ID(strings.TrimPrefix(name, ofApp(app)))
		if id.Valid() && id != s.cfg.Node && !skip(id) {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	if wanted, err = latest(ctx, stream, wanted); err != nil {
		return nil, err
	}
	readers := make(map[string]*reader, len(wanted))
	for _, name := range wanted {
		readers[name] = &reader{publisher: node.ID(strings.TrimPrefix(name, ofApp(app))), since: time.Now().Add(-ttl)}
	}
	if err := each(ctx, stream, wanted, func(m jetstream.Msg) { readers[m.Subject()].read(m.Data()) }); err != nil {
		return nil, err
	}
	formers := make([]history.Former, 0, len(readers))
	for _, name := range wanted {
		formers = append(formers, readers[name].former())
	}
	s.metrics.reads.Inc()
	return formers, nil
}

// latest returns those subjects that were written to last, if there are too many.
func latest(ctx context.Context, stream jetstream.Stream, names []string) ([]string, error) {
	if len(names) <= maxPublishers {
		return names, nil
	}
	last := make(map[string]uint64, len(names))
	for _, name := range names {
		m, err := stream.GetLastMsgForSubject(ctx, name)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, fmt.Errorf("durable: read: %w", err)
		}
		if err == nil {
			last[name] = m.Sequence
		}
	}
	slices.SortFunc(names, func(a, b string) int { return int(int64(last[b] - last[a])) })
	return names[:maxPublishers], nil
}

// each calls read with all messages of the subjects that are there now.
func each(ctx context.Context, stream jetstream.Stream, names []string, read func(jetstream.Msg)) error {
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: names, DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("durable: read: %w", err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("durable: read: %w", err)
	}
	if info.NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("durable: read: %w", err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("durable: read: %w", err)
		}
		read(m)
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("durable: read: %w", err)
		}
		if meta.NumPending == 0 {
			return nil
		}
	}
}

// A reader puts together what one publisher has written.
type reader struct {
	publisher node.ID
	since     time.Time // what was published before is left out

	header   header
	whole    bool
	highest  uint64
	channels map[string]*history.Past
}

// read takes the next message. If one before it is missing, nothing before it counts.
func (r *reader) read(data []byte) {
	h, list, err := decode(data)
	switch {
	case err != nil:
		r.cut(header{})
		return
	case h.life == r.header.life && h.index <= r.header.index:
		return // it was written twice
	case h.index == 1 && h.begun:
		r.cut(h)
		r.whole, r.highest = true, h.base
	case h.life != r.header.life || h.index != r.header.index+1:
		r.cut(h)
	}
	r.header = h
	for _, record := range list {
		record.Publisher = r.publisher
		if record.Frame != nil && record.At.Before(r.since) {
			record.Frame = nil
		}
		past := r.channels[record.Channel]
		if past == nil {
			past = &history.Past{}
			r.channels[record.Channel] = past
		}
		past.Add(record)
		r.highest = max(r.highest, record.Number)
	}
}

// cut forgets everything: it may not be all.
func (r *reader) cut(h header) {
	r.header, r.whole, r.highest, r.channels = h, false, 0, make(map[string]*history.Past)
}

func (r *reader) former() history.Former {
	f := history.Former{
		Publisher: r.publisher, Whole: r.whole, Base: r.header.base, Highest: r.highest,
		Channels: make(map[string]history.Past, len(r.channels)),
	}
	for name, past := range r.channels {
		f.Channels[name] = *past
	}
	return f
}
