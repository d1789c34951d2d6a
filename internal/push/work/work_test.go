package work

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start opens a queue, and returns the items that it begins.
func start(t *testing.T, e *engine.Engine, size int64, room int) (*Queue, chan *Item) {
	t.Helper()
	items := make(chan *Item, 100)
	q, err := Open(t.Context(), Config{
		Engine: e, Name: "work", Subjects: "work.", Description: "a test", MaxBytes: size, Room: room,
		Begin: func(i *Item) { items <- i }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	q.Start()
	return q, items
}

func open(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

func TestItemIsBegunOnceAndComesLater(t *testing.T) {
	q, items := start(t, open(t), 1<<20, 10)
	defer q.Stop()
	for range 2 {
		if err := q.Put(t.Context(), "a", "1", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	first := <-items
	if string(first.Data) != "x" || first.Again || len(items) > 0 || q.Held() != 1 {
		t.Errorf("the first is %+v, and %d more", first, len(items))
	}
	first.Later(10 * time.Millisecond)
	second := <-items
	if !second.Again {
		t.Error("the second does not know that there was a first")
	}
	if err := second.Done(t.Context()); err != nil || q.Held() != 0 {
		t.Errorf("Done = %v, and %d are held", err, q.Held())
	}
}

func TestNoMoreThanThereIsRoomFor(t *testing.T) {
	q, items := start(t, open(t), 1<<20, 3)
	defer q.Stop()
	for i := range 10 {
		if err := q.Put(t.Context(), "a", fmt.Sprint(i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		one := <-items
		if q.Held() > 3 {
			t.Fatalf("%d are held", q.Held())
		}
		if err := one.Done(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullQueueIsRefused(t *testing.T) {
	q, _ := start(t, open(t), 1<<16, 1)
	defer q.Stop()
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = q.Put(t.Context(), "a", fmt.Sprint(i), []byte(strings.Repeat("x", 10_000)))
	}
	if !errors.Is(err, ErrFull) {
		t.Errorf("Put = %v, want ErrFull", err)
	}
}

// What a process had when it ended is begun by the next one.
func TestNextProcessGoesOn(t *testing.T) {
	e := open(t)
	q, items := start(t, e, 1<<20, 10)
	if err := q.Put(t.Context(), "a", "1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	<-items
	q.Stop() // without a word about the item
	next, items := start(t, e, 1<<20, 10)
	defer next.Stop()
	if one := <-items; !one.Again || string(one.Data) != "x" {
		t.Errorf("the next process has %+v", one)
	}
}
