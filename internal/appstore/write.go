package appstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/follow"
)

const (
	// writeTimeout is how long the engine has for one change.
	writeTimeout = 5 * time.Second
	// attempts is how often a change that somebody else got ahead of is tried.
	attempts    = 12
	fewAttempts = 6 // at a revision that the caller has named
)

// contention is how it is tried: the copy of the bucket that is asked may be a
// moment behind.
var contention = backoff.Policy{First: 10 * time.Millisecond, Most: 500 * time.Millisecond, Jitter: true, Attempts: attempts}

// errAhead says that somebody else was faster.
var errAhead = errors.New("appstore: somebody else has changed the app")

// insist tries to change an app until nobody is ahead, or the app can not be
// found at the revision that the caller has named; zero is none.
func insist(ctx context.Context, revision uint64, try func() error) error {
	p := contention
	if revision != 0 {
		p.Attempts = fewAttempts
	}
	err := p.Retry(ctx, func() (again bool, err error) {
		err = try()
		return errors.Is(err, errAhead), err
	})
	switch {
	case !errors.Is(err, errAhead):
		return err
	case ctx.Err() != nil:
		return unavailable(context.Cause(ctx))
	case revision != 0:
		return ErrRevision
	}
	return ErrBusy
}

// Create makes an app. Without an id it gets a random one, and without keys a
// random pair. When Create returns, the app is served on this node; the
// errors are ErrExists, ErrKeyTaken, ErrInstanceTaken and ErrUnavailable.
func (s *Store) Create(ctx context.Context, app *apps.App) (Entry, error) {
	a := *app
	a.Keys = slices.Clone(app.Keys)
	now := s.now()
	for i := range a.Keys {
		if a.Keys[i].Created.IsZero() {
			a.Keys[i].Created = now
		}
	}
	if len(a.Keys) == 0 {
		a.Keys = []apps.Key{apps.NewKey(now)}
	}
	if err := s.checkKeys(&a); err != nil {
		return Entry{}, err
	}
	for range attempts {
		if app.ID == "" {
			a.ID = apps.NewID()
		}
		e, err := s.create(ctx, &record{app: &a, created: now, updated: now})
		if app.ID != "" || !errors.Is(err, ErrExists) {
			return e, err
		}
	}
	return Entry{}, ErrExists
}

func (s *Store) create(ctx context.Context, r *record) (Entry, error) {
	if e, err := s.Get(r.app.ID); err == nil && e.Configured {
		return Entry{}, ErrExists
	}
	err := s.write(ctx, r, func(ctx context.Context, key string, value []byte) (uint64, error) {
		return s.cfg.Bucket.Create(ctx, key, value)
	})
	if errors.Is(err, jetstream.ErrKeyExists) {
		return Entry{}, ErrExists
	}
	if err != nil {
		return Entry{}, err
	}
	s.log.Info("app made", "app", r.app.ID, "revision", r.revision)
	return r.entry(), nil
}

// write puts r into the bucket, and makes it true here.
func (s *Store) write(ctx context.Context, r *record, put func(context.Context, string, []byte) (uint64, error)) error {
	value, err := r.encode()
	if err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if r.revision, err = put(bounded, bucketKey(r.app.ID), value); err != nil {
		if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return err
		}
		return unavailable(err)
	}
	s.apply([]follow.Update[*record]{{Key: r.app.ID, Value: r, Revision: r.revision}})
	return nil
}

// Update changes an app by edit, which gets a copy to change and may refuse. A
// revision other than zero must be that of the app, else the error is
// ErrRevision. Without one the change is made upon whatever others make of the
// app; if they do not stop, the error is ErrBusy. When Update returns, the
// change is in effect on this node.
func (s *Store) Update(ctx context.Context, id string, revision uint64, edit func(*apps.App) error) (e Entry, err error) {
	err = insist(ctx, revision, func() error {
		r, err := s.fetchAt(ctx, id, revision)
		if err != nil {
			return err
		}
		e, err = s.update(ctx, r, edit)
		return overtaken(err, revision)
	})
	if err != nil {
		return Entry{}, err
	}
	return e, nil
}

