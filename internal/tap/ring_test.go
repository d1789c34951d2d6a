package tap

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/trace"
)

func filter(t testing.TB, query string) *Filter {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseFilter(q)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newWatcher(t testing.TB, r *ring, query string) *watcher {
	t.Helper()
	w := &watcher{filter: filter(t, query), wake: make(chan struct{}, 1)}
	if !r.add(w) {
		t.Fatal("there is no place for a watcher")
	}
	return w
}

func always() bool { return true }

func event(channel string) trace.Record {
	f := frame.Text(func(b []byte) []byte { return append(b, `{"event":"e","channel":"c","data":"d"}`...) })
	return trace.Record{Kind: trace.APIMessage, Channel: channel, Event: "e", Frame: f}
}

// TestMissedAndReadAddUp: whatever the reader's pace, what it reads and what it
// is told that it missed is what its filter lets through.
func TestMissedAndReadAddUp(t *testing.T) {
	r := new(ring)
	all, some, never := newWatcher(t, r, ""), newWatcher(t, r, "channel=a*"), newWatcher(t, r, "type=api_message")
	read := map[*watcher]uint64{}
	look := func(w *watcher, most int) {
		got, missed, _ := w.take(r, most, always)
		read[w] += uint64(len(got)) + missed
		for _, s := range got {
			if !w.filter.match(&s.record) {
				t.Errorf("%v got a record of %s", w.filter.Query(), s.record.Channel)
			}
		}
	}
	matching := uint64(0)
	const records = 3*ringSize + 100
	for i := range records {
		channel := "a"
		if i%3 == 0 {
			channel = "b"
		} else {
			matching++
		}
		r.Trace(event(channel))
		if i%7 == 0 {
			look(all, 5)
		}
		if i%5000 == 0 {
			look(some, ringSize)
		}
	}
	look(all, ringSize)
	look(some, ringSize)
	look(never, ringSize)
	for w, want := range map[*watcher]uint64{all: records, some: matching, never: records} {
		if read[w] != want {
			t.Errorf("filter %q: %d read and missed, want %d", w.filter.Query().Encode(), read[w], want)
		}
	}
}

func TestOldFramesGoFirst(t *testing.T) {
	r := new(ring)
	w := newWatcher(t, r, "")
	big := frame.Text(func(b []byte) []byte { return append(b, make([]byte, ringPayload/4)...) })
	for range 8 {
		rec := event("c")
		rec.Frame = big
		r.Trace(rec)
	}
	got, _, _ := w.take(r, 100, always)
	for i, s := range got {
		if gone := s.record.Frame == nil; gone != (i < 5) || gone != s.faded {
			t.Errorf("frame %d of 8: gone %t, said so %t", i, gone, s.faded)
		}
	}
	if r.payload > ringPayload {
		t.Errorf("%d bytes of frames are kept, want %d at most", r.payload, ringPayload)
	}
}

func TestNineDoNotWatchOneApp(t *testing.T) {
	r := new(ring)
	var first *watcher
	for range maxWatchers {
		first = newWatcher(t, r, "")
	}
	late := &watcher{filter: filter(t, "")}
	if r.add(late) {
		t.Error("there was a place for a ninth watcher")
	}
	r.Trace(event("c"))
	r.remove(first)
	if !r.add(late) {
		t.Error("there is no place although one has gone")
	}
	if got, missed, _ := late.take(r, 10, always); len(got) != 0 || missed != 0 {
		t.Errorf("who came later reads %d and misses %d of what was before", len(got), missed)
	}
}

func TestFiltersLetThroughWhatTheySay(t *testing.T) {
	records := []trace.Record{
		{Kind: trace.APIMessage, Channel: "news", Event: "hello"},
		{Kind: trace.APIMessage, Channel: "newsletter", Event: "hello"},
		{Kind: trace.APIMessage, Channel: "#server-to-user-ann", Event: "hello"},
		{Kind: trace.SignedIn, User: "ann"},
		{Kind: trace.Arrived, Channel: "news"},
		{Kind: trace.CacheMiss, Channel: "cache-x"},
	}
	for query, want := range map[string]string{
		"":                                     "[0 1 2 3 5]",
		"type=api_message":                     "[0 1 2]",
		"type=signed_in,cache_miss":            "[3 5]",
		"type=signed_in&type=cache_miss":       "[3 5]",
		"channel=news":                         "[0]",
		"channel=news*":                        "[0 1]",
		"channel=news&channel=cache-x":         "[0 5]",
		"user=ann":                             "[2 3]",
		"event=h*&channel=newsletter":          "[1]",
		"socket=1.2":                           "[]",
		"channel=news*&type=cache_miss":        "[]",
		"rate=full&sample=1&data=false&node=x": "[0 1 2 3 5]",
	} {
		f, got := filter(t, query), []int{}
		for i := range records {
			if f.match(&records[i]) {
				got = append(got, i)
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q lets through %v, want %s", query, got, want)
		}
	}
}

func TestMistakesInFiltersAreExplained(t *testing.T) {
	for query, want := range map[string]string{
		"type=api_mesage": `There is no type "api_mesage"; did you mean api_message?`,
		"type=arrived":    `There is no type "arrived"`,
		"socket=x":        `socket: "x" is not a socket id such as 1234.5678.`,
		"rate=0":          "rate is neither full nor a number",
		"rate=1001":       "rate is neither full nor a number",
		"sample=x":        "sample is not a number",
		"data=1":          "data is neither true nor false.",
	} {
		q, _ := url.ParseQuery(query)
		_, err := ParseFilter(q)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFilter(%q) = %v, want %s", query, err, want)
		}
	}
}

func BenchmarkTraceForFive(b *testing.B) {
	r := new(ring)
	for range 5 {
		newWatcher(b, r, "channel=news*")
	}
	rec := event("news")
	for b.Loop() {
		r.Trace(rec)
	}
}

// TestRowsAreSharedInTheirForms: whoever shows a record first, others are shown no more
// of it than their filters let them see.
func TestRowsAreSharedInTheirForms(t *testing.T) {
	r := new(ring)
	queries := []string{"", "data=false", "addresses=networks", "data=false&addresses=networks", ""}
	rec := event("c")
	rec.Client = &trace.Client{Address: "192.0.2.77"}
	var watchers []*watcher
	for _, query := range queries {
		watchers = append(watchers, newWatcher(t, r, query))
	}
	r.Trace(rec)
	for i, w := range watchers {
		got, _, _ := w.take(r, 1, always)
		text := string(render(&got[0], "a", w.filter))
		if strings.Contains(text, `"data":"d"`) == strings.Contains(queries[i], "data=false") ||
			strings.Contains(text, "192.0.2.77") == strings.Contains(queries[i], "networks") {
			t.Errorf("who asks for %q is shown %s", queries[i], text)
		}
	}
}
