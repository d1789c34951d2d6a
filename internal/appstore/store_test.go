package appstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A service is the engine that several nodes share.
type service struct {
	t      testing.TB
	engine *engine.Engine
	bucket jetstream.KeyValue
}

func newService(t testing.TB, dataDir string) *service {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{DataDir: dataDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	bucket, err := e.KeyValue(t.Context(), Bucket)
	if err != nil {
		t.Fatal(err)
	}
	return &service{t, e, bucket}
}

// A node is a store and the registry that it fills.
type node struct {
	*Store
	t        testing.TB
	registry *apps.Registry
	log      *log
}

func (s *service) node(configured ...*apps.App) *node {
	s.t.Helper()
	registry, err := apps.NewRegistry(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	n := &node{t: s.t, registry: registry, log: &log{}}
	n.Store, err = Open(s.t.Context(), Config{
		Bucket: s.bucket, Registry: registry, Configured: configured,
		Log: slog.New(slog.NewTextHandler(n.log, nil)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(n.Close)
	return n
}

// log is what a node logged.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// until waits for something that must happen.
func (n *node) until(what string, reached func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("%s: did not happen", what)
		}
	}
}

func (n *node) create(a *apps.App) Entry {
	n.t.Helper()
	e, err := n.Create(n.t.Context(), a)
	if err != nil {
		n.t.Fatalf("Create: %v", err)
	}
	return e
}

// app returns one with defaults and one pair of keys.
func app(id, key string) *apps.App {
	a := apps.New()
	a.ID, a.Keys = id, []apps.Key{{Key: key, Secret: "s-" + key}}
	return a
}

func TestAppIsServedOnEveryNode(t *testing.T) {
	s := newService(t, "")
	a, b := s.node(), s.node()
	e := a.create(apps.New())
	if got := a.registry.ByKey(e.App.Keys[0].Key); got == nil || !got.Same(e.App) {
		t.Fatalf("the node that made the app serves %+v, want %+v", got, e.App)
	}
	b.until("the app comes", func() bool { return b.registry.ByID(e.App.ID) != nil })
	if got := b.registry.ByID(e.App.ID); !got.Same(e.App) {
		t.Errorf("another node serves %+v, want %+v", got, e.App)
	}
	if _, err := b.Update(t.Context(), e.App.ID, e.Revision, func(a *apps.App) error { a.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	a.until("the change comes", func() bool { return a.registry.ByID(e.App.ID).Disabled })
	if err := a.Delete(t.Context(), e.App.ID, 0); err != nil {
		t.Fatal(err)
	}
	if a.registry.ByID(e.App.ID) != nil || a.registry.ByKey(e.App.Keys[0].Key) != nil {
		t.Error("the node that deleted the app serves it")
	}
	b.until("the app goes", func() bool { return b.registry.Len() == 0 })
}

func TestAppsAreThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := newService(t, dir)
	a := s.node()
	want := app("my.app", "k")
	want.Name, want.ClientEvents, want.Limits.Connections = "shop <&>", true, 7
	want.Webhooks = []apps.Webhook{{URL: "https://example.com/hook", Events: apps.ChannelOccupied, Headers: []apps.Header{{Name: "Authorization", Value: "Bearer x"}}}}
	made := a.create(want)
	a.Close()
	if err := s.engine.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := newService(t, dir).node()
	got, err := b.Get("my.app")
	if err != nil || !got.App.Same(made.App) || got.Revision != made.Revision || !got.Created.Equal(made.Created) || got.Created.IsZero() {
		t.Errorf("Get after a restart = %+v, %v, want %+v", got, err, made)
	}
	if b.registry.ByKey("k") == nil {
		t.Error("the app is not served after a restart")
	}
}

func TestTwoOperatorsDoNotOverwriteEachOther(t *testing.T) {
	n := newService(t, "").node()
	first := n.create(app("1", "k"))
	second, err := n.Update(t.Context(), "1", first.Revision, func(a *apps.App) error { a.Name = "second"; return nil })
	if err != nil || second.Revision == first.Revision {
		t.Fatalf("Update = %+v, %v", second, err)
	}
	rename := func(a *apps.App) error { a.Name = "first"; return nil }
	if _, err := n.Update(t.Context(), "1", first.Revision, rename); !errors.Is(err, ErrRevision) {
		t.Errorf("Update of an old revision = %v, want %v", err, ErrRevision)
	}
	if err := n.Delete(t.Context(), "1", first.Revision); !errors.Is(err, ErrRevision) {
		t.Errorf("Delete of an old revision = %v, want %v", err, ErrRevision)
	}
	if e, err := n.Update(t.Context(), "1", 0, func(*apps.App) error { return nil }); err != nil || e.Revision != second.Revision {
		t.Errorf("Update that changes nothing = revision %d, %v, want %d", e.Revision, err, second.Revision)
	}
	if got := n.registry.ByID("1").Name; got != "second" {
		t.Errorf("name = %q, want second", got)
	}
}

// Changes without a revision are made one after the other, whoever makes them.
func TestChangesAtTheSameTimeAreAllMade(t *testing.T) {
	s := newService(t, "")
	a, b := s.node(), s.node()
	a.create(app("1", "k"))
	var wg sync.WaitGroup
	for i := range 8 {
		n := a
		if i%2 == 1 {
			n = b
		}
		wg.Go(func() {
			_, err := n.Update(t.Context(), "1", 0, func(a *apps.App) error {
				a.Keys = append(a.Keys, apps.Key{Key: fmt.Sprint("k", i), Secret: "s"})
				return nil
			})
			if err != nil {
				t.Errorf("Update: %v", err)
			}
		})
	}
	wg.Wait()
	a.until("all keys come", func() bool { return len(a.registry.ByID("1").Keys) == 9 })
}

func TestRefusals(t *testing.T) {
	n := newService(t, "").node(app("file", "kf"))
	n.create(app("1", "k1"))
	n.create(app("2", "k2"))
	ctx := t.Context()
	create := func(a *apps.App) error { _, err := n.Create(ctx, a); return err }
	update := func(id string) error {
		_, err := n.Update(ctx, id, 0, func(*apps.App) error { return nil })
		return err
	}
	takeKey := func(key string) error {
		_, err := n.Update(ctx, "1", 0, func(a *apps.App) error { a.Keys = append(a.Keys, app("", key).Keys...); return nil })
		return err
	}
	refusal := errors.New("not like this")
	_, edited := n.Update(ctx, "1", 0, func(a *apps.App) error { a.Name = "x"; return refusal })
	for name, tt := range map[string]struct{ got, want error }{
		"id of an app":                       {create(app("1", "k")), ErrExists},
		"id of a configured app":             {create(app("file", "k")), ErrExists},
		"key of an app":                      {create(app("3", "k1")), ErrKeyTaken},
		"key of a configured app":            {create(app("3", "kf")), ErrKeyTaken},
		"take a key":                         {takeKey("k2"), ErrKeyTaken},
		"update nothing":                     {update("3"), ErrUnknown},
		"update a configured app":            {update("file"), ErrReadOnly},
		"update what can be no id":           {update("a b"), ErrUnknown},
		"delete nothing":                     {n.Delete(ctx, "3", 0), ErrUnknown},
		"delete a configured app":            {n.Delete(ctx, "file", 0), ErrReadOnly},
		"an edit that refuses":               {edited, refusal},
		"a key of the app itself is its own": {takeKey("k3"), nil},
	} {
		if !errors.Is(tt.got, tt.want) || tt.want == nil && tt.got != nil {
			t.Errorf("%s = %v, want %v", name, tt.got, tt.want)
		}
	}
	if n.registry.Len() != 3 || n.registry.ByID("1").Name != "" {
		t.Errorf("the registry has %d apps, and 1 is called %q", n.registry.Len(), n.registry.ByID("1").Name)
	}
}

func TestDeletedIDCanBeUsedAgain(t *testing.T) {
	n := newService(t, "").node()
	first := n.create(app("1", "old"))
	if err := n.Delete(t.Context(), "1", first.Revision); err != nil {
		t.Fatal(err)
	}
	second := n.create(app("1", "new"))
	if second.Revision <= first.Revision || n.registry.ByKey("old") != nil || n.registry.ByKey("new") == nil {
		t.Errorf("the second app 1 has revision %d after %d", second.Revision, first.Revision)
	}
}

func TestConfigurationIsBeforeTheStore(t *testing.T) {
	s := newService(t, "")
	n := s.node()
	n.create(app("1", "k1"))
	n.create(app("2", "k2"))
	third := app("3", "k3")
	third.Keys = append(third.Keys, apps.Key{Key: "k4", Secret: "s"})
	n.create(third)
	mine, other := app("1", "file1"), app("file", "k3")
	if err := n.SetConfigured([]*apps.App{mine, other}); err != nil {
		t.Fatal(err)
	}
	expectServed(t, n, map[string]string{"file1": "1", "k1": "", "k2": "2", "k3": "file", "k4": "3"})
	for _, want := range []string{
		"an app that was made at run time is not served: the configuration has one with its id\" app=1",
		"another has it\" key=k3 app=3 owner=file",
	} {
		if strings.Count(n.log.String(), want) != 1 {
			t.Errorf("the log has not once %q:\n%s", want, n.log)
		}
	}
	if e, err := n.Get("1"); err != nil || !e.Configured || e.Revision != 0 {
		t.Errorf("Get(1) = %+v, %v, want the configured app", e, err)
	}
	// What changes beside a conflict does so, and the conflict is not told again.
	if err := n.Delete(t.Context(), "2", 0); err != nil {
		t.Fatal(err)
	}
	expectServed(t, n, map[string]string{"file1": "1", "k2": "", "k3": "file", "k4": "3"})
	if got := strings.Count(n.log.String(), "level=WARN"); got != 2 {
		t.Errorf("%d warnings, want 2:\n%s", got, n.log)
	}
	if err := n.SetConfigured(nil); err != nil {
		t.Fatal(err)
	}
	expectServed(t, n, map[string]string{"file1": "", "k1": "1", "k3": "3", "k4": "3"})
	// Another node comes to the same result from the beginning.
	expectServed(t, s.node(mine, other), map[string]string{"file1": "1", "k1": "", "k3": "file", "k4": "3"})
}

// expectServed compares the ids of the apps that have some keys.
func expectServed(t *testing.T, n *node, want map[string]string) {
	t.Helper()
	for key, id := range want {
		got := ""
		if a := n.registry.ByKey(key); a != nil {
			got = a.ID
		}
		if got != id {
			t.Errorf("key %s is that of app %q, want %q", key, got, id)
		}
	}
}

// Two nodes can give the same key to two apps in the same moment. Then all
// nodes agree on who has it.
func TestKeyOfTwoAppsIsThatOfTheOlder(t *testing.T) {
	s := newService(t, "")
	watching := s.node()
	put := func(id string, created time.Time) {
		value, err := (&record{app: app(id, "same"), created: created}).encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.bucket.Put(t.Context(), bucketKey(id), value); err != nil {
			t.Fatal(err)
		}
		watching.until("app "+id+" comes", func() bool { _, err := watching.Get(id); return err == nil })
	}
	put("younger", time.Unix(2, 0))
	put("older", time.Unix(1, 0))
	put("oldest-by-name-only", time.Unix(3, 0))
	want := map[string]string{"same": "older"}
	expectServed(t, watching, want)
	expectServed(t, s.node(), want)
	if err := watching.Delete(t.Context(), "older", 0); err != nil {
		t.Fatal(err)
	}
	expectServed(t, watching, map[string]string{"same": "younger"})
}

func TestConfiguredAppsThatDidNotChangeAreNotNews(t *testing.T) {
	n := newService(t, "").node(app("1", "k1"), app("2", "k2"))
	var changed []string
	n.registry.Watch(func(c apps.Change) { changed = append(changed, c.Old.ID) })
	second := app("2", "k2")
	second.Disabled = true
	if err := n.SetConfigured([]*apps.App{app("1", "k1"), second}); err != nil {
		t.Fatal(err)
	}
	if len(changed) != 1 || changed[0] != "2" {
		t.Errorf("changed %q, want 2 alone", changed)
	}
	if err := n.SetConfigured([]*apps.App{app("1", "k1"), app("3", "k1")}); err == nil || n.registry.ByID("2") == nil {
		t.Errorf("SetConfigured of apps with one key = %v, want an error and no change", err)
	}
}

func TestList(t *testing.T) {
	n := newService(t, "").node(app("b", "kb"), app("d", "kd"))
	for _, id := range []string{"a", "c", "e"} {
		n.create(app(id, "k"+id))
	}
	for name, tt := range map[string]struct {
		after string
		limit int
		want  string
		more  bool
	}{
		"all":          {"", 10, "abcde", false},
		"just all":     {"", 5, "abcde", false},
		"first":        {"", 2, "ab", true},
		"middle":       {"b", 2, "cd", true},
		"last":         {"d", 2, "e", false},
		"after a gap":  {"bb", 9, "cde", false},
		"after it all": {"z", 2, "", false},
	} {
		list, more := n.List(tt.after, tt.limit, func(string) bool { return true })
		got := ""
		for _, e := range list {
			got += e.App.ID
		}
		if got != tt.want || more != tt.more {
			t.Errorf("%s: List = %q, %t, want %q, %t", name, got, more, tt.want, tt.more)
		}
	}
	list, more := n.List("a", 1, func(id string) bool { return id == "b" || id == "e" })
	if len(list) != 1 || list[0].App.ID != "b" || !more {
		t.Errorf("List of b and e = %v, %t, want b and that there is more", list, more)
	}
}
