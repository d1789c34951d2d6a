package devices

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// A Registration is what an installation says when it comes.
type Registration struct {
	API      notification.API
	Platform notification.Platform
	Token    string // as [notification.Device] has it
	Topic    string
	VAPIDKey string
	Metadata json.RawMessage // a JSON object, or nil
	// Previous are ids of the API of 2016 that the installation had. Their interests
	// become its own, and they are removed.
	Previous []string
	// MaxDevices is how many the app may have. Zero is no limit.
	MaxDevices int
}

// Register makes a device for a token. By the API of 2016 that is the one that has it
// already, with its interests; by Beams it is another one, and the one before is removed.
// If that was registered by the API of 2016, its interests go over. The errors are
// [ErrFull], [ErrTooLarge] and [ErrUnavailable].
func (s *Store) Register(ctx context.Context, app string, r Registration) (Device, error) {
	w, ctx, cancel, err := s.write(ctx, app)
	if err != nil {
		return Device{}, err
	}
	defer cancel()
	var made Device
	err = w.insist(ctx, func() (err error) {
		if r.API == notification.Native {
			made, err = w.registerNative(ctx, r)
		} else {
			made, err = w.registerBeams(ctx, r)
		}
		return err
	})
	if err == nil {
		s.metrics.registered.WithLabelValues(string(r.API), string(r.Platform)).Inc()
	}
	return made, err
}

// fresh is the record of a new device.
func (r Registration) fresh(now time.Time) *record {
	return &record{
		API: r.API, Platform: r.Platform, Token: r.Token, Topic: r.Topic, VAPIDKey: r.VAPIDKey, Metadata: r.Metadata,
		Created: now.UnixMilli(), Confirmed: now.UnixMilli(),
	}
}

// holder returns the device that has a token.
func (s *Store) holder(app string, p notification.Platform, token string) (*index, key, bool) {
	x := s.index(app)
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n, ok := x.byToken[pack(p, token)]; ok {
		return x, x.slots[n].key, true
	}
	return x, key{}, false
}

func (x *index) confirmedAt(k key) int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n, ok := x.byID[k]; ok {
		return x.slots[n].confirmed
	}
	return 0
}

// registerNative confirms the device of 2016 that has the token, or makes one.
func (w writing) registerNative(ctx context.Context, r Registration) (Device, error) {
	now := w.cfg.Now()
	_, k, held := w.holder(w.x.app, r.Platform, r.Token)
	if held && k[0] == kindNative {
		return w.confirm(ctx, k, r, now)
	}
	if err := w.x.full(r.MaxDevices); err != nil && !held {
		return Device{}, err
	}
	if held { // by a device of Beams, which must not have it any more
		now = later(now, w.x.confirmedAt(k))
	}
	made, mine := r.fresh(now), nativeKey(w.x.app, pack(r.Platform, r.Token))
	exists, err := w.create(ctx, mine, made)
	if exists && err == nil {
		switch there, _, err := w.fetch(ctx, mine); {
		case err != nil && !errors.Is(err, ErrUnknown):
			return Device{}, err
		case err == nil && there.Token == r.Token:
			return w.confirm(ctx, mine, r, now)
		}
		mine = newKey(kindNative, now) // it has another token since, or is about to go
		_, err = w.create(ctx, mine, made)
	}
	if err != nil {
		return Device{}, err
	}
	if held {
		if err := w.remove(ctx, k, 0); err != nil {
			return Device{}, err
		}
	}
	return made.device(w.x.app, mine.String()), nil
}

// confirm notes that an installation still has its token.
func (w writing) confirm(ctx context.Context, k key, r Registration, now time.Time) (Device, error) {
	have, revision, err := w.fetch(ctx, k)
	if errors.Is(err, ErrUnknown) {
		return Device{}, errAhead // it was removed just now: the next attempt makes another
	}
	if err != nil {
		return Device{}, err
	}
	have.Platform, have.Confirmed = r.Platform, max(have.Confirmed, now.UnixMilli())
	if err := w.replace(ctx, k, have, revision); err != nil {
		return Device{}, err
	}
	return have.device(w.x.app, k.String()), nil
}

// registerBeams makes a device, and removes those that it comes in place of.
func (w writing) registerBeams(ctx context.Context, r Registration) (Device, error) {
	now := w.cfg.Now()
	_, before, held := w.holder(w.x.app, r.Platform, r.Token)
	if err := w.x.full(r.MaxDevices); err != nil && !held {
		return Device{}, err
	}
	made := r.fresh(now)
	var replaced []key
	if held {
		made.Confirmed = later(now, w.x.confirmedAt(before)).UnixMilli()
		replaced = append(replaced, before)
	}
	for _, id := range r.Previous {
		if k, ok := parseKey(id); ok && k[0] == kindNative && !slices.Contains(replaced, k) {
			replaced = append(replaced, k)
		}
	}
	removed := replaced[:0]
	for _, k := range replaced {
		have, _, err := w.fetch(ctx, k)
		if errors.Is(err, ErrUnknown) {
			continue
		}
		if err != nil {
			return Device{}, err
		}
		removed = append(removed, k)
		if k[0] == kindNative {
			made.Interests = append(made.Interests, have.Interests...)
		}
	}
	slices.Sort(made.Interests)
	made.Interests = slices.Compact(made.Interests)
	made.Interests = made.Interests[:min(len(made.Interests), MaxInterests)]
	k := newKey(kindOf(r.API, r.Platform), now)
	if _, err := w.create(ctx, k, made); err != nil {
		return Device{}, err
	}
	for _, old := range removed {
		if err := w.remove(ctx, old, 0); err != nil {
			return Device{}, err
		}
	}
	return made.device(w.x.app, k.String()), nil
}

// later is a time, or the millisecond after another one if that comes later.
func later(t time.Time, ms int64) time.Time {
	if t.UnixMilli() > ms {
		return t
	}
	return time.UnixMilli(ms + 1)
}
