package client_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/client"
)

// Covers 78, T89.
func TestDataIsWhatWasPublished(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) { cfg.MaxMessageSize = 8 << 20 })
		var got client.Event
		c.Bind("e", func(_ context.Context, e client.Event) { got = e })
		connect(t, c)
		for raw, want := range map[string]string{
			`"plain"`: "plain", `"{\"a\": 1}"`: `{"a": 1}`, `{"a": 1.50}`: `{"a": 1.50}`, `[1,  2]`: `[1,  2]`,
			`"\u00e9\ud83d\ude00\/"`: "é😀/", `12345678901234567890`: "12345678901234567890", `null`: "null", `true`: "true", `""`: "",
		} {
			f.peer(t, 1).send(`{"event":"e","channel":"c","data":` + raw + `,"unknown":[]}`)
			settle()
			if got.Data != want || got.Channel != "c" || got.Received.IsZero() {
				t.Errorf("data %s arrives as %q, want %q", raw, got.Data, want)
			}
		}
		f.peer(t, 1).send(`{"event":"e"}`)
		settle()
		if got.Data != "" || got.Channel != "" {
			t.Errorf("an event without data: %+v", got)
		}
		var v struct{ A float64 }
		for _, data := range []string{`"{\"a\":1.5}"`, `{"a":1.5}`} {
			f.peer(t, 1).send(`{"event":"e","data":` + data + `}`)
			settle()
			if v.A = 0; got.Decode(&v) != nil || v.A != 1.5 {
				t.Errorf("Decode of %s: %+v", data, v)
			}
		}
		for i := range 300 {
			data := rapid.String().Example(i)
			f.peer(t, 1).event("e", "c", data)
			settle()
			if got.Data != data {
				t.Fatalf("%q arrives as %q", data, got.Data)
			}
		}
		long := strings.Repeat("é\"", 512<<10)
		f.peer(t, 1).event("e", "c", long)
		settle()
		if got.Data != long {
			t.Errorf("%d bytes arrive as %d", len(long), len(got.Data))
		}
	})
}

// Covers 80, 90, T90.
func TestOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const events, names = 20000, 50
		f := &fake{accepted: func(p *peer) { p.conn.out.update(func() { p.conn.out.chunk = 1000 }) }}
		c := newClient(t, f, func(cfg *client.Config) { cfg.Queue.Size = events })
		var mu sync.Mutex
		running, overlaps, goroutines := 0, 0, map[string]bool{}
		next := map[string]int{}
		wrong, last := 0, -1
		c.BindAll(func(_ context.Context, e client.Event) {
			mu.Lock()
			running++
			if running > 1 {
				overlaps++
			}
			mu.Unlock()
			var n int
			fmt.Sscan(e.Data, &n)
			if n <= last {
				wrong++
			}
			last = n
			next[e.Channel]++
			if n%1000 == 0 {
				goroutines[goroutine()] = true
				time.Sleep(time.Millisecond)
			}
			mu.Lock()
			running--
			mu.Unlock()
		})
		connect(t, c)
		go func() {
			for i := range events {
				f.peer(t, 1).event("e", fmt.Sprintf("c%d", i%names), fmt.Sprint(i))
			}
		}()
		pass(time.Minute)
		if overlaps != 0 || wrong != 0 || last != events-1 || len(next) != names || c.Stats().EventsDropped != 0 {
			t.Errorf("%d calls overlap, %d are out of order, the last is %d, %d channels", overlaps, wrong, last, len(next))
		}
	})
}

// goroutine names the goroutine that calls it.
func goroutine() string {
	b := make([]byte, 64)
	name, _, _ := strings.Cut(string(b[:runtime.Stack(b, false)]), " [")
	return name
}

// Covers 81.
func TestOrderForOneEvent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		ch := subscribe(t, c, "news")
		var got []string
		note := func(name string) client.Handler {
			return func(context.Context, client.Event) { got = append(got, name) }
		}
		c.Bind("e", note("client named 1"))
		c.BindAll(note("client all"))
		ch.Bind("e", note("channel named 1"))
		c.Bind("e", note("client named 2"))
		ch.Bind("e", note("channel named 2"))
		ch.BindAll(note("channel all"))
		ch.Bind("other", note("other"))
		connect(t, c)
		got = nil
		f.peer(t, 1).event("e", "news", "x")
		settle()
		want := "channel all|channel named 1|channel named 2|client all|client named 1|client named 2"
		if strings.Join(got, "|") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Covers 82, T85.
