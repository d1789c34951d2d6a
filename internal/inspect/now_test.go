package inspect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/internal/usage"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

func TestMinutesOfAllNodesAreAddedUp(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	minute := func(n int, events uint64) usage.Slot {
		return usage.Slot{At: noon.Add(time.Duration(n) * time.Minute), PeakConnections: 1, BackendEvents: events}
	}
	sum := minute(2, 30)
	sum.PeakConnections = 2
	got := mergeSlots([][]usage.Slot{{minute(2, 10)}, nil, {minute(1, 5), minute(2, 20)}, {}, {minute(3, 7)}})
	if want := []usage.Slot{minute(1, 5), sum, minute(3, 7)}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestUsesOfAKeyOnAllNodesAreAddedUp(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	v := keyView{Key: "k", Uses: []keyuse.Use{{Kind: keyuse.Request, By: "go", Last: noon, Hour: 1}, {Kind: keyuse.Connection, By: "js", Last: noon, Hour: 0}}}
	v.merge([]keyuse.Use{{Kind: keyuse.Request, By: "go", Last: noon.Add(time.Minute), Hour: 2}, {Kind: keyuse.Request, By: "php", Last: noon, Hour: 9}})
	v.complete()
	if v.Hour != 12 || !v.Last.Equal(noon.Add(time.Minute)) || len(v.Uses) != 3 || v.Uses[0].By != "php" || v.Uses[1].Hour != 3 {
		t.Errorf("merged: %+v", v)
	}
}

func TestDeliveriesOfAllNodesAreOneList(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	at := func(seconds int, id string) deliveryView {
		return deliveryView{ID: id, Began: noon.Add(time.Duration(seconds) * time.Second)}
	}
	a := deliveryPage{Deliveries: []deliveryView{at(9, "a-3"), at(5, "a-2")}, Next: "more"}
	b := deliveryPage{Deliveries: []deliveryView{at(7, "b-2"), at(5, "b-1")}}
	got := mergeDeliveries([]deliveryPage{a, b}, 2)
	if len(got.Deliveries) != 2 || got.Deliveries[0].ID != "a-3" || got.Deliveries[1].ID != "b-2" {
		t.Fatalf("merged: %+v", got)
	}
	place, err := readCursor(got.Next)
	if err != nil || place != (sent.Place{Began: noon.Add(7 * time.Second), ID: "b-2"}) {
		t.Errorf("the next page begins behind %+v, %v", place, err)
	}
	if last := mergeDeliveries([]deliveryPage{b, {}}, 2); last.Next != "" || len(last.Deliveries) != 2 {
		t.Errorf("the last page: %+v", last)
	}
}
