package expiry

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/wakeup"
)

var start = time.Unix(1e9, 0)

// A Queue does what a list would do that is searched from its front.
func TestQueueKeepsWhatItIsToldTo(t *testing.T) {
	type kept struct {
		key   int
		until time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		var q Queue[int]
		var want []kept
		now, wait := start, time.Duration(rapid.IntRange(0, 5).Draw(t, "wait"))
		index := func(k int) int { return slices.IndexFunc(want, func(e kept) bool { return e.key == k }) }
		drop := func(i int) { want = slices.Delete(want, i, i+1) }
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "passes"))) },
			"begin": func(t *rapid.T) {
				k := rapid.IntRange(0, 4).Draw(t, "key")
				if i := index(k); i >= 0 {
					drop(i)
				}
				want = append(want, kept{k, now.Add(wait)})
				if q.Begin(k, now.Add(wait)) && len(want) != 1 {
					t.Fatal("Begin says that the key is the first")
				}
			},
			"cancel": func(t *rapid.T) {
				k := rapid.IntRange(0, 4).Draw(t, "key")
				i := index(k)
				if got := q.Cancel(k); got != (i >= 0) {
					t.Fatalf("Cancel(%d) = %t", k, got)
				}
				if i >= 0 {
					drop(i)
				}
			},
			"due": func(t *rapid.T) {
				k, ok := q.Due(now)
				if due := len(want) > 0 && !want[0].until.After(now); ok != due || due && k != want[0].key {
					t.Fatalf("Due = %d, %t with %v kept", k, ok, want)
				}
				if ok {
					drop(0)
				}
			},
			"take": func(t *rapid.T) {
				k, ok := q.Take()
				if ok != (len(want) > 0) || ok && k != want[0].key {
					t.Fatalf("Take = %d, %t with %v kept", k, ok, want)
				}
				if ok {
					drop(0)
				}
			},
			"": func(t *rapid.T) {
				var next time.Time
				if len(want) > 0 {
					next = want[0].until
				}
				if got := q.Next(); !got.Equal(next) || q.Len() != len(want) {
					t.Fatalf("Next = %v, Len = %d, want %v, %d", got, q.Len(), next, len(want))
				}
				for k := range 5 {
					if q.Has(k) != (index(k) >= 0) {
						t.Fatalf("Has(%d) = %t", k, q.Has(k))
					}
				}
			},
		})
	})
}

func TestCanceledKeysGiveTheirMemoryBack(t *testing.T) {
	var q Queue[string]
	q.Begin("first", start)
	for i := range 100_000 {
		q.Begin(fmt.Sprint(i), start)
		q.Due(start)
	}
	if len(q.order) > 4096 || q.Len() != 1 {
		t.Errorf("%d entries stand for %d keys", len(q.order), q.Len())
	}
	q.Take()
	if q.Next(); q.order != nil {
		t.Error("an empty queue keeps memory")
	}
}

func TestWatchExpiresInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // as whoever uses both has one
		var q Queue[string]
		first, quit := wakeup.New(), make(chan struct{})
		begun, ended := time.Now(), map[string]time.Duration{}
		expire := func(now time.Time) time.Time {
			mu.Lock()
			defer mu.Unlock()
			for k, ok := q.Due(now); ok; k, ok = q.Due(now) {
				ended[k] = now.Sub(begun)
			}
			return q.Next()
		}
		go Watch(quit, first, expire)
		for _, k := range []string{"a", "b"} {
			mu.Lock()
			if q.Begin(k, time.Now().Add(time.Second)) {
				first.Set()
			}
			mu.Unlock()
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		close(quit)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if ended["a"] != time.Second || ended["b"] != 1500*time.Millisecond {
			t.Errorf("ended after %v, want a after 1s and b after 1.5s", ended)
		}
	})
}
