package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newEngine(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// A node is a log, its clock, and whether the engine takes anything.
type node struct {
	*Log
	t    *testing.T
	at   atomic.Pointer[time.Time]
	down atomic.Bool
	text *lockedText
}

type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var errDown = errors.New("down")

func newNode(t *testing.T, e *engine.Engine, name string) *node {
	n := &node{t: t, text: &lockedText{}}
	now := time.Now()
	n.at.Store(&now)
	n.Log = Open(Config{
		Open:      func(ctx context.Context) (jetstream.Stream, error) { return e.Stream(ctx, Stream) },
		JetStream: e.JetStream(),
		Node:      name,
		Writable: func() error {
			if n.down.Load() {
				return errDown
			}
			return nil
		},
		Log: slog.New(slog.NewTextHandler(n.text, nil)),
		Now: func() time.Time { return *n.at.Load() },
	})
	<-n.opened
	return n
}

// all closes the log, so that all is written, and returns it from another one.
func all(t *testing.T, e *engine.Engine, q Query, logs ...*node) []Entry {
	t.Helper()
	for _, l := range logs {
		l.Close()
	}
	reader := newNode(t, e, "reader")
	defer reader.Close()
	list, next, err := reader.List(t.Context(), q, 2*maxWaiting)
	if err != nil || next != 0 {
		t.Fatalf("List = %v, %d", err, next)
	}
	return list
}

func TestEntriesAreThoseOfAllNodes(t *testing.T) {
	e := newEngine(t)
	a, b := newNode(t, e, "a"), newNode(t, e, "b")
	a.Write(Entry{Who: "ada", Action: "PATCH /api/v1/apps/{id}", App: "1.2", Status: 200})
	a.Close()
	b.Write(Entry{Who: "bob", Action: Login, Status: 200})
	list := all(t, e, Query{}, b)
	if len(list) != 2 || list[0].Who != "bob" || list[0].Node != "b" || list[1].Who != "ada" || list[1].Node != "a" || list[0].ID <= list[1].ID || list[1].At.IsZero() {
		t.Errorf("the list is %+v, want bob and then ada", list)
	}
	if list := all(t, e, Query{App: "1.2"}); len(list) != 1 || list[0].Who != "ada" {
		t.Errorf("of the app 1.2: %+v, want ada", list)
	}
	if list := all(t, e, Query{App: "1"}); len(list) != 0 {
		t.Errorf("of the app 1: %+v, want none", list)
	}
	if list := all(t, e, Query{Who: "bob"}); len(list) != 1 || list[0].Who != "bob" {
		t.Errorf("of bob: %+v", list)
	}
	if got := a.text.String(); !strings.Contains(got, "msg=audit who=ada") {
		t.Errorf("the log of the node is %s, want the entry in it", got)
	}
}

func TestPages(t *testing.T) {
	e := newEngine(t)
	n := newNode(t, e, "a")
	for i := range 2*window + 10 {
		n.Write(Entry{Who: []string{"ada", "bob"}[i%2], App: []string{"1", "2", "3"}[i%3], Detail: fmt.Sprint(i), Action: "x", Status: 200})
	}
	n.Close()
	n = newNode(t, e, "a")
	defer n.Close()
	for _, q := range []Query{{}, {App: "2"}, {Who: "bob"}, {App: "1", Who: "ada"}} {
		want := 0
		for i := 2*window + 9; i >= 0; i-- {
			if (q.Who == "" || q.Who == []string{"ada", "bob"}[i%2]) && (q.App == "" || q.App == []string{"1", "2", "3"}[i%3]) {
				want++
			}
		}
		got, last, at := 0, uint64(1<<62), q
		for pages := 0; pages == 0 || at.Before != 0; pages++ {
			list, next, err := n.List(t.Context(), at, 7)
			if err != nil || len(list) > 7 {
				t.Fatalf("%+v: List = %d, %v", at, len(list), err)
			}
			for _, e := range list {
				if e.ID >= last || q.Who != "" && e.Who != q.Who || q.App != "" && e.App != q.App {
					t.Fatalf("%+v: %+v after %d", at, e, last)
				}
				last = e.ID
			}
			got, at.Before = got+len(list), next
		}
		if got != want {
			t.Errorf("%+v: %d entries on all pages, want %d", q, got, want)
		}
	}
}

// TestRefusalsPushNothingOut: there is room for some of them, and the others are counted.
func TestRefusalsPushNothingOut(t *testing.T) {
	e := newEngine(t)
	n := newNode(t, e, "a")
	n.Write(Entry{Who: "ada", Action: "x", Status: 200})
	for range 500 {
		n.Write(Entry{Action: WrongToken, Status: 401})
	}
	later := n.at.Load().Add(time.Minute)
	n.at.Store(&later)
	n.Write(Entry{Action: WrongToken, Status: 401})
	list := all(t, e, Query{}, n)
	written := len(list) - 1
	if last := list[0]; last.Left != 500-(written-1) || written >= 100 {
		t.Errorf("%d refusals are written down, and the last says that %d are not", written, last.Left)
	}
	if list[len(list)-1].Who != "ada" {
		t.Error("what was done is gone")
	}
}

func TestLookingIsWrittenDownOnceAnHour(t *testing.T) {
	e := newEngine(t)
	n := newNode(t, e, "a")
	look := func(who, app string) { n.Write(Entry{Who: who, App: app, Action: Payloads, Status: 200}) }
	look("ada", "1")
	look("ada", "1")
	look("ada", "2")
	look("bob", "1")
	later := n.at.Load().Add(seenEvery)
	n.at.Store(&later)
	look("ada", "1")
	if list := all(t, e, Query{}, n); len(list) != 4 {
		t.Errorf("entries: %+v, want four", list)
	}
}

// TestEntriesWaitForTheEngine as many as there is room for. Those beyond are in the log of
// the node.
func TestEntriesWaitForTheEngine(t *testing.T) {
	e := newEngine(t)
	n := newNode(t, e, "a")
	n.down.Store(true)
	const more = 10
	for i := range maxWaiting + 1 + more {
		n.Write(Entry{Who: "ada", Action: "x", Detail: fmt.Sprint(i), Status: 200})
	}
	n.down.Store(false)
	list := all(t, e, Query{}, n)
	lost := strings.Count(n.text.String(), "is only here")
	if lost == 0 || len(list)+lost != maxWaiting+1+more {
		t.Errorf("%d entries are written and %d are not, want all of %d", len(list), lost, maxWaiting+1+more)
	}
	if got := strings.Count(n.text.String(), "msg=audit"); got != maxWaiting+1+more {
		t.Errorf("the log of the node has %d, want all", got)
	}
}

func TestWhatComesFromOutsideIsCut(t *testing.T) {
	e := newEngine(t)
	n := newNode(t, e, "a")
	n.Write(Entry{Who: "ada", Action: "x", Target: strings.Repeat("ä", 10_000), Detail: strings.Repeat("\xff", 10_000), Status: 200})
	list := all(t, e, Query{}, n)
	if len(list) != 1 || len(list[0].Target) > maxText || len(list[0].Detail) > maxText {
		t.Errorf("target and detail have %d and %d bytes, want %d at most", len(list[0].Target), len(list[0].Detail), maxText)
	}
}
