package apps

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func manyApps(n int) []*App {
	list := make([]*App, n)
	for i := range list {
		a := New()
		a.ID, a.Keys = fmt.Sprint(1_000_000+i), []Key{{Key: fmt.Sprintf("%020x", i), Secret: fmt.Sprintf("%040x", i)}}
		list[i] = a
	}
	return list
}

// BenchmarkByKey looks up apps at random, so that with many of them the memory
// is part of the cost; one asks for the same app all the time.
func BenchmarkByKey(b *testing.B) {
	for _, n := range []int{1, 10_000, 100_000} {
		list := manyApps(n)
		r, err := NewRegistry(list)
		if err != nil {
			b.Fatal(err)
		}
		keys := make([]string, 1<<12)
		for i := range keys {
			keys[i] = list[rand.IntN(n)].Keys[0].Key
		}
		run := func(name string, mask int) {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				i := 0
				for b.Loop() {
					if r.ByKey(keys[i&mask]) == nil {
						b.Fatal("not found")
					}
					i++
				}
			})
		}
		run("same", 0)
		run("any", len(keys)-1)
	}
}

// BenchmarkApply changes one of many apps.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, err := NewRegistry(manyApps(n))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				a := *r.ByID("1000000")
				a.Disabled = !a.Disabled
				if err := r.Apply([]*App{&a}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
