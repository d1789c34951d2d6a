package appstore

import (
	"sync"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
)

func (n *node) first() (Entry, bool) {
	n.t.Helper()
	e, made, err := n.First(n.t.Context(), "first app")
	if err != nil {
		n.t.Errorf("First: %v", err)
	}
	return e, made
}

func TestFirstAppIsMadeOnce(t *testing.T) {
	s := newService(t, "")
	n := s.node()
	e, made := n.first()
	if !made || n.registry.ByKey(e.App.Keys[0].Key) == nil || e.App.Name != "first app" {
		t.Fatalf("First = %+v, %t, want an app that is served", e, made)
	}
	if _, again := n.first(); again {
		t.Error("a second start makes another")
	}
	if err := n.Delete(t.Context(), e.App.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, again := n.first(); again || n.registry.Len() != 0 {
		t.Error("the app comes back after it was deleted")
	}
}

func TestFirstAppOfNodesThatStartTogether(t *testing.T) {
	s := newService(t, "")
	var wg sync.WaitGroup
	var mu sync.Mutex
	makers := 0
	nodes := []*node{s.node(), s.node(), s.node(), s.node()}
	for _, n := range nodes {
		wg.Go(func() {
			if _, made := n.first(); made {
				mu.Lock()
				defer mu.Unlock()
				makers++
			}
		})
	}
	wg.Wait()
	nodes[0].until("the app comes", func() bool { return nodes[0].registry.Len() > 0 })
	if makers != 1 || nodes[0].registry.Len() != 1 {
		t.Errorf("%d nodes made %d apps, want one and one", makers, nodes[0].registry.Len())
	}
}

// A process that died after it chose the id is finished by the next.
func TestFirstAppThatWasBegunIsMade(t *testing.T) {
	s := newService(t, "")
	if _, err := s.bucket.PutString(t.Context(), firstKey, "1234567"); err != nil {
		t.Fatal(err)
	}
	if e, made := s.node().first(); !made || e.App.ID != "1234567" {
		t.Errorf("First = %+v, %t, want app 1234567", e, made)
	}
}

func TestStoreWithAppsGetsNoFirst(t *testing.T) {
	n := newService(t, "").node()
	made, err := n.Import(t.Context(), []*apps.App{app("1", "k1"), app("2", "k2")})
	if err != nil || len(made) != 2 {
		t.Fatalf("Import = %q, %v, want two", made, err)
	}
	if made, err := n.Import(t.Context(), []*apps.App{app("1", "k1"), app("3", "k3")}); err != nil || len(made) != 1 || made[0] != "3" {
		t.Errorf("second Import = %q, %v, want 3 alone", made, err)
	}
	if _, made := n.first(); made {
		t.Error("First makes an app beside others")
	}
	for _, id := range []string{"1", "2", "3"} {
		if err := n.Delete(t.Context(), id, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, made := n.first(); made {
		t.Error("First makes an app after all were deleted")
	}
}
