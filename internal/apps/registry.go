package apps

import (
	"errors"
	"fmt"
)

// A Registry finds apps. It is immutable and safe for concurrent use.
type Registry struct {
	byID  map[string]*App
	byKey map[string]*App
}

// NewRegistry returns a registry of those apps, or every reason why they can
// not stand beside each other.
func NewRegistry(list []*App) (*Registry, error) {
	r := &Registry{byID: make(map[string]*App, len(list)), byKey: make(map[string]*App, len(list))}
	var errs []error
	for _, a := range list {
		if other := r.byID[a.ID]; other != nil {
			errs = append(errs, fmt.Errorf("apps: two apps have the id %q", a.ID))
			continue
		}
		r.byID[a.ID] = a
		for _, k := range a.Keys {
			switch {
			case k.Secret == "":
				errs = append(errs, fmt.Errorf("apps: key %q of app %q has no secret", k.Key, a.ID))
			case r.byKey[k.Key] != nil:
				errs = append(errs, fmt.Errorf("apps: key %q stands twice, in app %q and app %q", k.Key, r.byKey[k.Key].ID, a.ID))
			default:
				r.byKey[k.Key] = a
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

// ByID returns the app with that id, or nil.
func (r *Registry) ByID(id string) *App { return r.byID[id] }

// ByKey returns the app that has that key, or nil.
func (r *Registry) ByKey(key string) *App { return r.byKey[key] }

// Len is the number of apps.
func (r *Registry) Len() int { return len(r.byID) }
