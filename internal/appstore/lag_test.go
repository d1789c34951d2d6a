package appstore

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/follow"
)

// A replica is a bucket that answers as one of its copies does that lacks
// something.
type replica struct {
	jetstream.KeyValue

	mu     sync.Mutex
	behind int                                // watches that end before everything was seen
	mute   bool                               // watches tell nothing after their beginning
	stale  map[string]jetstream.KeyValueEntry // what Get answers, for a while
	asked  int                                // how often it will
}

func (r *replica) WatchAll(ctx context.Context, opts ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	w, err := r.KeyValue.WatchAll(ctx, opts...)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.behind > 0 {
		r.behind--
		return cut(w, 0), nil
	}
	if r.mute {
		return cut(w, -1), nil
	}
	return w, nil
}

func (r *replica) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	r.mu.Lock()
	old := r.stale[key]
	if old != nil && r.asked > 0 {
		r.asked--
		r.mu.Unlock()
		return old, nil
	}
	r.mu.Unlock()
	return r.KeyValue.Get(ctx, key)
}

// lag has Get answer for a key what it would now, so many times.
func (r *replica) lag(t *testing.T, key string, times int) {
	e, err := r.KeyValue.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stale, r.asked = map[string]jetstream.KeyValueEntry{key: e}, times
}

// A short watch tells so many entries, or those that are there at first, and
// that these are all.
type shortWatch struct {
	jetstream.KeyWatcher
	updates chan jetstream.KeyValueEntry
}

func (w *shortWatch) Updates() <-chan jetstream.KeyValueEntry { return w.updates }

func cut(w jetstream.KeyWatcher, entries int) *shortWatch {
	short := &shortWatch{w, make(chan jetstream.KeyValueEntry, 1000)}
	for n := 0; n != entries; n++ {
		e := <-w.Updates()
		if e == nil {
			break
		}
		short.updates <- e
	}
	short.updates <- nil
	return short
}

// on returns a node that uses another bucket than the service's own.
func (s *service) on(bucket jetstream.KeyValue) *node {
	s.t.Helper()
	before := s.bucket
	s.bucket = bucket
	defer func() { s.bucket = before }()
	return s.node()
}

func TestNodeIsNotReadyBeforeItKnowsTheApps(t *testing.T) {
	s := newService(t, "")
	first := s.node()
	for _, id := range []string{"1", "2", "3"} {
		first.create(app(id, "k"+id))
	}
	late := s.on(&replica{KeyValue: s.bucket, behind: 2})
	if n := late.registry.Len(); n != 3 {
		t.Errorf("after Open the node knows %d apps, want 3: the copy that it read was catching up", n)
	}
}

func TestAppsStayWhenAWatchBeginsAnewOnACopyThatIsBehind(t *testing.T) {
	s := newService(t, "")
	r := &replica{KeyValue: s.bucket}
	n := s.on(r)
	n.create(app("1", "k1"))
	var gone bool
	n.registry.Watch(func(c apps.Change) { gone = gone || c.New == nil })
	r.mu.Lock()
	r.behind = 2
	r.mu.Unlock()
	n.Reload()
	n.until("the watch has begun again", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.behind == 0
	})
	s.node().create(app("2", "k2"))
	n.until("the next app comes", func() bool { return n.registry.ByID("2") != nil })
	n.Store.mu.Lock()
	defer n.Store.mu.Unlock()
	if gone {
		t.Error("an app was dropped because a copy of the store lacked it")
	}
}

