package devices

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// contention is how a change is tried again that somebody else got ahead of.
var contention = backoff.Policy{First: 5 * time.Millisecond, Most: 250 * time.Millisecond, Jitter: true, Attempts: 12}

// errAhead says that somebody else was faster, or that the copy of the bucket that was
// asked is behind.
var errAhead = errors.New("devices: somebody else changes the device at the same moment")

// writing is one change under way.
type writing struct {
	*Store
	bucket jetstream.KeyValue
	x      *index
}

// write begins a change of an app's devices, for which the engine has five seconds.
func (s *Store) write(ctx context.Context, app string) (w writing, bounded context.Context, cancel func(), err error) {
	s.mu.RLock()
	bucket := s.bucket
	s.mu.RUnlock()
	if bucket == nil {
		return w, nil, nil, s.Ready()
	}
	if s.cfg.Writable != nil {
		if err := s.cfg.Writable(); err != nil {
			return w, nil, nil, unavailable(err)
		}
	}
	bounded, cancel = context.WithTimeout(ctx, writeTimeout)
	return writing{s, bucket, s.index(app)}, bounded, cancel, nil
}

// has reports whether the index has a device.
func (x *index) has(k key) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	_, ok := x.byID[k]
	return ok
}

// fetch reads a device from the bucket itself, so that what is changed is the newest.
func (w writing) fetch(ctx context.Context, k key) (*record, uint64, error) {
	e, err := w.bucket.Get(ctx, bucketKey(w.x.app, k.String()))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		if err := w.catchUp(ctx, w.bucket); err != nil {
			return nil, 0, err
		}
		if w.x.has(k) {
			return nil, 0, errAhead
		}
		return nil, 0, ErrUnknown
	}
	if err != nil {
		return nil, 0, unavailable(err)
	}
	r, err := decode(e.Value())
	if err != nil {
		return nil, 0, err
	}
	w.put(w.x, k, r, len(e.Value()), e.Revision(), 0)
	if !w.x.has(k) {
		return nil, 0, ErrUnknown // it was removed meanwhile, or another has its token
	}
	return r, e.Revision(), nil
}

// update changes a device by edit, which gets it to change, and reports whether there
// is anything to write. When update returns, the change is true on this node.
func (s *Store) update(ctx context.Context, app, id string, edit func(*record) (bool, error)) error {
	k, ok := parseKey(id)
	if !ok {
		return ErrUnknown
	}
	w, ctx, cancel, err := s.write(ctx, app)
	if err != nil {
		return err
	}
	defer cancel()
	return w.insist(ctx, func() error {
		r, revision, err := w.fetch(ctx, k)
		if err != nil {
			return err
		}
		if changed, err := edit(r); err != nil || !changed {
			return err
		}
		return w.replace(ctx, k, r, revision)
	})
}

// insist tries until nobody is ahead.
func (w writing) insist(ctx context.Context, try func() error) error {
	err := contention.Retry(ctx, func() (again bool, err error) {
		err = try()
		return errors.Is(err, errAhead), err
	})
	if errors.Is(err, errAhead) {
		return unavailable(err)
	}
	return err
}

// replace writes a device over its revision.
func (w writing) replace(ctx context.Context, k key, r *record, revision uint64) error {
	value, err := r.encode()
	if err != nil {
		return err
	}
	next, err := w.bucket.Update(ctx, bucketKey(w.x.app, k.String()), value, revision)
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return errAhead
	}
	if err != nil {
		return unavailable(err)
	}
	w.put(w.x, k, r, len(value), next, 0)
	return nil
}

// create writes a device that there is not. It reports whether there is one.
func (w writing) create(ctx context.Context, k key, r *record) (exists bool, err error) {
	value, err := r.encode()
	if err != nil {
		return false, err
	}
	revision, err := w.bucket.Create(ctx, bucketKey(w.x.app, k.String()), value)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return true, nil
	}
	if err != nil {
		return false, unavailable(err)
	}
	w.put(w.x, k, r, len(value), revision, 0)
	return false, nil
}

// remove removes a device of a revision; zero is any. That there is none is no error.
func (w writing) remove(ctx context.Context, k key, revision uint64) error {
	err := purge(ctx, w.bucket, bucketKey(w.x.app, k.String()), revision)
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return errAhead
	}
	if err != nil {
		return unavailable(err)
	}
	w.x.gone(k, revision)
	return nil
}

// gone makes it true that this node has removed a device of a revision. The bucket may
// still tell of what was before.
func (x *index) gone(k key, revision uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if revision == 0 {
		revision = x.knownLocked(k)
	}
	if x.knownLocked(k) > revision {
		return
	}
	x.removeLocked(k)
	x.deleted[k] = revision
}

