package apps

import (
	"slices"
	"strings"
	"testing"
)

func TestRegistryFindsAppsByIDAndByEveryKey(t *testing.T) {
	shop := &App{ID: "1", Keys: []Key{{Key: "k1", Secret: "s1"}, {Key: "k2", Secret: "s2"}}}
	blog := &App{ID: "k1", Keys: []Key{{Key: "1", Secret: "s3"}}} // ids and keys are different names
	r, err := NewRegistry([]*App{shop, blog})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]*App{"1": shop, "k1": blog, "k2": nil, "": nil} {
		if got := r.ByID(id); got != want {
			t.Errorf("ByID(%q) = %v, want %v", id, got, want)
		}
	}
	for key, want := range map[string]*App{"k1": shop, "k2": shop, "1": blog, "s1": nil, "": nil} {
		if got := r.ByKey(key); got != want {
			t.Errorf("ByKey(%q) = %v, want %v", key, got, want)
		}
	}
	if got := r.Len(); got != 2 {
		t.Errorf("Len() = %d, want 2", got)
	}
}

func TestRegistryOfNothing(t *testing.T) {
	r, err := NewRegistry(nil)
	if err != nil || r.Len() != 0 || r.ByID("1") != nil || r.ByKey("k") != nil {
		t.Errorf("NewRegistry(nil) = %+v, %v, want an empty one", r, err)
	}
}

func TestRegistryTellsEveryMistake(t *testing.T) {
	r, err := NewRegistry([]*App{
		{ID: "1", Keys: []Key{{Key: "a", Secret: "s"}, {Key: "a", Secret: "s"}}}, // twice in one app
		{ID: "1", Keys: []Key{{Key: "b", Secret: "s"}}},                          // the id again
		{ID: "2", Keys: []Key{{Key: "a", Secret: "s"}, {Key: "c", Secret: ""}}},  // the key of another app, and one without a secret
	})
	if err == nil || r != nil {
		t.Fatalf("NewRegistry = %v, %v, want no registry and an error", r, err)
	}
	for _, want := range []string{
		`two apps have the id "1"`,
		`key "a" stands twice, in app "1" and app "1"`,
		`key "a" stands twice, in app "1" and app "2"`,
		`key "c" of app "2" has no secret`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %q, want %q in it", err, want)
		}
	}
}

func TestApplyTellsOfEachAppInOrder(t *testing.T) {
	a := &App{ID: "a", Keys: []Key{{Key: "k1", Secret: "s"}}}
	b := &App{ID: "b", Keys: []Key{{Key: "k2", Secret: "s"}}}
	r, err := NewRegistry([]*App{a, b})
	if err != nil {
		t.Fatal(err)
	}
	var got []Change
	r.Watch(func(c Change) { got = append(got, c) })
	swapped := &App{ID: "b", Keys: []Key{{Key: "k1", Secret: "s"}}} // the key goes to another app in one step
	c := &App{ID: "c", Keys: []Key{{Key: "k3", Secret: "s"}}}
	if err := r.Apply([]*App{c, swapped}, []string{"a", "unknown"}); err != nil {
		t.Fatal(err)
	}
	want := []Change{{Old: a}, {Old: b, New: swapped}, {New: c}}
	if !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
	for key, want := range map[string]*App{"k1": swapped, "k2": nil, "k3": c} {
		if got := r.ByKey(key); got != want {
			t.Errorf("ByKey(%q) = %v, want %v", key, got, want)
		}
	}
	got = nil
	if err := r.Apply([]*App{c}, nil); err != nil || got != nil {
		t.Errorf("Apply of what is there = %v, told of %v, want nothing", err, got)
	}
}

func TestApplyChangesNothingIfAnythingIsWrong(t *testing.T) {
	a := &App{ID: "a", Keys: []Key{{Key: "k1", Secret: "s"}}}
	r, err := NewRegistry([]*App{a})
	if err != nil {
		t.Fatal(err)
	}
	r.Watch(func(c Change) { t.Errorf("told of %v", c) })
	for name, put := range map[string][]*App{
		"key of another app": {{ID: "b"}, {ID: "c", Keys: []Key{{Key: "k1", Secret: "s"}}}},
		"no secret":          {{ID: "b", Keys: []Key{{Key: "k2"}}}},
		"named twice":        {{ID: "b"}, {ID: "b"}},
	} {
		if err := r.Apply(put, nil); err == nil {
			t.Errorf("%s: Apply = nil, want an error", name)
		}
	}
	if r.Len() != 1 || r.ByKey("k1") != a || r.ByID("b") != nil {
		t.Errorf("the registry has %d apps, want what it had", r.Len())
	}
}
