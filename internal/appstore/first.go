package appstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/apps"
)

// firstKey is where it is written down which app was the first, so that of
// several nodes one makes it, and none again after it was deleted.
const firstKey = "first"

// firstMade follows the id at firstKey once the app was made.
const firstMade = " made"

// First makes an app with random credentials in a store that never had one. It
// reports whether it did: then nobody else knows the secret.
func (s *Store) First(ctx context.Context, name string) (_ Entry, made bool, err error) {
	if _, stored := s.Len(); stored > 0 {
		return Entry{}, false, s.markFirst(ctx, "")
	}
	id := apps.NewID()
	_, err = s.cfg.Bucket.Create(ctx, firstKey, []byte(id))
	if errors.Is(err, jetstream.ErrKeyExists) {
		marker, err := s.firstMarker(ctx)
		if err != nil {
			return Entry{}, false, unavailable(err)
		}
		if id = string(marker.Value()); strings.HasSuffix(id, firstMade) {
			return Entry{}, false, nil
		}
	} else if err != nil {
		return Entry{}, false, unavailable(err)
	}
	a := apps.New()
	a.ID, a.Name = id, name
	e, err := s.Create(ctx, a)
	if err != nil && !errors.Is(err, ErrExists) {
		return Entry{}, false, err
	}
	return e, err == nil, s.markFirst(ctx, id)
}

// firstMarker reads what stands at firstKey, where something stands: a copy of
// the bucket that another node has just written to may not have it yet.
func (s *Store) firstMarker(ctx context.Context) (jetstream.KeyValueEntry, error) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		marker, err := s.cfg.Bucket.Get(ctx, firstKey)
		if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return marker, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// markFirst writes down that there was a first app.
func (s *Store) markFirst(ctx context.Context, id string) error {
	marker, err := s.cfg.Bucket.Get(ctx, firstKey)
	if err == nil && strings.HasSuffix(string(marker.Value()), firstMade) {
		return nil
	}
	if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return unavailable(err)
	}
	if _, err := s.cfg.Bucket.Put(ctx, firstKey, []byte(id+firstMade)); err != nil {
		return unavailable(err)
	}
	return nil
}

// Import makes those of some apps that are not there yet, and returns their
// ids.
func (s *Store) Import(ctx context.Context, list []*apps.App) (made []string, err error) {
	for _, a := range list {
		_, err := s.Create(ctx, a)
		if errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return made, err
		}
		made = append(made, a.ID)
	}
	return made, nil
}