func (s *Store) update(ctx context.Context, r *record, edit func(*apps.App) error) (Entry, error) {
	a := *r.app
	a.Keys, a.AllowedOrigins = slices.Clone(r.app.Keys), slices.Clone(r.app.AllowedOrigins)
	if err := edit(&a); err != nil {
		return Entry{}, err
	}
	a.ID = r.app.ID
	if err := s.checkKeys(&a); err != nil {
		return Entry{}, err
	}
	if a.Same(r.app) {
		return r.entry(), nil
	}
	changed := &record{app: &a, created: r.created, updated: s.now(), unknown: r.unknown}
	err := s.write(ctx, changed, func(ctx context.Context, key string, value []byte) (uint64, error) {
		return s.cfg.Bucket.Update(ctx, key, value, r.revision)
	})
	if err != nil {
		return Entry{}, err
	}
	s.log.Info("app changed", "app", a.ID, "revision", changed.revision)
	return changed.entry(), nil
}

// overtaken is what an error of a change to a revision means: that the app has
// another one now is final if the caller has named one.
func overtaken(err error, revision uint64) error {
	switch {
	case !errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return err
	case revision != 0:
		return ErrRevision
	}
	return errAhead
}

// Delete takes an app away. Revision is as for Update.
func (s *Store) Delete(ctx context.Context, id string, revision uint64) error {
	return insist(ctx, revision, func() error {
		r, err := s.fetchAt(ctx, id, revision)
		if err != nil {
			return err
		}
		if err := s.writable(); err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		err = s.cfg.Bucket.Delete(bounded, bucketKey(id), jetstream.LastRevision(r.revision))
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return overtaken(err, revision)
		}
		if err != nil {
			return unavailable(err)
		}
		s.applyDelete(id, r.revision)
		s.log.Info("app deleted", "app", id)
		return nil
	})
}

// fetchAt reads an app that must have a revision; zero is any.
func (s *Store) fetchAt(ctx context.Context, id string, revision uint64) (*record, error) {
	r, err := s.fetch(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case revision != 0 && r.revision > revision:
		return nil, ErrRevision
	case revision != 0 && r.revision < revision:
		return nil, errAhead // of the copy that was asked, as it seems
	}
	return r, nil
}

// fetch reads an app from the bucket itself, so that what is changed is the
// newest.
func (s *Store) fetch(ctx context.Context, id string) (*record, error) {
	if e, err := s.Get(id); err == nil && e.Configured {
		return nil, ErrReadOnly
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	e, err := s.cfg.Bucket.Get(ctx, bucketKey(id))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrInvalidKey):
		return nil, ErrUnknown
	case err != nil:
		return nil, unavailable(err)
	}
	r, err := decode(e.Value(), e.Revision())
	if err != nil {
		return nil, fmt.Errorf("appstore: app %s in the store can not be read: %w", id, err)
	}
	return r, nil
}

// checkKeys refuses keys that another app has, and its instance of Beams, as far as this
// node has seen.
func (s *Store) checkKeys(a *apps.App) error {
	for _, k := range a.Keys {
		if owner := s.cfg.Registry.ByKey(k.Key); owner != nil && owner.ID != a.ID {
			return fmt.Errorf("%w: %s", ErrKeyTaken, k.Key)
		}
	}
	if id := a.Push.InstanceID; id != "" {
		if owner := s.cfg.Registry.ByInstance(id); owner != nil && owner.ID != a.ID {
			return ErrInstanceTaken
		}
	}
	return nil
}

func (s *Store) writable() error {
	if s.cfg.Writable == nil {
		return nil
	}
	if err := s.cfg.Writable(); err != nil {
		return unavailable(err)
	}
	return nil
}

// now is the time that is written down, in whole seconds.
func (s *Store) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Second) }
