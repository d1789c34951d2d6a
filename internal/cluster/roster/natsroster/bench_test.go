package natsroster

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

// heap is what is alive on the heap.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const benchSubjects = 100_000

func benchSubject(i int) roster.Subject {
	return roster.Subject{App: "1", Channel: fmt.Sprintf("private-room-%08d", i)}
}

// batches are what a node writes that holds many subjects.
func batches(t testing.TB) [][]byte {
	p := newParticipant("AAAAAAAAAAAAAAAA", "a", simTiming)
	p.caughtUp = true
	for i := range benchSubjects {
		p.own.set(makeKey(benchSubject(i)), true, false, false)
	}
	var list [][]byte
	now := time.Unix(0, 0)
	for f := p.compose(now); f != nil; f = p.compose(now) {
		list = append(list, f.batch.append(nil))
		p.read(uint64(len(list)), p.id, f.batch, now)
		p.told = p.lastOrder
	}
	if n := len(p.ledger.subjects); n != benchSubjects {
		t.Fatalf("%d subjects, want %d", n, benchSubjects)
	}
	return list
}

// BenchmarkLedger is what it costs a node to know what another one holds.
func BenchmarkLedger(b *testing.B) {
	list := batches(b)
	b.ReportAllocs()
	var bytes uint64
	for b.Loop() {
		before := heap()
		l := newLedger()
		for i, data := range list {
			parsed, err := parseBatch(data)
			if err != nil {
				b.Fatal(err)
			}
			if i > 0 {
				parsed.told = uint64(i+1) << orderBits
			}
			l.apply(uint64(i+1), "AAAAAAAAAAAAAAAA", parsed)
		}
		l.byID["AAAAAAAAAAAAAAAA"].tell(1 << 60)
		bytes = heap() - before
		runtime.KeepAlive(l)
	}
	b.ReportMetric(float64(bytes)/benchSubjects, "B/subject")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSubjects, "ns/subject")
}

// BenchmarkOwn is what it costs a node, beside that, to know what it holds.
func BenchmarkOwn(b *testing.B) {
	var bytes uint64
	for b.Loop() {
		before := heap()
		o := newOwn()
		for i := range benchSubjects {
			o.set(makeKey(benchSubject(i)), true, false, false)
		}
		for o.dirty() {
			o.take(nil, batchBytes)
		}
		bytes = heap() - before
		runtime.KeepAlive(o)
	}
	b.ReportMetric(float64(bytes)/benchSubjects, "B/subject")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSubjects, "ns/subject")
}

// BenchmarkSnapshot is for how long a node stands still that cuts the log off.
func BenchmarkSnapshot(b *testing.B) {
	l := newLedger()
	for i, data := range batches(b) {
		parsed, err := parseBatch(data)
		if err != nil {
			b.Fatal(err)
		}
		l.apply(uint64(i+1), "AAAAAAAAAAAAAAAA", parsed)
	}
	l.byID["AAAAAAAAAAAAAAAA"].tell(1 << 60)
	size := 0
	b.ResetTimer()
	for b.Loop() {
		size = len(l.snapshot(false))
	}
	b.ReportMetric(float64(size)/benchSubjects, "B/subject")
}

// BenchmarkDrop is for how long nodes stand still when one has died that held
// everything.
func BenchmarkDrop(b *testing.B) {
	list := batches(b)
	ids := []node.ID{"AAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBB"}
	for b.Loop() {
		b.StopTimer()
		l := newLedger()
		for i, data := range list {
			parsed, err := parseBatch(data)
			if err != nil {
				b.Fatal(err)
			}
			l.apply(uint64(i+1), ids[0], parsed)
		}
		l.apply(l.seq+1, ids[1], &batch{hello: true, number: 1})
		b.StartTimer()
		did := l.apply(l.seq+1, ids[1], &batch{number: 2, entries: []entry{{kind: entryDrop, id: ids[0], seen: l.seq}}})
		if n := len(did.matters); n < benchSubjects {
			b.Fatalf("%d decisions, want %d", n, benchSubjects)
		}
	}
}
