package apps

import (
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
