package idempotency

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newBucket makes the bucket on a server of its own.
func newBucket(t *testing.T, change func(*jetstream.KeyValueConfig)) jetstream.KeyValue {
	t.Helper()
	cfg := BucketConfig(jetstream.MemoryStorage)
	if change != nil {
		change(&cfg)
	}
	bucket, err := natstest.JetStream(t).CreateKeyValue(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

// newStore returns the store of one more node.
func newStore(t *testing.T, cfg Config) *Store {
	t.Helper()
	s := New(cfg)
	t.Cleanup(s.Close)
	return s
}

var (
	one = DigestOf([]byte("one"))
	two = DigestOf([]byte("two"))
)

// mustClaim claims a key that is free.
func mustClaim(t *testing.T, s *Store, app, key string, request Digest) *Claim {
	t.Helper()
	c, answer, err := s.Claim(t.Context(), app, key, request)
	if c == nil || err != nil {
		t.Fatalf("Claim(%s, %s) = %v, %q, %v, want a claim", app, key, c, answer, err)
	}
	return c
}

// checkAnswered checks that a request is a repeat, and how the first was answered.
func checkAnswered(t *testing.T, s *Store, app, key string, request Digest, want string) {
	t.Helper()
	c, answer, err := s.Claim(t.Context(), app, key, request)
	if c != nil || err != nil || string(answer) != want {
		t.Errorf("Claim(%s, %s) = %v, %q, %v, want the answer %q", app, key, c, answer, err, want)
	}
}

// checkRefused checks that a request may not be carried out, and why.
func checkRefused(t *testing.T, s *Store, app, key string, request Digest, want error) {
	t.Helper()
	if c, answer, err := s.Claim(t.Context(), app, key, request); !errors.Is(err, want) {
		t.Errorf("Claim(%s, %s) = %v, %q, %v, want %v", app, key, c, answer, err, want)
	}
}

func TestRepeatGetsTheAnswerOfTheFirst(t *testing.T) {
	bucket := newBucket(t, nil)
	s, other := newStore(t, Config{Bucket: bucket}), newStore(t, Config{Bucket: bucket})
	mustClaim(t, s, "1", "key", one).Done([]byte(`{"status":200}`))
	checkAnswered(t, s, "1", "key", one, `{"status":200}`)
	checkAnswered(t, other, "1", "key", one, `{"status":200}`)
	checkRefused(t, other, "1", "key", two, ErrOtherRequest)
	mustClaim(t, other, "2", "key", two).Done([]byte(`{}`)) // keys of another app are others
	mustClaim(t, other, "1", "Key", two).Done([]byte(`{}`))
}

// Of many requests at once, on two nodes, one is carried out; the others wait for its
// answer.
func TestOneOfManyIsCarriedOut(t *testing.T) {
	bucket := newBucket(t, nil)
	stores := []*Store{newStore(t, Config{Bucket: bucket}), newStore(t, Config{Bucket: bucket})}
	var carriedOut atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			c, answer, err := stores[i%2].Claim(t.Context(), "1", "key", one)
			switch {
			case err != nil:
				t.Errorf("request %d: %v", i, err)
			case c != nil:
				carriedOut.Add(1)
				c.Done([]byte(`{"by":1}`))
			case string(answer) != `{"by":1}`:
				t.Errorf("request %d: answer = %q", i, answer)
			}
		})
	}
	all.Wait()
	if n := carriedOut.Load(); n != 1 {
		t.Errorf("%d requests were carried out, want 1", n)
	}
}

func TestReleasedKeyIsFree(t *testing.T) {
	bucket := newBucket(t, nil)
	s, other := newStore(t, Config{Bucket: bucket}), newStore(t, Config{Bucket: bucket})
	mustClaim(t, s, "1", "key", one).Release()
	mustClaim(t, other, "1", "key", one).Release() // waits until it is
	mustClaim(t, s, "1", "key", one).Done([]byte(`{}`))
	checkAnswered(t, other, "1", "key", one, `{}`)
}

// Whoever has the key ends without a word: repeats never do anything, and are told why.
func TestKeyOfAnEndedNodeIsNotFree(t *testing.T) {
	bucket := newBucket(t, nil)
	s := newStore(t, Config{Bucket: bucket})
	mustClaim(t, s, "1", "key", one)
	patient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := s.Claim(patient, "1", "key", one); !errors.Is(err, ErrInProgress) {
		t.Errorf("Claim while another request has the key: %v, want ErrInProgress", err)
	}
	checkRefused(t, s, "1", "key", two, ErrOtherRequest)
	old := claimedBefore{bucket, unfinished + time.Second}
	checkRefused(t, newStore(t, Config{Bucket: old}), "1", "key", one, ErrUnfinished)
}

// claimedBefore is a bucket whose entries are older than they are.
type claimedBefore struct {
	jetstream.KeyValue
	age time.Duration
}

type olderEntry struct {
	jetstream.KeyValueEntry
	age time.Duration
}

func (b claimedBefore) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	e, err := b.KeyValue.Get(ctx, key)
	return olderEntry{e, b.age}, err
}

func (e olderEntry) Created() time.Time { return e.KeyValueEntry.Created().Add(-e.age) }