func TestUnbind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		p := f.peer(t, 1)
		calls := 0
		var b, added *client.Binding
		b = c.Bind("e", func(_ context.Context, e client.Event) {
			calls++
			if e.Data == "add" {
				added = c.Bind("e", func(context.Context, client.Event) { calls += 100 })
			}
			if e.Data == "remove" {
				added.Unbind()
				b.Unbind()
				b.Unbind()
			}
		})
		p.event("e", "c", "add") // the new function does not get it
		settle()
		if calls != 1 || !added.Active() {
			t.Errorf("%d calls", calls)
		}
		p.event("e", "c", "remove") // the other function does not get it
		p.event("e", "c", "x")
		settle()
		if calls != 2 || added.Active() || b.Active() {
			t.Errorf("%d calls, want 2", calls)
		}
	})
	bubble(t, func(t *testing.T) { // with many goroutines
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 200 {
					var mu sync.Mutex
					over, late := false, false
					b := c.Bind("e", func(context.Context, client.Event) {
						mu.Lock()
						late = late || over
						mu.Unlock()
					})
					f.peer(t, 1).event("e", "c", "x")
					b.Unbind()
					b.Wait(t.Context())
					mu.Lock()
					over = true
					if late {
						t.Error("called after Unbind")
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	})
}

func TestWaitForABinding(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		release := make(chan struct{})
		ended := false
		b := c.Bind("e", func(ctx context.Context, _ client.Event) {
			<-ctx.Done() // ends with Unbind
			<-release
			ended = true
		})
		if err := b.Wait(t.Context()); err != nil {
			t.Errorf("Wait before any call = %v", err)
		}
		connect(t, c)
		f.peer(t, 1).event("e", "c", "x")
		settle()
		b.Unbind()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait = %v, want the deadline", err)
		}
		close(release)
		if err := b.Wait(t.Context()); err != nil || !ended {
			t.Errorf("Wait = %v, ended %t", err, ended)
		}
	})
}

// Covers 83.
func TestUnbindMatches(t *testing.T) {
	owner, other := new(int), new(int)
	for name, test := range map[string]struct {
		match   client.Match
		removed int
	}{
		"everything":      {client.Match{}, 4},
		"event":           {client.Match{Event: "a"}, 2},
		"owner":           {client.Match{Owner: owner}, 2},
		"event and owner": {client.Match{Event: "a", Owner: owner}, 1},
		"no such event":   {client.Match{Event: "x"}, 0},
		"no such owner":   {client.Match{Owner: 7}, 0},
	} {
		bubble(t, func(t *testing.T) {
			f := &fake{}
			c := newClient(t, f)
			h := func(context.Context, client.Event) {}
			bound := []*client.Binding{
				c.Bind("a", h, client.WithOwner(owner)), c.Bind("a", h, client.WithOwner(other)), c.Bind("b", h, client.WithOwner(owner)), c.Bind("b", h),
			}
			all := c.BindAll(h, client.WithOwner(owner))
			typed := client.On(c, func(context.Context, client.StateChange) {})
			if got := c.Unbind(test.match); got != test.removed {
				t.Errorf("%s: removed %d, want %d", name, got, test.removed)
			}
			active := 0
			for _, b := range bound {
				if b.Active() {
					active++
				}
			}
			if active != len(bound)-test.removed || !all.Active() || !typed.Active() {
				t.Errorf("%s: %d of %d named bindings are left, all-event %t, typed %t", name, active, len(bound), all.Active(), typed.Active())
			}
			subscribe(t, c, "news")
			c.UnbindAll()
			if all.Active() || typed.Active() {
				t.Errorf("%s: UnbindAll leaves bindings", name)
			}
			connect(t, c)
			if ch, _ := c.Channel("news"); !ch.Subscribed() {
				t.Errorf("%s: the channel is not subscribed after UnbindAll", name)
			}
		})
	}
}

// Covers 84.
func TestInternalEventsAreHidden(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		ch := subscribe(t, c, "news")
		var got []string
		note := func(_ context.Context, e client.Event) { got = append(got, e.Name) }
		c.BindAll(note)
		ch.BindAll(note)
		connect(t, c)
		for _, name := range []string{"subscription_succeeded", "member_added", "watchlist_events", "subscription_count", "something_new"} {
			f.peer(t, 1).event("pusher_internal:"+name, "news", "{}")
			f.peer(t, 1).event("pusher_internal:"+name, "other", "{}")
			f.peer(t, 1).event("pusher_internal:"+name, "", "{}")
		}
		f.peer(t, 1).event("pusher:something_new", "news", "{}")
		settle()
		for _, name := range got {
			if strings.HasPrefix(name, "pusher_internal:") {
				t.Errorf("a function gets %s", name)
			}
		}
		if !slices.Contains(got, "pusher:something_new") || !slices.Contains(got, "pusher:subscription_succeeded") {
			t.Errorf("functions get %v", got)
		}
	})
}
