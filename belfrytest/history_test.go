package belfrytest_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/belfrytest"
)

// A backend reads the history of channels, in pages.
func TestHistoryOfAChannel(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{History: true})
	b := s.Backend(t)
	began := time.Now().Add(-time.Second)
	for _, channel := range []string{"news", "private-encrypted-news"} {
		var want []string
		for i := range 5 {
			want = append(want, fmt.Sprint(i))
			trigger(t, b, channel, "e", want[i])
		}
		for _, q := range []backend.HistoryQuery{{Limit: 2}, {Limit: 2, Backwards: true}, {}} {
			var got []string
			for e, err := range b.AllHistory(t.Context(), channel, q) {
				if err != nil || e.Name != "e" || e.Position == "" || e.Time.Before(began) || e.Time.After(time.Now().Add(time.Second)) {
					t.Fatalf("%s, %+v: event %+v, %v", channel, q, e, err)
				}
				got = append(got, e.Data)
			}
			if q.Backwards {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %+v: events %q, want %q", channel, q, got, want)
			}
		}
	}

	c := s.Client(t, "ann")
	room := subscribe(t, c, "presence-room")
	belfrytest.Connect(t, c)
	belfrytest.AwaitSubscribed(t, room)
	if err := room.Trigger(t.Context(), "client-typing", "yes"); err != nil {
		t.Fatal(err)
	}
	for page := new(backend.HistoryPage); len(page.Events) == 0; {
		var err error
		if page, err = b.History(t.Context(), "presence-room", backend.HistoryQuery{}); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.UserID != "ann" || e.Data != "yes" {
				t.Errorf("an event of a client is %+v", e)
			}
		}
	}

	page, err := b.History(t.Context(), "news", backend.HistoryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	trigger(t, b, "news", "e", "next")
	if page, err = b.History(t.Context(), "news", backend.HistoryQuery{After: page.Position}); err != nil || len(page.Events) != 1 || page.Events[0].Data != "next" {
		t.Errorf("behind the last page there is %+v, %v", page, err)
	}
	trigger(t, b, "full", "e", "first")
	if page, err = b.History(t.Context(), "full", backend.HistoryQuery{Backwards: true}); err != nil {
		t.Fatal(err)
	}
	batch := make([]backend.Event, 10)
	for i := range batch {
		batch[i] = backend.Event{Channel: "full", Name: "e", Data: "x"}
	}
	for range 100 { // as many as are kept
		if _, err := b.TriggerBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.History(t.Context(), "full", backend.HistoryQuery{After: page.Position}); !errors.Is(err, backend.ErrPositionGone) {
		t.Errorf("behind an event that is not kept any more: %v, want ErrPositionGone", err)
	}
	if _, err := b.History(t.Context(), "news", backend.HistoryQuery{After: "NOBODY-000000000001"}); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("behind an unknown position: %v, want ErrNotFound", err)
	}
}

func TestNoHistory(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	if _, err := s.Backend(t).History(t.Context(), "news", backend.HistoryQuery{}); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("History without a history: %v, want ErrNotFound", err)
	}
}