// TestChangesAreInEffectWhenTheyReturn, however long the bucket takes to tell
// of them.
func TestChangesAreInEffectWhenTheyReturn(t *testing.T) {
	s := newService(t, "")
	n := s.on(&replica{KeyValue: s.bucket, mute: true})
	e := n.create(app("1", "k1"))
	if n.registry.ByKey("k1") == nil {
		t.Fatal("an app that was made is not served")
	}
	if _, err := n.Update(t.Context(), "1", e.Revision, func(a *apps.App) error { a.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if !n.registry.ByID("1").Disabled {
		t.Error("an app that was disabled is served")
	}
	if err := n.Delete(t.Context(), "1", 0); err != nil {
		t.Fatal(err)
	}
	if n.registry.ByID("1") != nil {
		t.Error("an app that was deleted is served")
	}
	if again := n.create(app("1", "k2")); again.Revision <= e.Revision || n.registry.ByKey("k2") == nil {
		t.Error("an app with the id of one that was deleted is not served")
	}
}

// TestOldNewsOfAnAppThatWasDeletedHere does not bring it back.
func TestOldNewsOfAnAppThatWasDeletedHere(t *testing.T) {
	n := newService(t, "").node()
	e := n.create(app("1", "k1"))
	old := &record{app: app("1", "k1"), revision: e.Revision}
	n.applyDelete("1", e.Revision)
	n.apply([]follow.Update[*record]{{Key: "1", Value: old, Revision: e.Revision}})
	if n.registry.ByID("1") != nil {
		t.Error("an app that was deleted is served again")
	}
	n.apply([]follow.Update[*record]{{Key: "1", Gone: true, Revision: e.Revision + 1}})
	n.mu.Lock() // its watcher may still bring the app itself
	left := len(n.deleted)
	n.mu.Unlock()
	if left != 0 {
		t.Error("what was deleted is remembered although the bucket has told of it")
	}
}

// TestAppsOutliveTheLossOfTheStore: those who know them write them again.
func TestAppsOutliveTheLossOfTheStore(t *testing.T) {
	s := newService(t, "")
	a, b := s.node(), s.node()
	a.create(app("1", "k1"))
	a.create(app("my.app", "k2"))
	b.until("both come", func() bool { return b.registry.Len() == 2 })
	gone := make(chan string, 10)
	for _, n := range []*node{a, b} {
		n.registry.Watch(func(c apps.Change) {
			if c.New == nil {
				gone <- c.Old.ID
			}
		})
		s.engine.OnLoss(engine.BucketStream(Bucket), n.Reload)
	}
	if err := s.engine.JetStream().DeleteKeyValue(t.Context(), Bucket); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "my.app"} {
		a.until("app "+id+" is in the store again", func() bool {
			_, err := s.bucket.Get(t.Context(), bucketKey(id))
			return err == nil
		})
	}
	a.until("a change can be made", func() bool {
		_, err := a.Update(t.Context(), "1", 0, func(a *apps.App) error { a.Name = "again"; return nil })
		return err == nil
	})
	b.until("the other node sees it", func() bool { return b.registry.ByID("1").Name == "again" })
	if err := s.node().First(t.Context(), First{Tell: func(*apps.App) error { return errors.New("told") }}); err != nil {
		t.Errorf("First after the store was lost = %v, want none: there are apps", err)
	}
	select {
	case id := <-gone:
		t.Errorf("app %s was dropped when the store was lost", id)
	default:
	}
}

// TestChangesOfThreeNodesAtOnce are all made, although the copy that is asked
// is behind; if it stays so, the refusal is none that speaks of a revision.
func TestChangesOfThreeNodesAtOnce(t *testing.T) {
	s := newService(t, "")
	r := &replica{KeyValue: s.bucket}
	n := s.on(r)
	n.create(app("1", "k1"))
	rename := func(name string) func(*apps.App) error {
		return func(a *apps.App) error { a.Name = name; return nil }
	}
	r.lag(t, bucketKey("1"), 3)
	second, err := s.node().Update(t.Context(), "1", 0, rename("second"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Update(t.Context(), "1", 0, rename("third")); err != nil {
		t.Errorf("Update while the copy is a moment behind = %v", err)
	}
	r.lag(t, bucketKey("1"), 1000)
	fourth, err := s.node().Update(t.Context(), "1", 0, rename("fourth"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Update(t.Context(), "1", 0, rename("fifth")); !errors.Is(err, ErrBusy) || errors.Is(err, ErrRevision) {
		t.Errorf("Update without a revision while others change the app = %v, want %v", err, ErrBusy)
	}
	if _, err := n.Update(t.Context(), "1", second.Revision, rename("fifth")); !errors.Is(err, ErrRevision) {
		t.Errorf("Update of an old revision = %v, want %v", err, ErrRevision)
	}
	r.mu.Lock()
	r.asked = 3
	r.mu.Unlock()
	if _, err := n.Update(t.Context(), "1", fourth.Revision, rename("fifth")); err != nil {
		t.Errorf("Update of the newest revision while the copy is a moment behind = %v", err)
	}
}
