package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// Run holds a store to its contract. Open returns an empty one, with claims.
func Run(t *testing.T, open func(t *testing.T) *queue.Store) {
	for name, test := range map[string]func(*testing.T, *queue.Store){
		"RecordsStayInOrder": testOrder, "StoredOnce": testOnce, "RemovedInAnyOrder": testRemove,
		"NumbersOfALostStreamDoNothing": testLostNumbers, "OneOfTwoClaims": testClaims, "DeadLettersAreListed": testDeadLetters,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var (
	one = queue.Address{App: "1", Endpoint: "one.of"}
	two = queue.Address{App: "1", Endpoint: "*"}
)

func record(id string) *queue.Record {
	e := queue.Event{ID: queue.EventID{Origin: id, Number: 7}, Type: apps.CacheMiss, At: time.Now(), Channel: "cache-a", Body: []byte(`{"name":"cache_miss"}`)}
	return &queue.Record{ID: id, Events: []queue.Event{e}, Bytes: e.Size()}
}

// publish stores a record, and returns its number.
func publish(t *testing.T, s *queue.Store, of queue.Owner, to queue.Address, id string) queue.Number {
	t.Helper()
	ack, err := s.Queue.Publish(of, to, record(id))
	if err != nil {
		t.Fatal(err)
	}
	at, err := ack.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// read returns the records of an address, by their ids.
func read(t *testing.T, s *queue.Store, of queue.Owner, to queue.Address) (ids []string) {
	t.Helper()
	var from queue.Number
	for {
		at, r, err := s.Queue.Next(t.Context(), of, to, from)
		if errors.Is(err, queue.ErrEmpty) {
			return ids
		}
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.Events[0].ID.Origin)
		from = queue.Number{Stream: at.Stream, Seq: at.Seq + 1}
	}
}

func testOrder(t *testing.T, s *queue.Store) {
	for i := range 4 {
		publish(t, s, "a", one, fmt.Sprint("a", i))
		publish(t, s, "a", two, fmt.Sprint("t", i))
		publish(t, s, "b", one, fmt.Sprint("b", i))
	}
	if got, want := read(t, s, "a", one), []string{"a0", "a1", "a2", "a3"}; !slices.Equal(got, want) {
		t.Errorf("records of an address = %q, want %q", got, want)
	}
	var scanned []string
	if err := s.Queue.Scan(t.Context(), "a", func(to queue.Address, r *queue.Record) { scanned = append(scanned, to.Endpoint) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"one.of", "*", "one.of", "*", "one.of", "*", "one.of", "*"}; !slices.Equal(scanned, want) {
		t.Errorf("Scan told of %q, want %q", scanned, want)
	}
	b, err := s.Queue.Backlog(t.Context(), "a")
	if err != nil || b.Owner != "a" || len(b.Endpoints) != 2 || b.Endpoints[two].Records != 4 || b.Endpoints[two].Bytes < 100 {
		t.Errorf("Backlog = %+v, %v, want four records of two endpoints", b, err)
	}
	owners, err := s.Queue.Owners(t.Context())
	if slices.Sort(owners); err != nil || !slices.Equal(owners, []queue.Owner{"a", "b"}) {
		t.Errorf("Owners = %q, %v, want a and b", owners, err)
	}
}

func testOnce(t *testing.T, s *queue.Store) {
	first, again := publish(t, s, "a", one, "x"), publish(t, s, "a", one, "x")
	if first != again {
		t.Errorf("a record has the numbers %v and %v, want one", first, again)
	}
	if got := read(t, s, "a", one); len(got) != 1 {
		t.Errorf("%q are stored, want it once", got)
	}
}

func testRemove(t *testing.T, s *queue.Store) {
	var at []queue.Number
	for i := range 5 {
		at = append(at, publish(t, s, "a", one, fmt.Sprint(i)))
		publish(t, s, "a", two, fmt.Sprint("other", i))
		publish(t, s, "b", one, fmt.Sprint("foreign", i))
	}
	for range 2 { // that there is none is no error
		if err := s.Queue.Remove(t.Context(), at[3]); err != nil {
			t.Errorf("Remove = %v", err)
		}
		if err := s.Queue.RemoveThrough(t.Context(), "a", one, at[1]); err != nil {
			t.Errorf("RemoveThrough = %v", err)
		}
	}
	if got := read(t, s, "a", one); !slices.Equal(got, []string{"2", "4"}) {
		t.Errorf("%q are left, want 2 and 4", got)
	}
	if n := len(read(t, s, "a", two)) + len(read(t, s, "b", one)); n != 10 {
		t.Errorf("%d records of others are left, want 10", n)
	}
}

func testLostNumbers(t *testing.T, s *queue.Store) {
	at := publish(t, s, "a", one, "x")
	lost := queue.Number{Stream: at.Stream - 1, Seq: at.Seq + 1}
	if err := errors.Join(s.Queue.Remove(t.Context(), queue.Number{Stream: lost.Stream, Seq: at.Seq}), s.Queue.RemoveThrough(t.Context(), "a", one, lost)); err != nil {
		t.Error(err)
	}
	if _, r, err := s.Queue.Next(t.Context(), "a", one, lost); err != nil || r == nil {
		t.Errorf("Next after a number of a lost stream = %v, %v, want the first of this one", r, err)
	}
}

func testClaims(t *testing.T, s *queue.Store) {
	for _, dead := range []queue.Owner{"%", "gone.%2e"} {
		if err := s.Claims.Claim(t.Context(), dead, "a", 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Claims.Claim(t.Context(), dead, "b", 0); !errors.Is(err, queue.ErrTaken) {
			t.Errorf("a second claim = %v, want %v", err, queue.ErrTaken)
		}
		all, err := s.Claims.All(t.Context())
		if err != nil || all[dead].By != "a" {
			t.Fatalf("claims are %v, %v, want a of %s", all, err, dead)
		}
		if err := s.Claims.Claim(t.Context(), dead, "b", all[dead].Revision); err != nil {
			t.Errorf("a claim after the first = %v", err)
		}
		if err := s.Claims.Forget(t.Context(), dead, all[dead]); err != nil {
			t.Error(err)
		}
		if all, err = s.Claims.All(t.Context()); err != nil || all[dead].By != "b" {
			t.Errorf("after an old claim was forgotten they are %v, %v, want b of %s", all, err, dead)
		}
		if err := s.Claims.Forget(t.Context(), dead, all[dead]); err != nil {
			t.Error(err)
		}
		if all, err = s.Claims.All(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("in the end they are %v, %v, want none", all, err)
		}
		if err := s.Claims.Claim(t.Context(), dead, "c", 0); err != nil {
			t.Errorf("a claim of a queue that was forgotten = %v", err)
		}
		if all, err = s.Claims.All(t.Context()); err != nil || s.Claims.Forget(t.Context(), dead, all[dead]) != nil {
			t.Error(err)
		}
	}
}

func testDeadLetters(t *testing.T, s *queue.Store) {
	put := func(to queue.Address, id string) {
		t.Helper()
		d := &queue.DeadLetter{To: to, Reason: queue.Down, Attempts: 3, At: 9, Events: record(id).Events}
		if err := s.DeadLetters.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	put(one, "1")
	put(one, "1") // once
	put(two, "2")
	put(one, "3")
	list := func(of queue.Address, after uint64) (found []*queue.DeadLetter) {
		t.Helper()
		if err := s.DeadLetters.List(t.Context(), of, after, func(d *queue.DeadLetter) bool { found = append(found, d); return len(found) < 2 }); err != nil {
			t.Fatal(err)
		}
		return found
	}
	all := list(queue.Address{}, 0)
	if len(all) != 2 || all[0].Events[0].ID.Origin != "1" || all[1].Events[0].ID.Origin != "2" {
		t.Fatalf("the first two are %v", all)
	}
	if rest := list(one, all[0].Seq); len(rest) != 1 || rest[0].Events[0].ID.Origin != "3" || rest[0].Reason != queue.Down || rest[0].Attempts != 3 {
		t.Errorf("the rest of an endpoint is %v", rest)
	}
	other := *all[0]
	other.Seq = all[1].Seq
	if err := s.DeadLetters.Remove(t.Context(), &other); err != nil {
		t.Error(err)
	}
	if _, err := s.DeadLetters.Get(t.Context(), all[1].Seq); err != nil {
		t.Errorf("what has another one's number was removed: %v", err)
	}
	if err := s.DeadLetters.Remove(t.Context(), all[0]); err != nil {
		t.Error(err)
	}
	if _, err := s.DeadLetters.Get(t.Context(), all[0].Seq); !errors.Is(err, queue.ErrEmpty) {
		t.Errorf("what was removed = %v, want %v", err, queue.ErrEmpty)
	}
}
