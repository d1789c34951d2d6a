package appstore

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
)

// first asks for the first app as the node of that name, and returns what was
// told.
func (n *node) first(name string) (told *apps.App) {
	n.t.Helper()
	err := n.First(n.t.Context(), First{Name: "first app", Node: name, Tell: func(a *apps.App) error { told = a; return nil }})
	if err != nil {
		n.t.Errorf("First: %v", err)
	}
	return told
}

func TestFirstAppIsMadeOnce(t *testing.T) {
	s := newService(t, "")
	n := s.node()
	made := n.first("")
	if made == nil || n.registry.ByKey(made.Keys[0].Key) == nil || made.Name != "first app" {
		t.Fatalf("First told %+v, want an app that is served", made)
	}
	if n.first("") != nil {
		t.Error("a second start tells again")
	}
	if err := n.Delete(t.Context(), made.ID, 0); err != nil {
		t.Fatal(err)
	}
	if n.first("") != nil || n.registry.Len() != 0 {
		t.Error("the app comes back after it was deleted")
	}
}

func TestFirstAppOfNodesThatStartTogether(t *testing.T) {
	s := newService(t, "")
	var wg sync.WaitGroup
	var mu sync.Mutex
	makers := 0
	nodes := []*node{s.node(), s.node(), s.node(), s.node()}
	for i, n := range nodes {
		wg.Go(func() {
			if n.first(strconv.Itoa(i)) != nil {
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
	if made := s.node().first("a"); made == nil || made.ID != "1234567" {
		t.Errorf("First told %+v, want app 1234567", made)
	}
}

func TestFirstAppIsToldAgainUntilSomebodyWasTold(t *testing.T) {
	s := newService(t, "")
	n := s.node()
	full := errors.New("disk full")
	var lost *apps.App
	if err := n.First(t.Context(), First{Node: "a", Tell: func(a *apps.App) error { lost = a; return full }}); !errors.Is(err, full) {
		t.Fatalf("First = %v, want what Tell said", err)
	}
	if told := n.first("b"); told != nil {
		t.Errorf("another node is told the secret of %s", told.ID)
	}
	told := s.node().first("a")
	if told == nil || told.ID != lost.ID || told.Keys[0].Secret != lost.Keys[0].Secret {
		t.Errorf("the next start told %+v, want the app %s", told, lost.ID)
	}
	if n.first("a") != nil {
		t.Error("a third start tells again")
	}
}

func TestStoreWithAppsGetsNoFirst(t *testing.T) {
	n := newService(t, "").node()
	for _, a := range []*apps.App{app("1", "k1"), app("2", "k2"), app("3", "k3")} {
		if _, err := n.Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if n.first("") != nil {
		t.Error("First makes an app beside others")
	}
	for _, id := range []string{"1", "2", "3"} {
		if err := n.Delete(t.Context(), id, 0); err != nil {
			t.Fatal(err)
		}
	}
	if n.first("") != nil {
		t.Error("First makes an app after all were deleted")
	}
}
