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

const (
	// firstClaim is between the id at firstKey and the node that makes the app.
	firstClaim = " by "
	// firstMade follows the id at firstKey once somebody was told of the app.
	firstMade = " made"
)

// A First is the app that a service without any gets.
type First struct {
	Name string // of the app
	Node string // who asks; empty where one node alone uses the store
	// Tell is told of the app, whose secret nobody knows yet.
	Tell func(*apps.App) error
}

// First makes an app with random credentials in a store that never had one, and
// tells it. Until somebody was told, the same node tries again at its next
// start; others leave the app to it.
func (s *Store) First(ctx context.Context, f First) error {
	id, owner, err := s.claimFirst(ctx, f.Node)
	if err != nil || id == "" {
		return err
	}
	if owner != f.Node {
		s.log.Info("another node makes the first app", "app", id, "node", owner)
		return nil
	}
	a := apps.New()
	a.ID, a.Name = id, f.Name
	e, err := s.Create(ctx, a)
	if errors.Is(err, ErrExists) { // and a start that failed has told nobody
		e, err = s.Get(id)
	}
	if err != nil {
		return err
	}
	if err := f.Tell(e.App); err != nil {
		return err
	}
	return s.markFirst(ctx, id)
}

// claimFirst returns the id of the app that is to be made, and by which node.
// There is no id if the service has had its first app.
func (s *Store) claimFirst(ctx context.Context, node string) (id, owner string, err error) {
	marker, err := s.cfg.Bucket.Get(ctx, firstKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		if _, stored := s.Len(); stored > 0 {
			return "", "", s.markFirst(ctx, "")
		}
		id = apps.NewID()
		if _, err = s.cfg.Bucket.Create(ctx, firstKey, []byte(id+firstClaim+node)); err == nil {
			return id, node, nil
		}
		if errors.Is(err, jetstream.ErrKeyExists) {
			marker, err = s.firstMarker(ctx)
		}
	}
	if err != nil {
		return "", "", unavailable(err)
	}
	text := string(marker.Value())
	if strings.HasSuffix(text, firstMade) {
		return "", "", nil
	}
	id, owner, claimed := strings.Cut(text, firstClaim)
	if !claimed {
		owner = node // it was begun by a build that did not write down who
	}
	return id, owner, nil
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
	if _, err := s.cfg.Bucket.Put(ctx, firstKey, []byte(id+firstMade)); err != nil {
		return unavailable(err)
	}
	return nil
}
