package devices

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

var _ notification.Devices = (*Store)(nil)

// Get returns all that is known of a device. The error is [ErrUnknown] or
// [ErrUnavailable].
func (s *Store) Get(ctx context.Context, app, id string) (d Device, err error) {
	err = s.update(ctx, app, id, func(r *record) (bool, error) {
		d = r.device(app, id)
		return false, nil
	})
	return d, err
}

// Count is how many devices an audience has. Who is in it by several names counts once.
func (s *Store) Count(app string, of notification.Audience) int {
	if x := s.find(app); x != nil {
		return x.count(of)
	}
	return 0
}

// HasUser reports whether a user has devices, as far as this node has seen.
func (s *Store) HasUser(app, user string) bool {
	return s.Count(app, notification.Audience{Users: []string{user}}) > 0
}

// Page implements [notification.Devices].
func (s *Store) Page(_ context.Context, app string, of notification.Audience, after string, limit int) ([]notification.Device, error) {
	x, from, err := s.from(app, after)
	if x == nil || err != nil {
		return nil, err
	}
	return x.page(of, from, limit), nil
}

// from returns the index of an app, nil if there is none, and the key of an id, nil if
// that is empty.
func (s *Store) from(app, after string) (*index, *key, error) {
	if err := s.Ready(); err != nil {
		return nil, nil, err
	}
	if after == "" {
		return s.find(app), nil, nil
	}
	k, ok := parseKey(after)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %q", ErrUnknown, after)
	}
	return s.find(app), &k, nil
}

// Device implements [notification.Devices].
func (s *Store) Device(_ context.Context, app, id string) (d notification.Device, ok bool, err error) {
	x, k, err := s.from(app, id)
	if errors.Is(err, ErrUnknown) || err == nil && (x == nil || k == nil) {
		return d, false, nil
	}
	if err != nil {
		return d, false, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	n, ok := x.byID[*k]
	if !ok {
		return d, false, nil
	}
	return x.viewLocked(x.slots[n]), true, nil
}

// Remove implements [notification.Devices].
func (s *Store) Remove(ctx context.Context, d notification.Device, confirmedUntil time.Time) (removed bool, err error) {
	k, ok := parseKey(d.ID)
	if !ok {
		return false, nil
	}
	w, ctx, cancel, err := s.write(ctx, d.App)
	if err != nil {
		return false, err
	}
	defer cancel()
	err = w.insist(ctx, func() error {
		r, revision, err := w.fetch(ctx, k)
		if err != nil {
			return err
		}
		if removed = r.Token == d.Token && r.Confirmed <= confirmedUntil.UnixMilli(); !removed {
			return nil
		}
		return w.remove(ctx, k, revision)
	})
	switch {
	case errors.Is(err, ErrUnknown):
		return false, nil
	case err == nil && removed:
		s.metrics.removed.WithLabelValues(string(d.Platform)).Inc()
	}
	return removed && err == nil, err
}

// SetEnvironment implements [notification.Devices].
func (s *Store) SetEnvironment(ctx context.Context, d notification.Device, e notification.Environment) error {
	return s.note(ctx, d, func(r *record) bool {
		changed := r.Environment != e
		r.Environment = e
		return changed
	})
}

// SetMismatched implements [notification.Devices].
func (s *Store) SetMismatched(ctx context.Context, d notification.Device, publish string) error {
	return s.note(ctx, d, func(r *record) bool {
		changed := r.Mismatched != publish
		r.Mismatched = publish
		return changed
	})
}

// note changes a device that still has the token. That there is none is no error.
func (s *Store) note(ctx context.Context, d notification.Device, edit func(*record) bool) error {
	err := s.update(ctx, d.App, d.ID, func(r *record) (bool, error) {
		return r.Token == d.Token && edit(r), nil
	})
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

// List returns devices of an app that come after an id, in the order of ids.
func (s *Store) List(app, after string, limit int) ([]notification.Device, error) {
	x, from, err := s.from(app, after)
	if x == nil || err != nil {
		return nil, err
	}
	return x.list(from, limit), nil
}

// Interests returns interests of an app that begin with a prefix and come after a name,
// in order, each with how many devices it has.
func (s *Store) Interests(app, prefix, after string, limit int) ([]InterestSize, error) {
	x, _, err := s.from(app, "")
	if x == nil || err != nil {
		return nil, err
	}
	return x.listInterests(prefix, after, limit), nil
}

// Amounts are how much an app has.
type Amounts struct {
	Devices   map[notification.Platform]int // without platforms that have none
	Interests int
	Users     int
	Bytes     int64 // in the bucket
}

// Amounts returns how much an app has, as this node has seen it.
func (s *Store) Amounts(app string) Amounts {
	t := Amounts{Devices: map[notification.Platform]int{}}
	x := s.find(app)
	if x == nil {
		return t
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, d := range x.slots {
		if d != nil {
			t.Devices[platforms[d.platform]]++
		}
	}
	t.Interests, t.Users, t.Bytes = len(x.interests), len(x.users), x.bytes
	return t
}
