package sent

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

var shop = queue.Address{App: "1", Endpoint: "main"}

// begin notes a request with one event on a channel.
func begin(l *Log, to queue.Address, channel string) *Entry {
	body := fmt.Sprintf(`{"name":"channel_occupied","channel":%q}`, channel)
	e := queue.Event{ID: queue.EventID{Origin: "x", Number: 1}, Type: apps.ChannelOccupied, Channel: channel, Body: []byte(body)}
	return l.Begin(to, "http://a/", fmt.Appendf(nil, `{"time_ms":1,"events":[%s]}`, body), []*queue.Event{&e})
}

func TestTheLastRequestsToAnEndpointAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // many begin in the same moment
		l := New()
		other := begin(l, queue.Address{App: "2", Endpoint: "main"}, "other")
		for i := range MaxEntries + 10 {
			begin(l, shop, fmt.Sprint("news-", i))
		}
		var seen []string
		f := Filter{App: "1"}
		for more := true; more; {
			var page []Request
			if page, more = l.List(f, 300); len(page) == 0 {
				break
			}
			for _, r := range page {
				seen = append(seen, r.Events[0].Channel)
			}
			f.Before = page[len(page)-1].Place()
		}
		if len(seen) != MaxEntries || seen[0] != fmt.Sprint("news-", MaxEntries+9) || seen[MaxEntries-1] != "news-10" {
			t.Errorf("%d requests are listed from %s to %s", len(seen), seen[0], seen[len(seen)-1])
		}
		if e, _ := l.Get(other.ID); e == nil {
			t.Error("the request of another app was forgotten")
		}
	})
}

func TestOldestRequestsMakeRoomForMemory(t *testing.T) {
	l := New()
	big := bytes.Repeat([]byte("x"), 64<<10)
	first := l.Begin(shop, "", big, nil)
	id := first.ID
	for range 2 * MaxBytes / len(big) {
		e := l.Begin(shop, "", big, nil)
		for range 3 * MaxAttempts {
			e.Tried([]Field{{Name: "A", Value: "b"}}, Try{Answer: big[:MaxAnswer]})
		}
	}
	first.Tried(nil, Try{}) // of what is forgotten changes nothing
	if l.bytes > MaxBytes {
		t.Errorf("%d bytes are remembered, want %d at most", l.bytes, MaxBytes)
	}
	if e, _ := l.Get(id); e != nil {
		t.Error("the oldest is remembered")
	}
	list, _ := l.List(Filter{}, 1000)
	cost := 0
	for at := l.all.Front(); at != nil; at = at.Next() {
		cost += at.Value.(*Entry).cost
	}
	if n := list[0].Attempts; n != 3*MaxAttempts || len(list[0].Tries) != MaxAttempts || list[0].Tries[0].Number != 2*MaxAttempts+1 {
		t.Errorf("of %d attempts %d are told, from %d on", n, len(list[0].Tries), list[0].Tries[0].Number)
	}
	for len(l.byID) > 0 {
		l.forgetLocked(l.all.Back().Value.(*Entry))
	}
	if cost == 0 || l.bytes != 0 || len(l.lists) != 0 {
		t.Errorf("after all is forgotten %d bytes and %d lists are left", l.bytes, len(l.lists))
	}
}

func TestRequestIsMadeAgainWithItsEvents(t *testing.T) {
	l := New()
	bodies := []string{`{"name":"a","channel":"],\"events\":["}`, `{"name":"b"}`, `{"name":"c","x":"]}"}`}
	var events []*queue.Event
	for i, b := range bodies {
		events = append(events, &queue.Event{ID: queue.EventID{Origin: "x", Number: uint64(i)}, Type: apps.CacheMiss, Body: []byte(b)})
	}
	e := l.Begin(shop, "", []byte(`{"time_ms":1700000000000,"events":[`+strings.Join(bodies, ",")+`]}`), events)
	_, r := l.Get(e.ID)
	want := `{"time_ms":5000,"events":[` + strings.Join(bodies, ",") + `]}`
	if got := string(r.Again(time.Unix(5, 0))); got != want {
		t.Errorf("again: %s, want %s", got, want)
	}
	if r.Events[2].ID != "x-2" || r.Events[2].Name != "cache_miss" {
		t.Errorf("the last event is %+v", r.Events[2])
	}
}

func TestRequestsAreFiltered(t *testing.T) {
	l := New()
	begin(l, shop, "news").Ended(Delivered)
	begin(l, shop, "private-orders")
	begin(l, queue.Address{App: "1", Endpoint: "audit"}, "news")
	begin(l, queue.Address{App: "2", Endpoint: "main"}, "news")
	for name, c := range map[string]struct {
		filter Filter
		want   int
	}{
		"app":               {Filter{App: "1"}, 3},
		"endpoint":          {Filter{App: "1", Endpoint: "main"}, 2},
		"unknown endpoint":  {Filter{App: "1", Endpoint: "none"}, 0},
		"state":             {Filter{App: "1", State: Delivered}, 1},
		"event":             {Filter{App: "1", Event: "channel_occupied"}, 3},
		"other event":       {Filter{App: "1", Event: "member_added"}, 0},
		"channel":           {Filter{App: "1", Channel: "news"}, 2},
		"event and channel": {Filter{App: "1", Channel: "news", Event: "channel_occupied", State: Waiting}, 1},
		"of all apps":       {Filter{}, 4},
	} {
		if list, more := l.List(c.filter, 10); len(list) != c.want || more {
			t.Errorf("%s: %d requests, more %v, want %d", name, len(list), more, c.want)
		}
	}
	if list, more := l.List(Filter{}, 3); len(list) != 3 || !more {
		t.Errorf("%d of 4 requests, more %v", len(list), more)
	}
}
