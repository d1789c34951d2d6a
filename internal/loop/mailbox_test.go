package loop

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whoever posts and whoever takes, jobs come out in the order in which they
// went in, and the gate is closed exactly from over the limit to half of it.
func TestMailboxKeepsOrderAndWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		var g gate
		m := newMailbox(&g, limit)
		var taken []job
		posted, got, weight := 0, 0, 0
		closed := false
		order := func(number int) func(int) {
			return func(int) {
				if number != got {
					t.Fatalf("job %d came out where %d was due", number, got)
				}
				got++
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"post": func(t *rapid.T) {
				j := job{order(posted), rapid.IntRange(1, 10).Draw(t, "weight")}
				if first, ok := m.post(j); !ok || m.empty() || first != (len(m.queue) == 1) {
					t.Fatalf("post = %t, %t with %d queued", first, ok, len(m.queue))
				}
				if m.seal() {
					t.Fatal("seal() of a mailbox with a job in it = true")
				}
				posted++
				weight += j.weight
				closed = closed || weight > limit
			},
			"take": func(t *rapid.T) {
				if len(taken) > 0 {
					t.Skip("the last are not done")
				}
				taken = m.take()
				if len(taken) != posted-got || !m.empty() {
					t.Fatalf("take() = %d jobs of %d, and left some: %t", len(taken), posted-got, !m.empty())
				}
			},
			"finish": func(t *rapid.T) {
				if len(taken) == 0 {
					t.Skip("nothing taken")
				}
				taken[0].run(0)
				m.finished(taken[0].weight)
				weight -= taken[0].weight
				taken = taken[1:]
				if weight <= limit/2 {
					closed = false
				}
			},
			"": func(t *rapid.T) {
				if g.shut() != closed {
					t.Fatalf("the gate is shut: %t, with weight %d of %d; want %t", g.shut(), weight, limit, closed)
				}
			},
		})
	})
}

func TestMailboxDoesNotKeepALongQueue(t *testing.T) {
	var g gate
	m := newMailbox(&g, 1<<30)
	for range 2 * keepJobs {
		m.post(job{func(int) {}, 1})
	}
	m.take()
	if m.spare != nil {
		t.Errorf("a queue of %d jobs is kept for the next time", cap(m.spare))
	}
}

// The gate of a group is closed while any mailbox is full.
func TestGateOfSeveralMailboxes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		a, b := newMailbox(&g, 10), newMailbox(&g, 10)
		for _, m := range []*mailbox{a, b} {
			m.post(job{nil, 11})
		}
		var passed atomic.Int32
		for range 3 {
			go func() {
				if err := g.wait(context.Background()); err != nil {
					t.Error(err)
				}
				passed.Add(1)
			}()
		}
		synctest.Wait()
		a.finished(11)
		synctest.Wait()
		if got := passed.Load(); got != 0 {
			t.Errorf("%d passed while a mailbox is full", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := g.wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("wait = %v after %v, want %v after 1s", err, time.Since(start), context.DeadlineExceeded)
		}
		b.finished(6) // half is left
		synctest.Wait()
		if got := passed.Load(); got != 3 {
			t.Errorf("%d passed, want all 3", got)
		}
		if err := g.wait(ctx); err != nil {
			t.Errorf("wait at an open gate with a context that has ended = %v, want nil", err)
		}
	})
}

// However posting, finishing and waiting overlap, nobody is left waiting.
func TestGateForgetsNobody(t *testing.T) {
	var g gate
	m := newMailbox(&g, 4)
	var work, waiters sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 2000 {
				m.post(job{nil, 3})
				m.finished(3)
			}
		})
		waiters.Go(func() {
			for range 2000 {
				if err := g.wait(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	waiters.Wait()
	if g.shut() || m.weight != 0 {
		t.Errorf("in the end the gate is shut: %t, with weight %d", g.shut(), m.weight)
	}
}

func TestAdmitWaitsForTheLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 2, MailboxWeight: 10, Portable: true})
		release := make(chan struct{})
		g.Post(1, func(int) { <-release }, 1)
		g.Post(1, func(int) {}, 9)
		if err := g.Admit(t.Context()); err != nil {
			t.Errorf("Admit at the limit = %v, want nil", err)
		}
		g.Post(1, func(int) {}, 1) // never refused, even so
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := g.Admit(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Admit above the limit = %v, want %v", err, context.DeadlineExceeded)
		}
		admitted := make(chan error)
		go func() { admitted <- g.Admit(context.Background()) }()
		synctest.Wait()
		close(release)
		if err := <-admitted; err != nil {
			t.Errorf("Admit when the work is done = %v, want nil", err)
		}
	})
}

func BenchmarkPost(b *testing.B) {
	b.ReportAllocs()
	g := NewGroup(Config{Loops: 1, MailboxWeight: 1000})
	defer g.Stop(context.Background())
	nothing := func(int) {}
	for b.Loop() {
		g.Admit(context.Background())
		g.Post(0, nothing, 1)
	}
}

func TestSealedMailboxTakesNothing(t *testing.T) {
	m := newMailbox(&gate{}, 10)
	if !m.seal() {
		t.Fatal("seal() of an empty mailbox = false")
	}
	if first, ok := m.post(job{nil, 1}); first || ok || !m.empty() {
		t.Errorf("post to a sealed mailbox = %t, %t, and empty() = %t, want it refused", first, ok, m.empty())
	}
}
