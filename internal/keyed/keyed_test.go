package keyed

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type thing struct{ name string }

func (t *thing) Key() string { return t.name }

// TestSetIsAMap: whatever is done, a Set has what a map would have.
func TestSetIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set[*thing]
		model := map[string]*thing{}
		for range rapid.IntRange(0, 5*Few).Draw(t, "steps") {
			name := fmt.Sprint(rapid.IntRange(0, 3*Few).Draw(t, "name"))
			if s.Get(name) != model[name] {
				t.Fatalf("Get(%q) = %v, want %v", name, s.Get(name), model[name])
			}
			if have := model[name]; have != nil {
				s.Remove(have)
				delete(model, name)
			} else {
				model[name] = &thing{name}
				s.Add(model[name])
			}
			if s.Len() != len(model) {
				t.Fatalf("Len() = %d, want %d", s.Len(), len(model))
			}
		}
		all := map[string]*thing{}
		for x := range s.All() {
			all[x.name] = x
		}
		if !maps.Equal(all, model) {
			t.Fatalf("All() = %v, want %v", slices.Collect(maps.Keys(all)), slices.Collect(maps.Keys(model)))
		}
		stop := rapid.IntRange(1, 3*Few).Draw(t, "stop")
		for drained := 0; s.Len() > 0; {
			before := s.Len()
			for x := range s.Drain() {
				if model[x.name] != x {
					t.Fatalf("%q was drained twice, or was not there", x.name)
				}
				delete(model, x.name)
				if drained++; drained%stop == 0 {
					break
				}
			}
			if s.Len() == before {
				t.Fatal("Drain yields nothing although there is something")
			}
		}
		if len(model) > 0 {
			t.Fatalf("%d were not drained", len(model))
		}
	})
}
