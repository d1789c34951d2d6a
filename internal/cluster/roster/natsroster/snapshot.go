package natsroster

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A snapshot is a ledger as bytes, so that what led to it need not be kept.

const snapshotVersion = 2

var errSnapshot = errors.New("roster: snapshot is malformed")

// snapshot returns the ledger as bytes. Two that are the same have the same
// canonical snapshot, which takes longer to make.
func (l *ledger) snapshot(canonical bool) []byte {
	b := make([]byte, 0, 1024+64*len(l.subjects))
	b = append(b, snapshotVersion)
	b = appendString(b, l.log)
	b = binary.AppendUvarint(b, l.seq)
	b = binary.AppendUvarint(b, l.recent)
	b = binary.AppendUvarint(b, uint64(len(l.byID)))
	for _, x := range l.slots {
		if x != nil {
			b = x.append(b)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(l.subjects)))
	if canonical {
		list := make([]key, 0, len(l.subjects))
		for k := range l.subjects {
			list = append(list, k)
		}
		slices.Sort(list)
		for _, k := range list {
			b = l.appendSubject(b, k, l.subjects[k])
		}
		return b
	}
	for k, h := range l.subjects {
		b = l.appendSubject(b, k, h)
	}
	return b
}

func (x *incarnation) append(b []byte) []byte {
	b = append(b, byte(x.slot))
	b = appendString(b, string(x.id))
	b = appendString(b, x.name)
	b = binary.AppendUvarint(b, x.seq)
	b = binary.AppendUvarint(b, x.number)
	for _, seq := range x.beats {
		b = binary.AppendUvarint(b, seq)
	}
	if x.lapsed {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = appendString(b, string(x.successor))
	b = binary.AppendUvarint(b, uint64(len(x.predecessors)))
	for _, id := range x.predecessors {
		b = appendString(b, string(id))
	}
	b = binary.AppendUvarint(b, uint64(len(x.untold)))
	for _, m := range x.untold {
		b = binary.AppendUvarint(b, m.order)
		b = binary.AppendUvarint(b, m.number)
		b = appendString(b, m.key)
		if m.gone {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		b = appendString(b, string(m.of))
	}
	return b
}

// appendSubject writes who holds a subject, or, after that nobody does, who
// is to settle it.
func (l *ledger) appendSubject(b []byte, k key, h holders) []byte {
	b = appendString(b, k)
	for _, word := range h {
		b = binary.AppendUvarint(b, word)
	}
	if h.empty() {
		b = append(b, byte(l.pending[k]))
	}
	return b
}

// parseSnapshot is the opposite of snapshot.
func parseSnapshot(data []byte) (*ledger, error) {
	d := decoder{rest: string(data)}
	if d.byte() != snapshotVersion {
		return nil, errSnapshot
	}
	l := newLedger()
	l.log, l.seq, l.recent = d.string(maxName), d.uvarint(), d.uvarint()
	for range d.count() {
		x := d.incarnation()
		if d.bad || int(x.slot) >= maxIncarnations || l.slots[x.slot] != nil || l.byID[x.id] != nil {
			return nil, errSnapshot
		}
		l.slots[x.slot], l.byID[x.id] = x, x
	}
	l.did = new(effects)
	for range d.count() {
		k := d.key()
		var h holders
		for i := range h {
			h[i] = d.uvarint()
		}
		if _, twice := l.subjects[k]; d.bad || twice || !l.count(h) {
			return nil, errSnapshot
		}
		l.subjects[k] = h
		if h.empty() {
			by := d.byte()
			if int(by) >= maxIncarnations || l.slots[by] == nil {
				return nil, errSnapshot
			}
			l.pend(l.slots[by], k)
		}
	}
	l.did = nil
	if d.bad || d.rest != "" {
		return nil, errSnapshot
	}
	return l, nil
}

// count puts a subject on the books of its holders, and reports whether all
// are known.
func (l *ledger) count(h holders) bool {
	for s := range slot(maxIncarnations) {
		if !h.has(s) {
			continue
		}
		if l.slots[s] == nil {
			return false
		}
		l.slots[s].holds++
	}
	return true
}

func (d *decoder) incarnation() *incarnation {
	x := &incarnation{slot: slot(d.byte()), id: d.id(), name: d.string(maxName), seq: d.uvarint(), number: d.uvarint()}
	x.seed = seedOf(x.id)
	for i := range x.beats {
		x.beats[i] = d.uvarint()
	}
	x.lapsed = d.byte() == 1
	x.successor = node.ID(d.string(maxName))
	for range d.count() {
		x.predecessors = append(x.predecessors, d.id())
	}
	for range d.count() {
		m := matter{order: d.uvarint(), number: d.uvarint(), key: d.key()}
		m.gone = d.byte() == 1
		m.of = d.id()
		if d.bad {
			break
		}
		x.untold = append(x.untold, m)
	}
	return x
}

// count takes a number of things that follow, which is not above their bytes.
func (d *decoder) count() uint64 {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return n
}
