package usage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openEngine(t testing.TB, dataDir string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{DataDir: dataDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// A node has a clock, and an app that uses something.
type node struct {
	*Recorder
	t  *testing.T
	mu sync.Mutex
	at time.Time
	// used is what is told when usage is asked for next.
	used map[string]Sample
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newNode(t *testing.T, e *engine.Engine, name string, at time.Time) *node {
	t.Helper()
	n := &node{t: t, at: at}
	var err error
	n.Recorder, err = Open(t.Context(), Config{
		JetStream: e.JetStream(), Storage: e.Storage(), Node: name,
		Take: func(each func(string, Sample)) {
			n.mu.Lock()
			defer n.mu.Unlock()
			for app, s := range n.used {
				each(app, s)
			}
			n.used = nil
		},
		Now: func() time.Time {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.at
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// use is what the app used until that time, when it is written.
func (n *node) use(at time.Time, app string, s Sample) {
	n.t.Helper()
	n.mu.Lock()
	n.at, n.used = at, map[string]Sample{app: s}
	n.mu.Unlock()
	if err := n.Flush(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) expect(app string, from, to time.Time, want ...Hour) {
	n.t.Helper()
	got, err := n.App(n.t.Context(), app, from, to)
	if err != nil {
		n.t.Fatal(err)
	}
	if want == nil {
		want = []Hour{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		n.t.Errorf("App(%s, %s, %s) (-want +got):\n%s", app, from.Format(time.TimeOnly), to.Format(time.TimeOnly), diff)
	}
}

// A clock that is set back, and goes on from there, makes hours come twice:
// what was counted in them before is still there.
func TestClockThatIsSetBackForgetsNoUsage(t *testing.T) {
	n := newNode(t, openEngine(t, ""), "", noon)
	defer n.Close(t.Context())
	n.use(noon.Add(59*time.Minute), "1", Sample{PeakConnections: 5, BackendEvents: 10, ClientEvents: 1, Deliveries: 100})
	n.use(noon.Add(time.Hour+time.Minute), "1", Sample{PeakConnections: 4, BackendEvents: 10, ClientEvents: 1, Deliveries: 100}) // still of the first
	n.use(noon.Add(time.Hour+2*time.Minute), "1", Sample{PeakConnections: 6, BackendEvents: 1, ClientEvents: 1, Deliveries: 1})
	n.use(noon.Add(10*time.Minute), "1", Sample{PeakConnections: 0, BackendEvents: 1, ClientEvents: 0, Deliveries: 0}) // the clock is set back
	n.use(noon.Add(20*time.Minute), "1", Sample{PeakConnections: 7, BackendEvents: 1, ClientEvents: 0, Deliveries: 0})
	n.use(noon.Add(time.Hour), "1", Sample{PeakConnections: 0, BackendEvents: 1, ClientEvents: 0, Deliveries: 0})
	n.use(noon.Add(time.Hour+time.Minute), "1", Sample{PeakConnections: 0, BackendEvents: 1, ClientEvents: 0, Deliveries: 0})
	n.expect("1", noon, noon.Add(9*time.Hour), Hour{Hour: noon, PeakConnections: 7, BackendEvents: 22, ClientEvents: 2, Deliveries: 200}, Hour{Hour: noon.Add(time.Hour), PeakConnections: 6, BackendEvents: 3, ClientEvents: 1, Deliveries: 1})
}

func TestUsageIsCountedByTheHour(t *testing.T) {
	n := newNode(t, openEngine(t, ""), "", noon)
	defer n.Close(t.Context())
	n.use(noon.Add(time.Minute), "1", Sample{PeakConnections: 5, BackendEvents: 10, ClientEvents: 1, Deliveries: 100})
	n.use(noon.Add(2*time.Minute), "1", Sample{PeakConnections: 3, BackendEvents: 1, ClientEvents: 0, Deliveries: 3})
	n.use(noon.Add(time.Hour), "1", Sample{PeakConnections: 4, BackendEvents: 1, ClientEvents: 0, Deliveries: 4}) // of the last minute before
	n.use(noon.Add(time.Hour+time.Minute), "1", Sample{PeakConnections: 7, BackendEvents: 2, ClientEvents: 2, Deliveries: 2})
	n.use(noon.Add(3*time.Hour), "1", Sample{}) // nothing
	n.use(noon.Add(3*time.Hour+time.Minute), "2", Sample{PeakConnections: 1, BackendEvents: 0, ClientEvents: 0, Deliveries: 0})
	first, second := Hour{Hour: noon, PeakConnections: 5, BackendEvents: 12, ClientEvents: 1, Deliveries: 107}, Hour{Hour: noon.Add(time.Hour), PeakConnections: 7, BackendEvents: 2, ClientEvents: 2, Deliveries: 2}
	n.expect("1", noon.Add(-time.Hour), noon.Add(9*time.Hour), first, second)
	n.expect("1", noon, noon.Add(time.Hour), first)
	n.expect("1", noon.Add(time.Second), noon.Add(time.Hour+time.Second), second)
	n.expect("1", noon.Add(-90*24*time.Hour), noon.Add(9*time.Hour), first, second) // everything is read
	n.expect("1", noon.Add(2*time.Hour), noon)
	n.expect("3", noon, noon.Add(9*time.Hour))
	totals, err := n.Totals(t.Context(), noon, noon.Add(9*time.Hour))
	want := map[string]Hour{
		"1": {Hour: noon, PeakConnections: 7, BackendEvents: 14, ClientEvents: 3, Deliveries: 109},
		"2": {Hour: noon.Add(3 * time.Hour), PeakConnections: 1},
	}
	if diff := cmp.Diff(want, totals); diff != "" || err != nil {
		t.Errorf("Totals: %v (-want +got):\n%s", err, diff)
	}
	if got, want := Total([]Hour{first, second}), (Hour{Hour: noon, PeakConnections: 7, BackendEvents: 14, ClientEvents: 3, Deliveries: 109}); got != want {
		t.Errorf("Total = %v, want %v", got, want)
	}
}

func TestUsageGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	e := openEngine(t, dir)
	first := newNode(t, e, "a", noon)
	first.use(noon.Add(time.Minute), "1", Sample{PeakConnections: 5, BackendEvents: 10, ClientEvents: 1, Deliveries: 100})
	first.mu.Lock()
	first.used = map[string]Sample{"1": {PeakConnections: 2, BackendEvents: 1, ClientEvents: 1, Deliveries: 1}} // written when it stops
	first.mu.Unlock()
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := newNode(t, openEngine(t, dir), "a", noon.Add(2*time.Minute))
	defer second.Close(t.Context())
	second.use(noon.Add(3*time.Minute), "1", Sample{PeakConnections: 4, BackendEvents: 1, ClientEvents: 0, Deliveries: 0})
	second.expect("1", noon, noon.Add(time.Hour), Hour{Hour: noon, PeakConnections: 5, BackendEvents: 12, ClientEvents: 2, Deliveries: 101})
}

func TestUsageOfNodesIsAddedUp(t *testing.T) {
	e := openEngine(t, "")
	a, b := newNode(t, e, "a", noon), newNode(t, e, "b", noon)
	defer a.Close(t.Context())
	defer b.Close(t.Context())
	a.use(noon.Add(time.Minute), "1", Sample{PeakConnections: 5, BackendEvents: 1, ClientEvents: 2, Deliveries: 3})
	b.use(noon.Add(time.Minute), "1", Sample{PeakConnections: 2, BackendEvents: 10, ClientEvents: 20, Deliveries: 30})
	a.expect("1", noon, noon.Add(time.Hour), Hour{Hour: noon, PeakConnections: 7, BackendEvents: 11, ClientEvents: 22, Deliveries: 33})
	totals, err := b.Totals(t.Context(), noon, noon.Add(time.Hour))
	if want := (Hour{Hour: noon, PeakConnections: 7, BackendEvents: 11, ClientEvents: 22, Deliveries: 33}); err != nil || totals["1"] != want {
		t.Errorf("Totals = %v, %v, want %v", totals, err, want)
	}
}

// An idle app costs no writes.
func TestOnlyWhatChangedIsWritten(t *testing.T) {
	n := newNode(t, openEngine(t, ""), "", noon)
	defer n.Close(t.Context())
	n.use(noon.Add(time.Minute), "1", Sample{PeakConnections: 5})
	before, err := n.bucket.Get(t.Context(), n.key(numberOf(noon), shardOf("1")))
	if err != nil {
		t.Fatal(err)
	}
	n.use(noon.Add(2*time.Minute), "1", Sample{PeakConnections: 5})
	n.use(noon.Add(3*time.Minute), "1", Sample{PeakConnections: 4})
	after, err := n.bucket.Get(t.Context(), n.key(numberOf(noon), shardOf("1")))
	if err != nil || after.Revision() != before.Revision() {
		t.Errorf("the value was written again (revision %d after %d), %v", after.Revision(), before.Revision(), err)
	}
}

func TestWhatCannotBeWrittenIsKept(t *testing.T) {
	n := newNode(t, openEngine(t, ""), "", noon)
	defer n.Close(t.Context())
	broken, cancel := context.WithCancel(t.Context())
	cancel()
	for at, s := range map[time.Time]Sample{noon.Add(time.Minute): {PeakConnections: 1, BackendEvents: 1}} {
		n.mu.Lock()
		n.at, n.used = at, map[string]Sample{"1": s}
		n.mu.Unlock()
		if err := n.Flush(broken); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("Flush = %v, want %v", err, ErrUnavailable)
		}
	}
	n.mu.Lock()
	n.at = noon.Add(time.Hour)
	n.mu.Unlock()
	if err := n.Flush(broken); err == nil { // the hour is over
		t.Fatal("Flush = nil, want an error")
	}
	n.use(noon.Add(time.Hour+time.Minute), "1", Sample{PeakConnections: 2, BackendEvents: 2, ClientEvents: 0, Deliveries: 0})
	n.expect("1", noon, noon.Add(9*time.Hour), Hour{Hour: noon, PeakConnections: 1, BackendEvents: 1, ClientEvents: 0, Deliveries: 0}, Hour{Hour: noon.Add(time.Hour), PeakConnections: 2, BackendEvents: 2, ClientEvents: 0, Deliveries: 0})
}

func TestNodeNames(t *testing.T) {
	e := openEngine(t, "")
	if _, err := Open(t.Context(), Config{JetStream: e.JetStream(), Node: "a.b"}); err == nil {
		t.Error("Open with a dot in the node's name = nil, want an error")
	}
}

// TestManyAppsAndHours keeps a value far below what the engine takes, and
// reads a month of it.
func TestManyAppsAndHours(t *testing.T) {
	n := newNode(t, openEngine(t, ""), "", noon)
	defer n.Close(t.Context())
	all := map[string]Sample{}
	for i := range 10_000 {
		all[fmt.Sprint(1_000_000+i)] = Sample{PeakConnections: 1000, BackendEvents: 1_000_000, ClientEvents: 1_000_000, Deliveries: 1_000_000_000}
	}
	n.mu.Lock()
	n.used = all
	n.mu.Unlock()
	if err := n.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	e, err := n.bucket.Get(t.Context(), n.key(numberOf(noon), 0))
	if err != nil || len(e.Value()) > 64<<10 {
		t.Errorf("a value has %d bytes, %v, want less than 64 KiB", len(e.Value()), err)
	}
	for h := range 200 {
		n.use(noon.Add(time.Duration(h+1)*time.Hour), "1", Sample{BackendEvents: 1})
	}
	got, err := n.App(t.Context(), "1", noon, noon.Add(300*time.Hour))
	if err != nil || len(got) != 200 {
		t.Errorf("App = %d hours, %v, want 200", len(got), err)
	}
	totals, err := n.Totals(t.Context(), noon, noon.Add(99*time.Hour))
	if err != nil || totals["1"].BackendEvents != 99 || len(totals) != 10_001 {
		t.Errorf("Totals = %v of %d apps, %v, want 99 events", totals["1"], len(totals), err)
	}
}

func TestMinutesAreRemembered(t *testing.T) {
	n := newNode(t, openEngine(t, ""), "a", noon.Add(30*time.Second))
	n.use(noon.Add(time.Minute), "1", Sample{PeakConnections: 3, BackendEvents: 5, Requests: 2}) // at 12:00
	n.use(noon.Add(90*time.Second), "1", Sample{BackendEvents: 7, Deliveries: 1 << 40})          // at 12:01
	n.use(noon.Add(2*time.Minute), "1", Sample{BackendEvents: 1})
	n.use(noon.Add(4*time.Minute), "2", Sample{ClientEvents: 9}) // at 12:02, by what was asked last
	want := []Slot{
		{At: noon, PeakConnections: 3, BackendEvents: 5, Requests: 2},
		{At: noon.Add(time.Minute), BackendEvents: 8, Deliveries: 1<<32 - 1},
		{At: noon.Add(2 * time.Minute)}, {At: noon.Add(3 * time.Minute)}, {At: noon.Add(4 * time.Minute)},
	}
	if got := n.Recent("1", false); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if got := n.LastMinute("2"); got.ClientEvents != 0 || !got.At.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("the last minute is %+v", got)
	}
	if got := n.Recent("none", false); len(got) != 5 || got[0] != (Slot{At: noon}) {
		t.Errorf("an app that was not used has %v", got)
	}
	n.use(noon.Add(6*time.Minute), "1", Sample{BackendEvents: 10}) // at 12:04
	fives := n.Recent("1", true)
	if len(fives) != 2 || fives[0].BackendEvents != 23 || fives[0].PeakConnections != 3 || fives[1].BackendEvents != 0 {
		t.Errorf("by five minutes: %+v", fives)
	}
	n.use(noon.Add(6*time.Hour), "1", Sample{BackendEvents: 1})
	late := n.Recent("1", false)
	if len(late) != minuteSlots || late[0].BackendEvents != 0 || !late[minuteSlots-1].At.Equal(noon.Add(6*time.Hour)) {
		t.Errorf("six hours later there are %d minutes, the first is %+v", len(late), late[0])
	}
	if err := n.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What an earlier revision has written counts on.
func TestUsageWithoutRequestsIsRead(t *testing.T) {
	apps, err := decode([]byte(`{"1":[5,10,1,100]}`))
	if err != nil || apps["1"] != (counts{5, 10, 1, 100, 0}) {
		t.Errorf("read %v, %v", apps, err)
	}
}

func TestMinutesOfTheBusiestAppsAreRemembered(t *testing.T) {
	r := recent{began: minuteOf(noon), taken: noon}
	for round := range 5 {
		r.take(noon.Add(time.Duration(round) * time.Minute))
		for i := range recentApps + 200 {
			r.add(fmt.Sprint(i), Sample{Deliveries: uint64(i + 1)})
		}
	}
	if len(r.series) != recentApps {
		t.Errorf("%d apps are remembered, want %d", len(r.series), recentApps)
	}
	if r.series[fmt.Sprint(recentApps+199)] == nil || r.series["0"] != nil {
		t.Error("it is not the busiest that are remembered")
	}
}

func TestMinutesAreToldWhileTheEngineIsSilent(t *testing.T) {
	n := newNode(t, openEngine(t, ""), "", noon)
	n.use(noon.Add(time.Minute), "1", Sample{BackendEvents: 5})
	n.Recorder.mu.Lock() // as during a write that takes long
	if got := n.Recent("1", false); len(got) != 2 || got[0].BackendEvents != 5 || n.LastMinute("1").BackendEvents != 5 {
		t.Errorf("minutes: %+v, want 5 events in the first", got)
	}
	n.Recorder.mu.Unlock()
	if err := n.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
