package follow

import (
	"context"
	"log/slog"
	"maps"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A copied bucket is what a follower makes of one, told by its two functions alone.
type copied struct {
	values map[string]string
	told   chan map[string]string // after each call
}

func (c *copied) replace(found Contents[string]) {
	c.values = found.Values
	c.told <- maps.Clone(c.values)
}

func (c *copied) apply(changes []Update[string]) {
	for _, one := range changes {
		if one.Gone {
			delete(c.values, one.Key)
		} else {
			c.values[one.Key] = one.Value
		}
	}
	c.told <- maps.Clone(c.values)
}

// until waits until the copy is as it should be.
func (c *copied) until(t *testing.T, want map[string]string) {
	t.Helper()
	for {
		select {
		case have := <-c.told:
			if maps.Equal(have, want) {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("the copy never became %v", want)
		}
	}
}

func TestFollowerSeesEverythingThenEachChange(t *testing.T) {
	bucket, err := natstest.JetStream(t).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "test"})
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) {
		t.Helper()
		if _, err := bucket.PutString(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "1")
	put("gone", "1")
	put("hidden", "1")
	if err := bucket.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}

	c := &copied{told: make(chan map[string]string, 100)}
	f := New(Follower[string]{
		Of:   "tests",
		Open: func(context.Context) (jetstream.KeyValue, error) { return bucket, nil },
		Read: func(e jetstream.KeyValueEntry) Update[string] {
			switch {
			case e.Key() == "hidden":
				return Update[string]{}
			case e.Operation() != jetstream.KeyValuePut:
				return Update[string]{Key: e.Key(), Gone: true}
			}
			return Update[string]{Key: e.Key(), Value: string(e.Value())}
		},
		Lost:    func(context.Context, jetstream.KeyValue) error { t.Error("the bucket was not lost"); return nil },
		Replace: c.replace, Apply: c.apply, Log: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx, nil) }()
	defer func() { stop(); <-done }()

	c.until(t, map[string]string{"a": "1"})
	put("b", "2")
	put("hidden", "2")
	c.until(t, map[string]string{"a": "1", "b": "2"})
	if err := bucket.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	c.until(t, map[string]string{"b": "2"})
	f.Reload()
	put("c", "3")
	c.until(t, map[string]string{"b": "2", "c": "3"})
}

func TestFollowerTellsThatTheBucketIsAnother(t *testing.T) {
	js := natstest.JetStream(t)
	config := jetstream.KeyValueConfig{Bucket: "test"}
	open := func(ctx context.Context) (jetstream.KeyValue, error) { return js.CreateOrUpdateKeyValue(ctx, config) }
	c := &copied{told: make(chan map[string]string, 100)}
	f := New(Follower[string]{
		Of: "tests", Open: open,
		Read: func(e jetstream.KeyValueEntry) Update[string] {
			return Update[string]{Key: e.Key(), Value: string(e.Value())}
		},
		Lost: func(ctx context.Context, bucket jetstream.KeyValue) error {
			_, err := bucket.PutString(ctx, "again", "written before it is read")
			return err
		},
		Replace: c.replace, Apply: c.apply, Log: slog.New(slog.DiscardHandler),
	})
	bucket, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.PutString(t.Context(), "a", "1"); err != nil {
		t.Fatal(err)
	}
	load := func() {
		t.Helper()
		w, err := f.Load(t.Context(), t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	load()
	c.until(t, map[string]string{"a": "1"})
	if err := js.DeleteKeyValue(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	load()
	c.until(t, map[string]string{"again": "written before it is read"})
}
