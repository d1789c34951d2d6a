package bench

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// A recorder takes in what receivers see. It has a shard for every reader, so
// that readers do not wait for each other.
type recorder struct {
	clock    clock
	gate     *gate
	shards   []*shard
	problems problems

	delivered atomic.Int64 // events that arrived, whether they are accounted for or not
	from, to  atomic.Int64 // latency is that of events meant for this time
}

// A shard is the part of a recorder that one reader writes.
type shard struct {
	rec *recorder

	mu       sync.Mutex
	latency  histogram // of events
	greeting histogram // from the schedule to pusher:connection_established
	joining  histogram // from the schedule to the last subscription
	late     uint64
	repeated uint64
	stray    uint64 // events that the receiver must not get
	bytes    uint64 // of the frames of events

	delivered int64 // since the last flush
	fresh     int64 // of them, new to a receiver that accounts for them
}

func newRecorder(c clock, g *gate, shards int) *recorder {
	r := &recorder{clock: c, gate: g}
	r.measure(math.MaxInt64, math.MaxInt64)
	for range shards {
		r.shards = append(r.shards, &shard{rec: r})
	}
	return r
}

// measure sets the time whose events count for the latency.
func (r *recorder) measure(from, to int64) {
	r.from.Store(from)
	r.to.Store(to)
}

// arrived notes an event that is accounted for. The shard is locked.
func (h *shard) arrived(kind arrival, intended, now int64) {
	h.delivered++
	switch kind {
	case repeated:
		h.repeated++
		return
	case late:
		h.late++
	}
	h.fresh++
	if intended >= h.rec.from.Load() && intended < h.rec.to.Load() {
		h.latency.record(now - intended)
	}
}

// flush tells the others what has arrived. The shard is locked.
func (h *shard) flush() {
	if h.delivered > 0 {
		h.rec.delivered.Add(h.delivered)
		h.delivered = 0
	}
	if h.fresh > 0 {
		h.rec.gate.arrive(h.fresh)
		h.fresh = 0
	}
}

// A record is what a recorder has taken in.
type record struct {
	latency, greeting, joining   histogram
	late, repeated, stray, bytes uint64
}

// record adds up what all readers have written so far.
func (r *recorder) record() record {
	var sum record
	for _, h := range r.shards {
		h.mu.Lock()
		sum.latency.add(&h.latency)
		sum.greeting.add(&h.greeting)
		sum.joining.add(&h.joining)
		sum.late += h.late
		sum.repeated += h.repeated
		sum.stray += h.stray
		sum.bytes += h.bytes
		h.mu.Unlock()
	}
	return sum
}

// maxProblems is how many different texts are kept.
const maxProblems = 12

// A Problem is something that went wrong, and how often.
type Problem struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// problems counts what goes wrong, by its text.
type problems struct {
	mu    sync.Mutex
	count map[string]int
}

func (p *problems) add(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == nil {
		p.count = make(map[string]int)
	}
	if _, known := p.count[text]; !known && len(p.count) >= maxProblems {
		text = "and others"
	}
	p.count[text]++
}

// list returns the problems, the most frequent first.
func (p *problems) list() []Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Problem, 0, len(p.count))
	for _, text := range slices.Sorted(maps.Keys(p.count)) {
		list = append(list, Problem{text, p.count[text]})
	}
	slices.SortStableFunc(list, func(a, b Problem) int { return cmp.Compare(b.Count, a.Count) })
	return list
}
