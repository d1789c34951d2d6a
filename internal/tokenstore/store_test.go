package tokenstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/access"
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

// newNode returns a store that shares the engine with others.
func newNode(t *testing.T, e *engine.Engine) *Store {
	s := Open(Config{
		Bucket: func(ctx context.Context) (jetstream.KeyValue, error) { return e.KeyValue(ctx, Bucket) },
		Last:   func(ctx context.Context) (uint64, error) { return e.Last(ctx, engine.BucketStream(Bucket)) },
	})
	t.Cleanup(s.Close)
	return s
}

func (s *Store) make(t *testing.T, name string, apps ...string) (secret string, seen *access.Token) {
	t.Helper()
	secret, _, err := s.Create(t.Context(), Grant{Name: name, Role: access.Viewer, Apps: apps, By: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	return secret, s.find(t, secret)
}

func (s *Store) find(t *testing.T, secret string) *access.Token {
	t.Helper()
	found, err := s.Find(secret)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// eventually waits until something holds that another node is to see.
func (s *Store) eventually(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.await(ctx, holds); err != nil {
		t.Fatal(err)
	}
}

func TestTokensAreThoseOfAllNodes(t *testing.T) {
	e := newEngine(t)
	a, b := newNode(t, e), newNode(t, e)
	secret, seen := a.make(t, "ada", "1", "2")
	if seen == nil || seen.Name != "ada" || !slices.Equal(seen.Apps, []string{"1", "2"}) || seen.Life.Err() != nil {
		t.Fatalf("the node that made it finds %+v", seen)
	}
	b.eventually(t, func() bool { return b.byName["ada"] != nil })
	there := b.find(t, secret)
	if there == nil {
		t.Fatal("the other node does not find it")
	}
	if _, _, err := b.Create(t.Context(), Grant{Name: "ada", Role: access.Viewer, Apps: []string{"1"}}); !errors.Is(err, ErrExists) {
		t.Errorf("Create of the same name = %v, want ErrExists", err)
	}
	if err := b.Revoke(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if there.Life.Err() == nil || b.find(t, secret) != nil {
		t.Error("the token goes on where it was revoked")
	}
	<-seen.Life.Done()
	if a.find(t, secret) != nil {
		t.Error("the other node still finds it")
	}
	for _, name := range []string{"ada", "nobody", "", "a b", strings.Repeat("x", 65)} {
		if err := a.Revoke(t.Context(), name); !errors.Is(err, ErrUnknown) {
			t.Errorf("Revoke(%q) = %v, want ErrUnknown", name, err)
		}
	}
	again, _ := a.make(t, "ada", "1")
	if again == secret || a.find(t, secret) != nil {
		t.Error("a later token of the name has the former secret")
	}
}

func TestTheSecretIsNotKept(t *testing.T) {
	e := newEngine(t)
	s := newNode(t, e)
	secret, _ := s.make(t, "ada", "*")
	bucket, err := e.KeyValue(t.Context(), Bucket)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := bucket.Get(t.Context(), bucketKey("ada"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(entry.Value()); strings.Contains(text, secret) || strings.Contains(text, strings.TrimPrefix(secret, access.TokenPrefix)) {
		t.Errorf("the bucket has the secret: %s", text)
	}
}

func TestTokenLosesAnAppThatIsDeleted(t *testing.T) {
	s := newNode(t, newEngine(t))
	one, first := s.make(t, "one", "1")
	both, second := s.make(t, "both", "1", "2")
	other, third := s.make(t, "other", "2")
	all, fourth := s.make(t, "all", "*")
	if err := s.DropApp(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if first.Life.Err() == nil || s.find(t, one) != nil {
		t.Error("a token for this app alone goes on")
	}
	if now := s.find(t, both); second.Life.Err() == nil || now == nil || !slices.Equal(now.Apps, []string{"2"}) {
		t.Errorf("a token for two apps is %+v, and what was begun with it goes on: %t", now, second.Life.Err() == nil)
	}
	if third.Life.Err() != nil || fourth.Life.Err() != nil || s.find(t, other) == nil || s.find(t, all) == nil {
		t.Error("other tokens have ended")
	}
}

// TestReadingAgainEndsNothing: a watch that ended is begun again.
func TestReadingAgainEndsNothing(t *testing.T) {
	e := newEngine(t)
	s := newNode(t, e)
	secret, seen := s.make(t, "ada", "1")
	_, gone := s.make(t, "eve", "1")
	bucket, err := e.KeyValue(t.Context(), Bucket)
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.Purge(t.Context(), bucketKey("eve")); err != nil {
		t.Fatal(err)
	}
	<-gone.Life.Done()
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	s.Reload()
	<-changed
	if seen.Life.Err() != nil || s.find(t, secret) != seen {
		t.Error("a token that is still there has ended")
	}
}

// TestWhatIsInTheBucketIsNotTrusted: what is no token of ours opens nothing.
func TestWhatIsInTheBucketIsNotTrusted(t *testing.T) {
	e := newEngine(t)
	s := newNode(t, e)
	secret, seen := s.make(t, "ada", "1")
	bucket, err := e.KeyValue(t.Context(), Bucket)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := bucket.Get(t.Context(), bucketKey("ada"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(entry.Value())
	for name, value := range map[string]string{
		"not JSON":      "x",
		"another name":  strings.Replace(good, `"ada"`, `"eve"`, 1),
		"no such role":  strings.Replace(good, `"viewer"`, `"root"`, 1),
		"no apps":       strings.Replace(good, `["1"]`, `[]`, 1),
		"a short hash":  strings.Replace(good, `"sha256":"`, `"sha256":"","x":"`, 1),
		"half a record": good[:len(good)/2],
	} {
		if value == good {
			t.Fatalf("%s changes nothing in %s", name, good)
		}
		if _, err := bucket.PutString(t.Context(), bucketKey("ada"), value); err != nil {
			t.Fatal(err)
		}
		<-seen.Life.Done()
		s.eventually(t, func() bool { return s.byName["ada"] == nil })
		if _, err := bucket.PutString(t.Context(), bucketKey("ada"), good); err != nil {
			t.Fatal(err)
		}
		s.eventually(t, func() bool { return s.byName["ada"] != nil })
		seen = s.find(t, secret)
	}
}

func TestLastUseIsKnownElsewhere(t *testing.T) {
	e := newEngine(t)
	a, b := newNode(t, e), newNode(t, e)
	a.make(t, "ada", "1") // which also finds it
	b.eventually(t, func() bool { return b.byName["ada"] != nil && !b.byName["ada"].written.IsZero() })
	list, err := b.List()
	if err != nil || len(list) != 1 || list[0].Used.IsZero() {
		t.Errorf("List = %+v, %v, want one that was used", list, err)
	}
}

// TestWithoutTheEngineNothingIsKnown, and that is said.
func TestWithoutTheEngineNothingIsKnown(t *testing.T) {
	s := Open(Config{Bucket: func(ctx context.Context) (jetstream.KeyValue, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}})
	if _, err := s.Find(access.TokenPrefix); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Find = %v, want ErrUnavailable", err)
	}
	if _, err := s.List(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("List = %v, want ErrUnavailable", err)
	}
	done := make(chan error)
	go func() { done <- s.Revoke(context.Background(), "ada") }()
	s.Close()
	if err := <-done; !errors.Is(err, ErrUnavailable) {
		t.Errorf("Revoke = %v, want ErrUnavailable", err)
	}
}
