package apps

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
		errs = append(errs, ix.add(a)...)
	}
	return ix, errors.Join(errs...)
}

// add puts an app into an index that nobody else has.
func (ix *index) add(a *App) (errs []error) {
	if ix.byID[a.ID] != nil {
		return []error{fmt.Errorf("apps: two apps have the id %q", a.ID)}
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
	return errs
}

// remove takes an app out of an index that nobody else has.
func (ix *index) remove(a *App) {
	delete(ix.byID, a.ID)
	for _, k := range a.Keys {
		delete(ix.byKey, k.Key)
	}
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
	old := r.current.Load().byID
	edited := maps.Clone(old)
	edit(edited)
	var list []Change
	for id, a := range edited {
		if old[id] != a {
			list = append(list, Change{Old: old[id], New: a})
		}
	}
	for id, a := range old {
		if edited[id] == nil {
			list = append(list, Change{Old: a})
		}
	}
	return r.applyLocked(list)
}

// Apply makes some apps those with their ids, and takes others away; an id
// that is not there is no error, and none may be named twice. If the result can not stand beside each other,
// nothing changes. It costs less than [Registry.Change] when there are many apps.
func (r *Registry) Apply(put []*App, remove []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.current.Load().byID
	var list []Change
	for _, a := range put {
		if old[a.ID] != a {
			list = append(list, Change{Old: old[a.ID], New: a})
		}
	}
	for _, id := range remove {
		if a := old[id]; a != nil {
			list = append(list, Change{Old: a})
		}
	}
	return r.applyLocked(list)
}

// applyLocked makes changes true and tells the watchers. r.mu is held.
func (r *Registry) applyLocked(list []Change) error {
	if len(list) == 0 {
		return nil
	}
	old := r.current.Load()
	ix := &index{byID: maps.Clone(old.byID), byKey: maps.Clone(old.byKey)}
	for _, c := range list {
		if c.Old != nil {
			ix.remove(c.Old)
		}
	}
	slices.SortFunc(list, func(c, d Change) int { return strings.Compare(c.id(), d.id()) })
	var errs []error
	for _, c := range list {
		if c.New != nil {
			errs = append(errs, ix.add(c.New)...)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.current.Store(ix)
	for _, c := range list {
		for _, f := range r.watchers {
			f(c)
		}
	}
	return nil
}

func (c Change) id() string {
	if c.New != nil {
		return c.New.ID
	}
	return c.Old.ID
}

// Put makes app the app with its id.
func (r *Registry) Put(app *App) error { return r.Apply([]*App{app}, nil) }

// Remove takes the app with that id away, or returns ErrUnknown.
func (r *Registry) Remove(id string) error {
	if r.ByID(id) == nil {
		return ErrUnknown
	}
	return r.Apply(nil, []string{id})
}
