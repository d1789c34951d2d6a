package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// A Query says which entries are asked for. Empty fields stand for all.
type Query struct {
	Before uint64 // those with a smaller id; zero: the newest
	App    string
	Who    string
}

const (
	// window is how many numbers of the stream are looked at together, backwards.
	window = 256
	// maxRead is how many entries are read for one answer.
	maxRead = 5000
)

// List returns up to limit entries, the newest first, and where to go on: zero if there is
// nothing more. There may be fewer, and even none, although there is more.
func (l *Log) List(ctx context.Context, q Query, limit int) (list []Entry, next uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	select {
	case <-l.opened:
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	info, err := l.stream.Info(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	first, end := info.State.FirstSeq, info.State.LastSeq+1
	if q.Before != 0 {
		end = min(end, q.Before)
	}
	subject, step := subjects+">", uint64(window)
	if q.App != "" {
		subject, step = subjectOf(q.App), uint64(maxRead)
	}
	for read := 0; end > first && read < maxRead; {
		begin := first
		if end-first > step {
			begin = end - step
		}
		some, err := l.between(ctx, subject, begin, end)
		if err != nil {
			return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		read += len(some) + 1
		for i := len(some) - 1; i >= 0; i-- {
			if q.Who != "" && some[i].Who != q.Who {
				continue
			}
			if len(list) == limit {
				return list, list[limit-1].ID, nil
			}
			list = append(list, some[i])
		}
		end = begin
	}
	if end > first {
		next = end
	}
	return list, next, nil
}

// between returns the entries with numbers from begin to before end.
func (l *Log) between(ctx context.Context, subject string, begin, end uint64) (list []Entry, err error) {
	for at := begin; at < end; {
		m, err := l.stream.GetMsg(ctx, at, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		if m.Sequence >= end {
			break
		}
		at = m.Sequence + 1
		var e Entry
		if json.Unmarshal(m.Data, &e) != nil {
			continue // of a version that writes them otherwise
		}
		e.ID = m.Sequence
		list = append(list, e)
	}
	return list, nil
}
