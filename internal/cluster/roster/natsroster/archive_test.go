package natsroster

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

func short(c *Config) { c.archive = 2000 }

// The log is cut off again and again. Who starts later knows the same as the
// others, and who has missed what was cut off learns what is its own to do.
func TestLogIsCutOff(t *testing.T) {
	on(t, 0, func(b *bench) {
		b.add("node0", short)
		b.add("node1", short)
		b.Channel(0, "before", true)
		b.Want("before", "occupied")
		for i := range 50 {
			name := fmt.Sprint(i)
			b.Channel(i%2, name, true)
			b.Want(name, "occupied")
			if i%3 > 0 {
				b.Channel(i%2, name, false)
				b.Want(name, "occupied", "vacated")
			}
		}
		b.pass(time.Minute)
		if b.log.first == 1 || len(b.log.records) > 100 {
			t.Errorf("the log has %d batches from %d on", len(b.log.records), b.log.first)
		}
		b.add("node2", short)
		b.same(0, 1, 2)
		b.Channel(2, "before", true)
		b.pass(time.Second)
		b.Channel(0, "before", false)
		b.pass(10 * time.Second)
		b.Want("before", "occupied")
		b.Check()
	})
}

// A node does not read for a while, and what it has missed is cut off.
func TestNodeMissesWhatWasCutOff(t *testing.T) {
	on(t, 0, func(b *bench) {
		slow := func(c *Config) { short(c); c.Lease, c.Grace = time.Minute, time.Minute }
		for i := range 3 {
			b.add(fmt.Sprint("node", i), slow)
		}
		b.Channel(0, "mine", true)
		b.Want("mine", "occupied")
		b.nodes[2].Slow = true
		b.Channel(2, "left", true)
		b.Want("left", "occupied")
		successor, dead := b.nodes[0], b.nodes[2].ID()
		for b.nodes[1].ID() < successor.ID() { // the lowest one succeeds
			b.nodes[1].stop()
			b.nodes[1] = b.add("node1", slow)
		}
		successor.set(func() { successor.journal.cut = true })
		if err := b.nodes[2].Close(b.t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := 0; b.log.first < b.log.last()-3 && i < 200; i++ { // until somebody cuts it off
			b.nodes[1].Set(subject("", fmt.Sprint(i)), true, false)
			b.pass(100 * time.Millisecond)
		}
		successor.set(func() { successor.journal.cut = false })
		b.pass(10 * time.Second)
		b.same(0, 1)
		takenOver := append(successor.Predecessors(), b.nodes[1].Predecessors()...)
		if n := count(takenOver, dead); n != 1 {
			t.Errorf("%d nodes have taken over the one that has left, want one: %q", n, takenOver)
		}
		b.Check()
	})
}

func count(list []node.ID, id node.ID) (n int) {
	for _, x := range list {
		if x == id {
			n++
		}
	}
	return n
}

// The log is lost: everybody writes again what holds, which is no news.
func TestLogIsLost(t *testing.T) {
	on(t, 3, func(b *bench) {
		for i := range b.nodes {
			name := fmt.Sprint(i)
			b.Channel(i, name, true)
			b.Channel(i, "all", true)
			b.Want(name, "occupied")
		}
		ids := []node.ID{b.nodes[0].ID(), b.nodes[1].ID(), b.nodes[2].ID()}
		b.log.lose()
		b.pass(20 * time.Second)
		b.same(0, 1, 2)
		for i, n := range b.nodes {
			if !n.Current() || n.ID() != ids[i] || len(n.Evictions()) > 0 {
				t.Errorf("node %d: current %v, evicted as %q", i, n.Current(), n.Evictions())
			}
			b.Want(fmt.Sprint(i), "occupied")
			b.Channel(i, fmt.Sprint(i), false)
		}
		b.pass(10 * time.Second)
		b.wantAfterLoss("vacated 0", "vacated 1", "vacated 2")
	})
}

// The beginning of the log is lost, and nothing can replace it.
func TestBeginningIsLost(t *testing.T) {
	on(t, 2, func(b *bench) {
		b.Channel(0, "news", true)
		b.Want("news", "occupied")
		b.pass(10 * time.Second)
		b.log.change(func() {
			b.log.first, b.log.records = b.log.lastLocked()+1, nil
		})
		b.add("node2", nil)
		b.pass(20 * time.Second)
		b.same(0, 1, 2)
		b.Want("news", "occupied")
		b.Channel(0, "news", false)
		b.pass(10 * time.Second)
		b.wantAfterLoss("vacated news")
	})
}

// wantAfterLoss checks what was decided since the log was lost: numbers begin
// again then, so the order of all decisions says nothing.
func (b *bench) wantAfterLoss(want ...string) {
	b.t.Helper()
	log := b.nodes[0].Status().Log
	var got []string
	before := false
	for _, d := range b.Decisions() {
		if d.ID.Log != log {
			before = true
			continue
		}
		got = append(got, roster.Kind(d.Member, d.Gone)+" "+d.Channel)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) || !before {
		b.t.Errorf("decided after the loss: %q, want %q; before: %v", got, want, before)
	}
}

// Snapshots are found if they were kept as a whole, and belong to the log.
func TestSnapshotsAreChosenWithCare(t *testing.T) {
	log := newMemLog()
	j := &memJournal{memLog: log}
	ctx := context.Background()
	a, c := node.ID("AAAAAAAAAAAAAAAA"), node.ID("CCCCCCCCCCCCCCCC")
	hello := (&batch{hello: true, name: "a", number: 1, begin: foundEmpty}).append(nil)
	l := newLedger()
	var snapshots []snapshot
	for i := range 5 {
		data := hello
		if i > 0 {
			data = (&batch{number: uint64(i + 1)}).append(nil)
		}
		seq, err := j.append(ctx, a, fmt.Sprint(i), data)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parseBatch(data)
		if err != nil {
			t.Fatal(err)
		}
		l.apply(seq, a, parsed)
		snapshots = append(snapshots, snapshot{seq, fingerprint(log.records[i]), l.snapshot(false)})
	}
	found := func(want uint64) {
		t.Helper()
		got, err := restore(ctx, j)
		if err != nil || (got == nil) != (want == 0) || got != nil && got.seq != want {
			t.Fatalf("restore() = %v, %v, want the snapshot at %d", got, err, want)
		}
	}
	found(0)
	big := snapshot{snapshots[0].seq, snapshots[0].mark, bytes.Repeat([]byte("x"), 3*chunkBytes)}
	chunks := big.chunks()
	for _, broken := range [][][]byte{chunks[:2], chunks[1:], {chunks[0], chunks[2]}, {[]byte("short"), nil}} {
		if err := j.keep(ctx, a, broken); err != nil {
			t.Fatal(err)
		}
	}
	found(0)
	alien := snapshots[4]
	alien.mark++
	for _, s := range []snapshot{snapshots[2], snapshots[1], alien} {
		if err := j.keep(ctx, c, s.chunks()); err != nil {
			t.Fatal(err)
		}
	}
	found(3)
	if err := archive(ctx, j, a, snapshots[3]); err != nil {
		t.Fatal(err)
	}
	found(4)
	if log.first != 4 || len(log.chunks) != 1 {
		t.Errorf("the log begins at %d and has %d chunks, want 4 and 1", log.first, len(log.chunks))
	}
	log.first, log.records = 5, log.records[1:] // that of the snapshot is not there
	found(0)
}

// A snapshot of several chunks is what went into it.
func TestChunksOfSnapshots(t *testing.T) {
	for _, size := range []int{0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes} {
		s := snapshot{7, 9, bytes.Repeat([]byte("abc"), size)[:size]}
		p := new(assembly)
		for i, chunk := range s.chunks() {
			if p.complete() {
				t.Errorf("%d bytes: complete before chunk %d", size, i)
			}
			if len(chunk) > maxMessage {
				t.Errorf("%d bytes: a chunk of %d", size, len(chunk))
			}
			p.put(uint64(i), chunk)
		}
		if !p.complete() || p.seq != 7 || p.mark != 9 || !bytes.Equal(p.data, s.data) {
			t.Errorf("%d bytes: %v %d %d", size, p.complete(), p.seq, p.mark)
		}
	}
}

// TestSnapshotRoundTrip: what was made of any batches is the same after it was
// stored and read.
func TestSnapshotRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLedger(t)
		got, err := parseSnapshot(l.snapshot(rapid.Bool().Draw(t, "canonical")))
		if err != nil {
			t.Fatalf("parseSnapshot() = %v", err)
		}
		if !bytes.Equal(got.snapshot(true), l.snapshot(true)) {
			t.Fatal("the snapshot of the snapshot is another one")
		}
		b := anyBatch(t)
		id := rapid.SampledFrom(anyIDs).Draw(t, "author")
		l.apply(l.seq+1, id, b)
		got.apply(got.seq+1, id, b)
		if !bytes.Equal(got.snapshot(true), l.snapshot(true)) {
			t.Fatal("the snapshot does not go on as its ledger does")
		}
		for _, x := range l.byID {
			if y := got.byID[x.id]; y == nil || y.holds != x.holds {
				t.Fatalf("%s holds %v, want %d", x.id, y, x.holds)
			}
		}
	})
}

// The others have read a node's hello and have given it something to tell, and
// all of that was cut off before it read its hello itself.
func TestHelloIsInSnapshot(t *testing.T) {
	now := time.Unix(1e9, 0)
	p := newParticipant(anyIDs[0], "node0", simTiming)
	p.caughtUp = true
	if f := p.compose(now); f == nil || !f.batch.hello {
		t.Fatalf("compose() = %+v, want a hello", f)
	}
	l, _, b, _ := three(t)
	want(t, b.say(add(byA)), "A+o")
	snapshot, err := parseSnapshot(l.snapshot(false))
	if err != nil {
		t.Fatal(err)
	}
	p.load(snapshot, 0, now)
	if !p.joined || len(p.calls) != 1 || p.calls[0].decision.Channel != "o" {
		t.Errorf("joined %v, calls %+v, want one about channel o", p.joined, p.calls)
	}
}
