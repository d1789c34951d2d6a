package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// heirsBucket is the bucket in which it stands who has taken over whose queue.
const heirsBucket = "belfry-webhooks-heirs"

// scanMost is how far back scan looks, in records of all owners. What a node
// had queued and not said to be told is among the last that it published.
const scanMost = 1 << 15

// owners asks for the subjects, of which there are as many as endpoints with
// something to deliver.
func (q *jetQueue) owners(ctx context.Context) ([]owner, error) {
	info, err := q.queue.Info(ctx, jetstream.WithSubjectFilter(queueSubjects+">"))
	if err != nil {
		return nil, fmt.Errorf("webhook: read the queue: %w", err)
	}
	seen := make(map[owner]bool)
	var list []owner
	for subject := range info.State.Subjects {
		token, _, _ := strings.Cut(strings.TrimPrefix(subject, queueSubjects), ".")
		if of := owner(token); !seen[of] {
			seen[of] = true
			list = append(list, of)
		}
	}
	return list, nil
}

func (q *jetQueue) scan(ctx context.Context, of owner, each func(address, *record)) error {
	info, err := q.queue.Info(ctx)
	if err != nil {
		return fmt.Errorf("webhook: read the queue: %w", err)
	}
	from := info.State.FirstSeq
	if last := info.State.LastSeq; last > scanMost {
		from = max(from, last-scanMost)
	}
	for {
		m, err := q.queue.GetMsg(ctx, from, jetstream.WithGetMsgSubject(of.prefix()+">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("webhook: read the queue: %w", err)
		}
		from = m.Sequence + 1
		to, ok := parseSubject(m.Subject, of.prefix())
		if r, err := decodeRecord(m.Data); ok && err == nil { // or else delivery will complain
			each(to, r)
		}
	}
}

func (q *jetQueue) heirs(ctx context.Context) (map[owner]heir, error) {
	keys, err := q.heirsOf.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return nil, fmt.Errorf("webhook: read heirs: %w", err)
	}
	all := make(map[owner]heir, len(keys))
	for _, key := range keys {
		entry, err := q.heirsOf.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("webhook: read heirs: %w", err)
		}
		of, ok := unescape(strings.ReplaceAll(key, "=", "%"))
		if !ok {
			return nil, fmt.Errorf("webhook: read heirs: %w", errRecord)
		}
		all[owner(of)] = heir{owner(entry.Value()), entry.Revision()}
	}
	return all, nil
}

// heirKey is the key of an owner. A bucket takes no %.
func heirKey(of owner) string { return strings.ReplaceAll(escape(string(of)), "%", "=") }

func (q *jetQueue) inherit(ctx context.Context, dead, by owner, after uint64) error {
	var err error
	if after == 0 {
		_, err = q.heirsOf.Create(ctx, heirKey(dead), []byte(by))
	} else {
		_, err = q.heirsOf.Update(ctx, heirKey(dead), []byte(by), after)
	}
	if e, ok := errors.AsType[*jetstream.APIError](err); ok && e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || errors.Is(err, jetstream.ErrKeyExists) {
		return errTaken
	}
	if err != nil {
		return fmt.Errorf("webhook: inherit a queue: %w", err)
	}
	return nil
}

// disinherit removes the entry itself: a mark that it was removed would stay
// for ever.
func (q *jetQueue) disinherit(ctx context.Context, dead owner, by heir) error {
	err := q.heirLog.Purge(ctx, jetstream.WithPurgeSubject("$KV."+heirsBucket+"."+heirKey(dead)), jetstream.WithPurgeSequence(by.revision+1))
	if err != nil {
		return fmt.Errorf("webhook: forget who has a queue: %w", err)
	}
	return nil
}