// silentBucket loses answers: writes are done, now or later, and nobody hears of it.
type silentBucket struct {
	jetstream.KeyValue
	lose  atomic.Bool
	delay atomic.Bool // writes are done when later is called
	later []func()
}

var errSilence = errors.New("no answer")

func (b *silentBucket) Create(ctx context.Context, key string, value []byte, opts ...jetstream.KVCreateOpt) (uint64, error) {
	if !b.lose.Load() {
		return b.KeyValue.Create(ctx, key, value, opts...)
	}
	write := func() { b.KeyValue.Create(context.WithoutCancel(ctx), key, value, opts...) }
	if b.delay.Load() {
		b.later = append(b.later, write)
	} else {
		write()
	}
	return 0, errSilence
}

// A claim that may have been written is refused, and its key is free again, also if the
// write is done only afterwards.
func TestUnansweredClaimDoesNotKeepTheKey(t *testing.T) {
	for name, delay := range map[string]bool{"written": false, "written later": true} {
		t.Run(name, func(t *testing.T) {
			b := &silentBucket{KeyValue: newBucket(t, nil)}
			s := newStore(t, Config{Bucket: b})
			b.lose.Store(true)
			b.delay.Store(delay)
			checkRefused(t, s, "1", "key", one, ErrUnavailable)
			b.lose.Store(false)
			if delay {
				awaitFree(t, b.KeyValue, "1", "key")
			}
			for _, write := range b.later {
				write()
			}
			mustClaim(t, s, "1", "key", one).Done([]byte(`{}`))
			checkAnswered(t, s, "1", "key", one, `{}`)
		})
	}
}

// awaitFree waits until the bucket says that a key is free.
func awaitFree(t *testing.T, bucket jetstream.KeyValue, app, key string) {
	t.Helper()
	w, err := bucket.Watch(t.Context(), subject(app, key))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for e := range w.Updates() {
		if e == nil {
			continue
		}
		if r, err := decode(e.Value()); err == nil && r.free() {
			return
		}
	}
	t.Fatal("the watch has ended")
}

func TestNothingIsClaimedWithoutTheEngine(t *testing.T) {
	bucket := newBucket(t, nil)
	var without error
	s := newStore(t, Config{Bucket: bucket, Writable: func() error { return without }})
	c := mustClaim(t, s, "1", "done", one)
	c.Done([]byte(`{}`))
	without = errors.New("no quorum")
	checkRefused(t, s, "1", "key", one, ErrUnavailable)
	checkRefused(t, s, "1", "done", one, ErrUnavailable)
	without = nil
	mustClaim(t, s, "1", "key", one).Done([]byte(`{}`))
}

// An app can fill its share of the room, and all together the room. Keys that are known
// are known all the same.
func TestRoomIsBounded(t *testing.T) {
	t.Run("share", func(t *testing.T) {
		s := newStore(t, Config{Bucket: newBucket(t, nil), Share: 10 * recordCost})
		for i := range 10 {
			mustClaim(t, s, "1", fmt.Sprint(i), one).Done(nil)
		}
		checkRefused(t, s, "1", "one more", one, ErrFull)
		mustClaim(t, s, "2", "of another app", one).Done([]byte(`{}`))
		checkAnswered(t, s, "2", "of another app", one, `{}`)
	})
	t.Run("all", func(t *testing.T) {
		s := newStore(t, Config{Bucket: newBucket(t, func(cfg *jetstream.KeyValueConfig) { cfg.MaxBytes = 4096 })})
		mustClaim(t, s, "1", "known", one).Done([]byte(`{}`))
		var err error
		for i := 0; err == nil && i < 100; i++ {
			_, _, err = s.Claim(t.Context(), "1", fmt.Sprint(i), one)
		}
		if !errors.Is(err, ErrFull) {
			t.Errorf("err = %v, want ErrFull", err)
		}
		checkAnswered(t, s, "1", "known", one, `{}`)
	})
}

// A record takes no more than it is counted with.
func TestRecordCostsWhatItSays(t *testing.T) {
	bucket := newBucket(t, nil)
	s := newStore(t, Config{Bucket: bucket})
	const n = 100
	for i := range n {
		mustClaim(t, s, "1", fmt.Sprint(i), one).Done([]byte(`{"status":200,"event_id":"K2R5V7B3X4ZQ6PLM-123456","receivers":"here=12, elsewhere=345"}`))
	}
	status, err := bucket.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := status.Bytes() / n; got > recordCost {
		t.Errorf("a record takes %d bytes, want at most %d", got, recordCost)
	}
}

func TestSharesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shares{limit: 2 * recordCost}
		for minute := range 40 {
			now := time.Now()
			if want := minute%11 > 1; s.full("1", now) != want {
				t.Errorf("minute %d: full = %v, want %v", minute, !want, want)
			}
			if !s.full("1", now) {
				s.add("1", recordCost, now)
			}
			time.Sleep(Kept / (windowSlots - 1))
		}
		time.Sleep(time.Hour)
		if s.full("2", time.Now()); len(s.byApp) > 0 {
			t.Errorf("%d apps are remembered that have no keys", len(s.byApp))
		}
	})
}
