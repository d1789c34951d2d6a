package apps

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/belfryhq/belfry/protocol"
)

// ErrUnknown says that there is no app with that id.
var ErrUnknown = errors.New("apps: no such app")

// A Registry finds apps, and tells who asked of every change. It is safe for
// concurrent use, and finding takes no lock.
type Registry struct {
	current atomic.Pointer[index]

	mu       sync.Mutex // one change at a time
	watchers []func(Change)
}

// A Change is one app that has come, gone, or become another.
type Change struct {
	Old, New *App // nil: it was not there before, or is not there any more
}

// An index is what a registry knows at one moment. It is immutable.
type index struct {
	byID  map[string]*App
	byKey map[string]*App
}

// NewRegistry returns a registry of those apps, or every reason why they can
// not stand beside each other.
func NewRegistry(list []*App) (*Registry, error) {
	ix, err := newIndex(list)
	if err != nil {
		return nil, err
	}
	r := &Registry{}
	r.current.Store(ix)
	return r, nil
}

func newIndex(list []*App) (*index, error) {
	ix := &index{byID: make(map[string]*App, len(list)), byKey: make(map[string]*App, len(list))}
	var errs []error
	for _, a := range list {
		if other := ix.byID[a.ID]; other != nil {
			errs = append(errs, fmt.Errorf("apps: two apps have the id %q", a.ID))
			continue
		}
		ix.byID[a.ID] = a
		for i := range a.Keys {
			k := &a.Keys[i]
			if k.signer == nil { // else the app is in use already
				k.signer = protocol.NewSigner(k.Secret)
			}
			switch {
			case k.Secret == "":
				errs = append(errs, fmt.Errorf("apps: key %q of app %q has no secret", k.Key, a.ID))
			case ix.byKey[k.Key] != nil:
				errs = append(errs, fmt.Errorf("apps: key %q stands twice, in app %q and app %q", k.Key, ix.byKey[k.Key].ID, a.ID))
			default:
				ix.byKey[k.Key] = a
			}
		}
	}
	return ix, errors.Join(errs...)
}

// ByID returns the app with that id, or nil.
func (r *Registry) ByID(id string) *App { return r.current.Load().byID[id] }

// ByKey returns the app that has that key, or nil.
func (r *Registry) ByKey(key string) *App { return r.current.Load().byKey[key] }

// Len is the number of apps.
func (r *Registry) Len() int { return len(r.current.Load().byID) }

// All returns the apps, ordered by id.
func (r *Registry) All() []*App {
	byID := r.current.Load().byID
	list := make([]*App, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		list = append(list, byID[id])
	}
	return list
}

// Watch calls f for every change from here on, one at a time and in order,
// before the call that made the change returns. F must not change the
// registry. There is no end to it: watchers live as long as the registry.
func (r *Registry) Watch(f func(Change)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers = append(r.watchers, f)
}

// Change makes the registry hold what edit makes of the apps that it holds,
// by id. If those can not stand beside each other, nothing changes. An app
// that edit leaves as the same pointer has not changed.
func (r *Registry) Change(edit func(byID map[string]*App)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.current.Load()
	edited := maps.Clone(old.byID)
	edit(edited)
	ix, err := newIndex(slices.Collect(maps.Values(edited)))
	if err != nil {
		return err
	}
	r.current.Store(ix)
	for _, c := range changes(old.byID, ix.byID) {
		for _, f := range r.watchers {
			f(c)
		}
	}
	return nil
}

// changes returns how one set of apps becomes another, ordered by id.
func changes(from, to map[string]*App) []Change {
	ids := maps.Clone(from)
	maps.Copy(ids, to)
	var list []Change
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if from[id] != to[id] {
			list = append(list, Change{Old: from[id], New: to[id]})
		}
	}
	return list
}

// Put makes app the app with its id.
func (r *Registry) Put(app *App) error {
	return r.Change(func(byID map[string]*App) { byID[app.ID] = app })
}

// Remove takes the app with that id away, or returns ErrUnknown.
func (r *Registry) Remove(id string) error {
	known := false
	err := r.Change(func(byID map[string]*App) {
		_, known = byID[id]
		delete(byID, id)
	})
	if err == nil && !known {
		return ErrUnknown
	}
	return err
}