// SetToken gives a device another token. Who had it before loses it.
func (s *Store) SetToken(ctx context.Context, app, id, token, vapidKey string) error {
	return s.update(ctx, app, id, func(r *record) (bool, error) {
		now := s.cfg.Now().UnixMilli()
		if x, k, ok := s.holder(app, r.Platform, token); ok && k.String() != id {
			now = max(now, x.confirmedAt(k)+1)
		}
		if r.Token != token {
			r.Environment, r.Mismatched = "", ""
		}
		r.Token, r.VAPIDKey, r.Confirmed = token, vapidKey, max(now, r.Confirmed)
		return true, nil
	})
}

// SetMetadata replaces what a device says of itself, a JSON object.
func (s *Store) SetMetadata(ctx context.Context, app, id string, metadata json.RawMessage) error {
	return s.update(ctx, app, id, func(r *record) (bool, error) {
		r.Metadata = metadata
		return true, nil
	})
}

// SetUser makes a device one of a user. The errors are those of the package, among them
// [ErrOtherUser] and [ErrUserFull].
func (s *Store) SetUser(ctx context.Context, app, id, user string) error {
	return s.update(ctx, app, id, func(r *record) (bool, error) {
		switch {
		case r.User == user:
			return false, nil
		case r.User != "":
			return false, ErrOtherUser
		case s.index(app).ofUser(user, r.Platform) >= MaxPerUser:
			return false, ErrUserFull
		}
		r.User = user
		return true, nil
	})
}

// ofUser is how many devices of a provider a user has.
func (x *index) ofUser(user string, p notification.Platform) (n int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if g := x.users[user]; g != nil {
		for _, m := range g.members {
			if platforms[x.slots[m].platform].Provider() == p.Provider() {
				n++
			}
		}
	}
	return n
}

// Subscribe subscribes a device to an interest.
func (s *Store) Subscribe(ctx context.Context, app, id, interest string) error {
	return s.update(ctx, app, id, func(r *record) (bool, error) {
		i, found := r.has(interest)
		switch {
		case found:
			return false, nil
		case len(r.Interests) >= MaxInterests:
			return false, ErrTooManyInterests
		}
		r.Interests = slices.Insert(r.Interests, i, interest)
		return true, nil
	})
}

// Unsubscribe ends the subscription of a device to an interest, if there is one.
func (s *Store) Unsubscribe(ctx context.Context, app, id, interest string) error {
	return s.update(ctx, app, id, func(r *record) (bool, error) {
		i, found := r.has(interest)
		if found {
			r.Interests = slices.Delete(r.Interests, i, i+1)
		}
		return found, nil
	})
}

// SetInterests subscribes a device to these interests and no other. It keeps none of
// the slice.
func (s *Store) SetInterests(ctx context.Context, app, id string, interests []string) error {
	set := slices.Clone(interests)
	slices.Sort(set)
	set = slices.Compact(set)
	if len(set) > MaxInterests {
		return ErrTooManyInterests
	}
	return s.update(ctx, app, id, func(r *record) (bool, error) {
		if slices.Equal(r.Interests, set) {
			return false, nil
		}
		r.Interests = set
		return true, nil
	})
}

// Delete removes a device. That there is none is no error.
func (s *Store) Delete(ctx context.Context, app, id string) error {
	k, ok := parseKey(id)
	if !ok {
		return nil
	}
	w, ctx, cancel, err := s.write(ctx, app)
	if err != nil {
		return err
	}
	defer cancel()
	err = w.insist(ctx, func() error {
		_, revision, err := w.fetch(ctx, k)
		if err != nil {
			return err
		}
		return w.remove(ctx, k, revision)
	})
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

// DeleteUser removes all devices of a user, and returns how many there were. Those are
// among them that other nodes have made before the call.
func (s *Store) DeleteUser(ctx context.Context, app, user string) (n int, err error) {
	w, ctx, cancel, err := s.write(ctx, app)
	if err != nil {
		return 0, err
	}
	defer cancel()
	if err := w.catchUp(ctx, w.bucket); err != nil {
		return 0, err
	}
	for _, k := range w.x.keysOf(user) {
		if err := w.remove(ctx, k, 0); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (x *index) keysOf(user string) (list []key) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if g := x.users[user]; g != nil {
		for _, m := range g.members {
			list = append(list, x.slots[m].key)
		}
	}
	return list
}

// DropApp removes all devices of an app that was deleted.
func (s *Store) DropApp(ctx context.Context, app string) error {
	if s.find(app) == nil {
		return nil
	}
	w, ctx, cancel, err := s.write(ctx, app)
	if err != nil {
		return err
	}
	defer cancel()
	revision, err := w.bucket.Put(ctx, bucketKey(app, dropped), nil)
	if err != nil {
		return unavailable(err)
	}
	s.drop(app, revision)
	return unavailable(s.cfg.Drop(ctx, "$KV."+Bucket+"."+bucketKey(app, ">"), revision))
}
