package ticket

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newBucket returns an empty bucket.
func newBucket(t *testing.T) jetstream.KeyValue {
	t.Helper()
	o := natstest.InProcess()
	o.JetStream, o.StoreDir = true, t.TempDir()
	conn, err := nats.Connect("", nats.InProcessServer(natstest.Start(t, o)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.CreateKeyValue(t.Context(), BucketConfig())
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

func newKeys(bucket jetstream.KeyValue) *Keys {
	k := New(slog.New(slog.DiscardHandler))
	k.bucket = bucket
	return k
}

func (k *Keys) mustRead(t *testing.T, at time.Time) [][32]byte {
	t.Helper()
	keys, err := k.read(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// All nodes make tickets with the same key, another one after a while, and read
// those of the keys before until these are old.
func TestRotation(t *testing.T) {
	bucket := newBucket(t)
	a, b := newKeys(bucket), newKeys(bucket)
	begin := time.Unix(0, 0).Add(20_000 * Rotation)
	var all [][32]byte // the newest first
	for period := range 5 {
		at := begin.Add(time.Duration(period) * Rotation)
		first, second := a, b
		if period%2 == 1 {
			first, second = b, a
		}
		keys := first.mustRead(t, at)
		if len(all) > 0 && keys[0] == all[0] {
			t.Errorf("in period %d tickets are made with the key of the one before", period)
		}
		all = slices.Insert(all, 0, keys[0])
		want := all[:min(len(all), former+1)]
		if got := second.mustRead(t, at.Add(Rotation-1)); !slices.Equal(got, want) || !slices.Equal(keys, want) {
			t.Errorf("in period %d one node has %d keys and the other one %d, want the last %d of all", period, len(keys), len(got), len(want))
		}
	}
}

// What is in the bucket and is no key is not used, and what was lost is made
// anew.
func TestBadAndLostKeys(t *testing.T) {
	bucket := newBucket(t)
	k, now := newKeys(bucket), time.Now()
	old := k.mustRead(t, now)
	key := name(now.UnixNano() / int64(Rotation))
	if _, err := bucket.Put(t.Context(), key, bytes.Repeat([]byte{1}, 31)); err != nil {
		t.Fatal(err)
	}
	if keys, err := k.read(t.Context(), now); err == nil {
		t.Errorf("read with a key of 31 bytes = %d keys, want an error", len(keys))
	}
	if err := bucket.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if keys := k.mustRead(t, now); keys[0] == old[0] {
		t.Error("a key that was lost is used again")
	}
}

// Close ends what Follow has begun, also while the engine does not answer, and
// may be called where nothing was begun.
func TestClose(t *testing.T) {
	newKeys(nil).Close()
	k := newKeys(nil)
	k.Follow(silent{asked: make(chan struct{}, 1)})
	<-k.bucket.(silent).asked
	k.Close()
}

// A silent bucket does not answer.
type silent struct {
	jetstream.KeyValue
	asked chan struct{}
}

func (s silent) Get(ctx context.Context, _ string) (jetstream.KeyValueEntry, error) {
	s.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}
