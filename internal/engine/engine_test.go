package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func open(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestKeyValueSurvivesOnDiskOnly(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct {
		dir  string
		want error
	}{
		"on disk":   {dir, nil},
		"in memory": {"", jetstream.ErrKeyNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first := open(t, Config{DataDir: tt.dir})
			kv, err := first.KeyValue(t.Context(), "apps")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kv.PutString(t.Context(), "1", "shop"); err != nil {
				t.Fatal(err)
			}
			if err := first.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			kv, err = open(t, Config{DataDir: tt.dir}).KeyValue(t.Context(), "apps")
			if err != nil {
				t.Fatal(err)
			}
			entry, err := kv.Get(t.Context(), "1")
			if !errors.Is(err, tt.want) {
				t.Fatalf("Get after a restart = %v, want %v", err, tt.want)
			}
			if err == nil && string(entry.Value()) != "shop" {
				t.Errorf("Get after a restart = %q, want %q", entry.Value(), "shop")
			}
		})
	}
}

func TestDirectoryHasOneUser(t *testing.T) {
	dir := t.TempDir()
	first := open(t, Config{DataDir: dir})
	if second, err := Open(t.Context(), Config{DataDir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatalf("Open of a directory in use = %v, %v, want ErrInUse", second, err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	open(t, Config{DataDir: dir})
}

// TestCloseWaitsNoLongerThanItMay: what hangs, as a disk may, ends by itself,
// and keeps the data directory until it has.
func TestCloseWaitsNoLongerThanItMay(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(t.Context(), Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	hangs := make(chan struct{})
	e.loops.Go(func() { <-hangs })
	cause := errors.New("no more time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := e.Close(ctx); !errors.Is(err, cause) {
		t.Errorf("Close = %v, want %v", err, cause)
	}
	if again, err := Open(t.Context(), Config{DataDir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("Open while the last engine has not ended = %v, %v, want %v", again, err, ErrInUse)
	}
	close(hangs)
	untilSo(t, "the directory is free", func() bool {
		again, err := Open(t.Context(), Config{DataDir: dir})
		return err == nil && again.Close(t.Context()) == nil
	})
}
