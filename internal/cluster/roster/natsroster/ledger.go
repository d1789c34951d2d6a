package natsroster

import (
	"slices"
	"strconv"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// The limits of a ledger. They are part of how the log is read: all nodes have
// the same.
const (
	maxIncarnations = 128 // at once, with those that are dead and not dropped
	maxPredecessors = 256 // incarnations whose jobs one has, the latest ones
	defaultUntold   = 200_000
	orderBits       = 24 // of the order of a decision, below the position in the log
)

// A ledger is what the log says up to a position. It changes by what is read
// alone: two that have read the same are the same.
type ledger struct {
	log       string // who has begun it; empty for not yet
	seq       uint64 // what was read last
	byID      map[node.ID]*incarnation
	slots     [maxIncarnations]*incarnation
	subjects  map[key]holders // everything that is decided to be present
	pending   map[key]slot    // what of it nobody holds, and who is to settle it
	absent    map[string]keys // members of pending, by the place of their channel
	recent    uint64          // who has not written since then gets nothing to tell
	maxUntold int             // defaultUntold; less in tests
	turn      uint64          // order of the next decision
	did       *effects        // of the batch that is being applied
}

type keys = map[key]struct{}

// A slot is a small number for an incarnation, free again once it is dropped.
type slot uint8

// holders are the slots of the incarnations that a subject is present on.
type holders [maxIncarnations / 64]uint64

func (h *holders) has(s slot) bool { return h[s/64]&(1<<(s%64)) != 0 }
func (h *holders) set(s slot)      { h[s/64] |= 1 << (s % 64) }
func (h *holders) clear(s slot)    { h[s/64] &^= 1 << (s % 64) }
func (h *holders) empty() bool     { return *h == holders{} }

// An incarnation is one that has said hello and was not dropped.
type incarnation struct {
	id     node.ID
	name   string
	slot   slot
	seq    uint64              // of its last batch, or of when it lapsed
	number uint64              // of its last batch
	beats  [recentBeats]uint64 // the positions of the last ones, zero for none
	seed   uint64              // of its scores as a teller
	holds  int                 // subjects
	// lapsed means that it has left, or was replaced: its matters are its
	// successor's, but what it held is not gone yet.
	lapsed       bool
	successor    node.ID // empty while there is nobody
	predecessors []node.ID
	untold       []matter // by order
}

// A matter is a decision that somebody is to tell.
type matter struct {
	order  uint64 // when it became the teller's matter
	number uint64 // when it was decided
	key    key
	gone   bool
	of     node.ID // who was to tell it first
}

// effects are what the reader of a batch has to do, or wants to know.
type effects struct {
	takeovers []takeover
	matters   []assignment
	pended    []assignment // without a decision: by has to settle the key
	lapsed    []node.ID
	dropped   []node.ID
	began     bool // the log has begun, maybe again
	debounced int
	forgotten int // matters that nobody would take over any more
	void      bool
}

type takeover struct{ by, dead node.ID }

type assignment struct {
	by node.ID
	matter
}

func newLedger() *ledger {
	return &ledger{
		byID:      make(map[node.ID]*incarnation),
		subjects:  make(map[key]holders),
		pending:   make(map[key]slot),
		absent:    make(map[string]keys),
		maxUntold: defaultUntold,
	}
}

// begin makes a ledger new, but for its position.
func (l *ledger) begin(log string) {
	fresh := newLedger()
	fresh.log, fresh.seq, fresh.turn, fresh.did, fresh.maxUntold = log, l.seq, l.turn, l.did, l.maxUntold
	*l = *fresh
	l.did.began = true
}

// live returns an incarnation that may write.
func (l *ledger) live(id node.ID) *incarnation {
	if x := l.byID[id]; x != nil && !x.lapsed {
		return x
	}
	return nil
}

// apply reads the batch at a position of the log; nil for one that can not be
// read.
func (l *ledger) apply(seq uint64, author node.ID, b *batch) *effects {
	l.seq, l.turn, l.did = seq, seq<<orderBits, new(effects)
	defer func() { l.did = nil }()
	if b == nil || !l.follow(author, b) {
		l.did.void = true
		return l.did
	}
	x := l.byID[author]
	x.seq, x.number = seq, b.number
	if b.beat {
		l.beat(x)
	}
	x.tell(b.told)
	for i := range b.entries {
		if x.lapsed {
			break
		}
		l.enter(x, &b.entries[i])
	}
	return l.did
}

// follow reports whether a batch is the next one of a live incarnation. If it
// is the first, it makes the incarnation known.
func (l *ledger) follow(author node.ID, b *batch) bool {
	x := l.byID[author]
	if !b.hello {
		return x != nil && !x.lapsed && b.number == x.number+1
	}
	if x != nil && b.number <= x.number {
		return false // stored twice
	}
	if b.begin == foundAnew || b.begin == foundEmpty && l.log == "" {
		// An incarnation may do so twice, but not with the same number.
		l.begin(string(author) + strconv.FormatUint(b.number, 36))
		x = nil
	}
	return l.log != "" && x == nil && l.join(author, b.name)
}

// join makes an incarnation known. It takes the place of the one that the same
// node was before, and of those that have left when nobody was there.
func (l *ledger) join(id node.ID, name string) bool {
	free := slices.Index(l.slots[:], nil)
	if free < 0 {
		return false
	}
	x := &incarnation{id: id, name: name, slot: slot(free), seed: seedOf(id)}
	for _, old := range l.slots {
		if old != nil && (!old.lapsed && old.name == name || old.lapsed && old.successor == "") {
			l.lapse(old, x)
		}
	}
	l.slots[free] = x
	l.byID[id] = x
	return true
}

// tell says that what x was to tell is safe, up to an order.
func (x *incarnation) tell(through uint64) {
	n := 0
	for n < len(x.untold) && x.untold[n].order <= through {
		x.untold[n] = matter{} // does not keep its key
		n++
	}
	if x.untold = x.untold[n:]; len(x.untold) == 0 {
		x.untold = nil
	}
}

func (l *ledger) enter(x *incarnation, e *entry) {
	switch e.kind {
	case entryAdd, entryAddQuiet:
		l.add(x, e.key, e.kind == entryAddQuiet)
	case entryRemove, entryRemoveQuiet:
		l.remove(x, e.key, e.kind == entryRemoveQuiet)
	case entrySettle:
		if by, ok := l.pending[e.key]; ok && by == x.slot {
			l.settle(x, e.key)
		}
	case entryDrop:
		if dead := l.byID[e.id]; dead != nil && dead != x && dead.seq <= e.seen {
			l.drop(dead, x)
		}
	case entryLeave:
		l.lapse(x, l.lowest(x))
	}
}

// lowest is the live incarnation with the lowest id, other than x; nil if there
// is none.
func (l *ledger) lowest(x *incarnation) *incarnation {
	var first *incarnation
	for _, y := range l.slots {
		if y != nil && y != x && !y.lapsed && (first == nil || y.id < first.id) {
			first = y
		}
	}
	return first
}

func (l *ledger) add(x *incarnation, k key, quiet bool) {
	h, known := l.subjects[k]
	if known && h.has(x.slot) {
		return
	}
	if known && h.empty() {
		l.unpend(k)
		l.did.debounced++
	}
	h.set(x.slot)
	l.subjects[k] = h
	x.holds++
	if !known && !quiet {
		l.decide(x, k, false)
	}
}

func (l *ledger) remove(x *incarnation, k key, quiet bool) {
	h, known := l.subjects[k]
	if !known || !h.has(x.slot) {
		return
	}
	h.clear(x.slot)
	x.holds--
	switch {
	case !h.empty():
		l.subjects[k] = h
	case quiet:
		delete(l.subjects, k)
	default:
		l.subjects[k] = h
		l.pend(x, k)
	}
}

// pend makes x the one who is to settle a subject that nobody holds.
func (l *ledger) pend(x *incarnation, k key) {
	l.pending[k] = x.slot
	if prefix, member := place(k); member {
		if l.absent[prefix] == nil {
			l.absent[prefix] = make(keys)
		}
		l.absent[prefix][k] = struct{}{}
	}
	l.did.pended = append(l.did.pended, assignment{x.id, matter{key: k}})
}

func (l *ledger) unpend(k key) {
	if _, ok := l.pending[k]; !ok {
		return
	}
	delete(l.pending, k)
	prefix, _ := place(k)
	delete(l.absent[prefix], k)
	if len(l.absent[prefix]) == 0 {
		delete(l.absent, prefix)
	}
}

// settle decides that a subject is gone, and before a channel its members that
// nobody has settled yet.
func (l *ledger) settle(x *incarnation, k key) {
	if prefix, member := place(k); !member {
		for _, m := range sorted(l.absent[prefix]) {
			l.settle(x, m)
		}
	}
	l.unpend(k)
	delete(l.subjects, k)
	l.decide(x, k, true)
}

func sorted(set keys) []key {
	list := make([]key, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// decide makes a decision of what x has written, and the one that tells it.
func (l *ledger) decide(x *incarnation, k key, gone bool) {
	t := l.teller(x, k)
	l.assign(t, matter{number: l.turn, key: k, gone: gone, of: t.id})
}

// assign makes x the one that tells a decision.
func (l *ledger) assign(x *incarnation, m matter) {
	m.order = l.turn
	l.turn++
	if len(x.untold) >= l.maxUntold {
		x.untold[0] = matter{}
		x.untold = x.untold[1:]
		l.did.forgotten++
	}
	x.untold = append(x.untold, m)
	l.did.matters = append(l.did.matters, assignment{x.id, m})
}

// lapse hands the matters of x to y, or to nobody if that is nil.
func (l *ledger) lapse(x, y *incarnation) {
	x.lapsed, x.seq = true, l.seq
	l.did.lapsed = append(l.did.lapsed, x.id)
	if y == nil {
		return
	}
	l.succeed(x, y)
	var waiting []key
	for k, by := range l.pending {
		if by == x.slot {
			waiting = append(waiting, k)
		}
	}
	for _, k := range order(waiting) {
		l.pending[k] = y.slot
		l.did.pended = append(l.did.pended, assignment{y.id, matter{key: k}})
	}
}

// succeed hands jobs and decisions of x to y.
func (l *ledger) succeed(x, y *incarnation) {
	for _, dead := range append(x.predecessors, x.id) {
		l.did.takeovers = append(l.did.takeovers, takeover{y.id, dead})
		y.predecessors = append(y.predecessors, dead)
	}
	if more := len(y.predecessors) - maxPredecessors; more > 0 {
		y.predecessors = slices.Clone(y.predecessors[more:])
	}
	for _, m := range x.untold {
		l.assign(y, m)
	}
	x.predecessors, x.untold, x.successor = nil, nil, y.id
	for _, z := range l.slots {
		if z != nil && z.successor == x.id {
			z.successor = y.id
		}
	}
}

// drop takes what x held away, once and for all. That y has written so decides
// at once what is gone by that, because those who wanted to come back have had
// their time. What x has not told is told by who takes over its jobs, and can find
// it there; what is decided now, by others than x.
func (l *ledger) drop(x, y *incarnation) {
	if !x.lapsed || x.successor == "" {
		l.succeed(x, y)
	}
	var gone []key
	for k, by := range l.pending {
		if by == x.slot {
			gone = append(gone, k)
		}
	}
	for k, h := range l.subjects {
		if !h.has(x.slot) {
			continue
		}
		h.clear(x.slot)
		l.subjects[k] = h
		if h.empty() {
			gone = append(gone, k)
		}
	}
	l.slots[x.slot] = nil
	delete(l.byID, x.id)
	for _, k := range order(gone) {
		if _, still := l.subjects[k]; still { // not settled before its channel
			l.settle(y, k)
		}
	}
	l.did.dropped = append(l.did.dropped, x.id)
}

// order sorts members before channels.
func order(list []key) []key {
	slices.SortFunc(list, func(a, b key) int {
		am, bm := isMember(a), isMember(b)
		switch {
		case am != bm && am:
			return -1
		case am != bm:
			return 1
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	return list
}
