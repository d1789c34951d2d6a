package journal

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

func socket(t testing.TB, text string) protocol.SocketID {
	id, ok := protocol.ParseSocketID(text)
	if !ok {
		t.Fatalf("%s is no socket id", text)
	}
	return id
}

func kept(j *Journal, app string) (list []*Record) {
	j.Each(app, func(r *Record) bool {
		list = append(list, r)
		return true
	})
	return list
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	j := New(DefaultSize)
	event := trace.Record{
		Kind: trace.APIMessage, App: "1", At: 1, Channel: "news", Event: "hello", ID: trace.ID{Node: "ABCDEFGHIJKLMNOP", Number: 7},
		Except: socket(t, "1.2"), Order: 1 << 40, Here: 3, Elsewhere: 2, Peers: []node.ID{"BBBBBBBBBBBBBBBB", "CCCCCCCCCCCCCCCC"}, Size: 100,
	}
	tally := j.Trace(event)
	tally.Add(2)
	tally.Add(1)
	j.Trace(trace.Record{Kind: trace.Disconnected, App: "1", At: 2, Socket: socket(t, "1.2"), User: "ann", Code: 4100,
		Ending: &trace.Ending{By: trace.ByService, Code: 4100, Slow: true, Waiting: 1 << 20}})
	j.Trace(trace.Record{Kind: trace.ClientError, App: "2", At: 3, Socket: socket(t, "1.3"), Text: "no"})
	want := []*Record{
		{Kind: trace.APIMessage, App: "1", At: 1, Channel: "news", Event: "hello", ID: event.ID, Except: event.Except,
			Order: 1 << 40, Here: 3, Elsewhere: 2, Peers: event.Peers, Size: 100, Handed: 3},
		{Kind: trace.Disconnected, App: "1", At: 2, Socket: socket(t, "1.2"), User: "ann", Code: 4100, By: trace.ByService, Slow: true, Waiting: 1 << 20},
	}
	if diff := cmp.Diff(want, kept(j, "1"), cmp.AllowUnexported(protocol.SocketID{})); diff != "" {
		t.Errorf("what is read is not what was written (-want +got):\n%s", diff)
	}
	if n := len(kept(j, "2")); n != 1 {
		t.Errorf("%d records of the other app are kept, want 1", n)
	}
}

// TestBusyAppLeavesOthersTheirShare: what others have written stays, however much
// one app writes.
func TestBusyAppLeavesOthersTheirShare(t *testing.T) {
	j := New(DefaultSize)
	write := func(app string, i int) {
		j.Trace(trace.Record{Kind: trace.APIMessage, App: app, At: int64(i), Channel: "news", Event: fmt.Sprint(i)})
	}
	for i := range 500 {
		write("quiet", i)
	}
	const many = 400_000
	for i := range many {
		write("busy", i)
	}
	if n := len(kept(j, "quiet")); n != 500 {
		t.Errorf("%d records of the quiet app are kept, want all 500", n)
	}
	if h := j.Horizon("quiet"); h.Events != 0 {
		t.Errorf("the quiet app is said to have lost something: %v", h)
	}
	busy := kept(j, "busy")
	if len(busy) < 100_000 || len(busy) == many {
		t.Errorf("%d records of the busy app are kept, want as many as there is room for", len(busy))
	}
	if h := j.Horizon("busy").Events; h != busy[0].At-1 {
		t.Errorf("all above %d is said to be known, and the first that is kept is of %d", h, busy[0].At)
	}
	if j.events.blocks > j.events.most {
		t.Errorf("there are %d blocks, want %d at most", j.events.blocks, j.events.most)
	}
}

func TestMoreAppsThanThereIsRoomForShareIt(t *testing.T) {
	j := New(0)
	for i := range 1000 {
		j.Trace(trace.Record{Kind: trace.Connected, App: fmt.Sprint(i), At: int64(i + 1)})
	}
	if n := len(j.Apps()); n != j.lives.most {
		t.Errorf("something is kept of %d apps, want %d", n, j.lives.most)
	}
	if h := j.Horizon("0").Lives; h != 1 {
		t.Errorf("what was forgotten is said to be of %d, want 1", h)
	}
	j.Forget("999")
	if len(kept(j, "999")) > 0 || j.lives.blocks != j.lives.most-1 {
		t.Error("an app that is forgotten is kept")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(nil, &trace.Record{Kind: trace.APIMessage, Channel: "c", Peers: []node.ID{"a"}, Text: "t", Ending: &trace.Ending{}}))
	f.Fuzz(func(t *testing.T, text []byte) {
		for ok := true; ok && len(text) > 0; {
			text, ok = decode(text, new(Record))
		}
	})
}

func BenchmarkTrace(b *testing.B) {
	j := New(DefaultSize)
	r := trace.Record{
		Kind: trace.APIMessage, App: "1", At: 1, Channel: "private-orders-4711", Event: "updated",
		ID: trace.ID{Node: "ABCDEFGHIJKLMNOP", Number: 7}, Order: 1 << 20, Here: 3, Size: 100,
	}
	b.ReportAllocs()
	for b.Loop() {
		j.Trace(r)
	}
}
