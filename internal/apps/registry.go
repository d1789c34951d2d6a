package apps

import (
	"errors"
	"fmt"
	"hash/maphash"
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
type index struct{ byID, byKey, byInstance table }

// A table finds apps by name. It is in shards, so that a change copies only
// those that it concerns.
type table [tableShards]map[string]*App

const tableShards = 128

var tableSeed = maphash.MakeSeed()

func shard(name string) uint64 { return maphash.String(tableSeed, name) % tableShards }

func (t *table) get(name string) *App { return t[shard(name)][name] }

func (t *table) len() int {
	n := 0
	for _, p := range t {
		n += len(p)
	}
	return n
}

// all yields every app under its name, in no order.
func (t *table) all(yield func(string, *App) bool) {
	for _, p := range t {
		for name, a := range p {
			if !yield(name, a) {
				return
			}
		}
	}
}

// A draft is an index that is being made, and that nobody else has yet.
type draft struct {
	index
	ownID, ownKey, ownInstance [tableShards]bool // shards that are not those of another index
}

// put makes a the app with that name in one of the tables; nil takes it away.
func put(t *table, own *[tableShards]bool, name string, a *App) {
	i := shard(name)
	if !own[i] {
		t[i], own[i] = maps.Clone(t[i]), true
	}
	switch {
	case a == nil:
		delete(t[i], name)
	case t[i] == nil:
		t[i] = map[string]*App{name: a}
	default:
		t[i][name] = a
	}
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
	d := new(draft)
	var errs []error
	for _, a := range list {
		errs = append(errs, d.add(a)...)
	}
	return &d.index, errors.Join(errs...)
}

// add puts an app into a draft.
func (d *draft) add(a *App) (errs []error) {
	if d.byID.get(a.ID) != nil {
		return []error{fmt.Errorf("apps: two apps have the id %q", a.ID)}
	}
	put(&d.byID, &d.ownID, a.ID, a)
	for i := range a.Keys {
		k := &a.Keys[i]
		if k.signer == nil { // else the app is in use already
			k.signer = protocol.NewSigner(k.Secret)
		}
		other := d.byKey.get(k.Key)
		switch {
		case k.Secret == "":
			errs = append(errs, fmt.Errorf("apps: key %q of app %q has no secret", k.Key, a.ID))
		case other != nil:
			errs = append(errs, fmt.Errorf("apps: key %q stands twice, in app %q and app %q", k.Key, other.ID, a.ID))
		default:
			put(&d.byKey, &d.ownKey, k.Key, a)
		}
	}
	if id := a.Push.InstanceID; id != "" && d.byInstance.get(id) == nil {
		put(&d.byInstance, &d.ownInstance, id, a)
	}
	return errs
}

// remove takes an app out of a draft.
func (d *draft) remove(a *App) {
	put(&d.byID, &d.ownID, a.ID, nil)
	for _, k := range a.Keys {
		put(&d.byKey, &d.ownKey, k.Key, nil)
	}
	if id := a.Push.InstanceID; id != "" && d.byInstance.get(id) == a {
		put(&d.byInstance, &d.ownInstance, id, nil)
	}
}

// ByID returns the app with that id, or nil.
func (r *Registry) ByID(id string) *App { return r.current.Load().byID.get(id) }

// ByKey returns the app that has that key, or nil.
func (r *Registry) ByKey(key string) *App { return r.current.Load().byKey.get(key) }

// ByInstance returns the app that Beams calls so, or nil. If two want the name, it is the
// one that had it first on this node.
func (r *Registry) ByInstance(id string) *App { return r.current.Load().byInstance.get(id) }

// Len is the number of apps.
func (r *Registry) Len() int { return r.current.Load().byID.len() }

// All returns the apps, ordered by id.
func (r *Registry) All() []*App {
	var list []*App
	for _, a := range r.current.Load().byID.all {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *App) int { return strings.Compare(a.ID, b.ID) })
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
	old := &r.current.Load().byID
	edited := maps.Collect(old.all)
	edit(edited)
	var list []Change
	for id, a := range edited {
		if was := old.get(id); was != a {
			list = append(list, Change{Old: was, New: a})
		}
	}
	for id, a := range old.all {
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
	old := &r.current.Load().byID
	var list []Change
	for _, a := range put {
		if was := old.get(a.ID); was != a {
			list = append(list, Change{Old: was, New: a})
		}
	}
	for _, id := range remove {
		if a := old.get(id); a != nil {
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
	d := &draft{index: *r.current.Load()}
	for _, c := range list {
		if c.Old != nil {
			d.remove(c.Old)
		}
	}
	slices.SortFunc(list, func(c, d Change) int { return strings.Compare(c.id(), d.id()) })
	var errs []error
	for _, c := range list {
		if c.New != nil {
			errs = append(errs, d.add(c.New)...)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.current.Store(&d.index)
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
