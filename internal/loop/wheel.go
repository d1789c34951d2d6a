package loop

import (
	"math/bits"
	"time"
)

const (
	// tick is the grain of a wheel: a deadline fires up to one tick late and
	// never early.
	tick = 50 * time.Millisecond
	// slots is a power of two. A deadline further away than slots ticks waits
	// in its slot for more than one turn of the wheel.
	slots = 1024
)

// A wheel holds the deadlines of a loop's sockets: setting, moving and
// clearing one costs the same however many there are.
type wheel struct {
	zero time.Time            // tick 0
	at   int64                // the last tick that was advanced over
	slot [slots + 1]*deadline // the last one holds what is being fired
	busy [slots / 64]uint64   // bit set: the slot is not empty
}

// firing is the slot of the deadlines that are due and not told yet.
const firing = slots

// A deadline is an entry of a wheel. The zero value is not set.
type deadline struct {
	owner      expirer // set once
	due        int64   // in ticks; 0 means not set
	slot       int     // that it is in while it is set
	next, prev *deadline
}

// An expirer is told that its deadline has passed.
type expirer interface{ expired() }

func (w *wheel) start(now time.Time) { w.zero = now }

// set makes d fire at t, instead of when it was going to.
func (w *wheel) set(d *deadline, t time.Time) {
	due := max(int64((t.Sub(w.zero)+tick-1)/tick), w.at+1)
	if due == d.due {
		return
	}
	w.clear(d)
	d.due = due
	w.link(d, int(due%slots))
}

func (w *wheel) link(d *deadline, slot int) {
	d.slot, d.prev, d.next = slot, nil, w.slot[slot]
	if d.next != nil {
		d.next.prev = d
	}
	w.slot[slot] = d
	if slot != firing {
		w.busy[slot/64] |= 1 << (slot % 64)
	}
}

func (w *wheel) unlink(d *deadline) {
	if d.prev != nil {
		d.prev.next = d.next
	} else if w.slot[d.slot] = d.next; d.next == nil && d.slot != firing {
		w.busy[d.slot/64] &^= 1 << (d.slot % 64)
	}
	if d.next != nil {
		d.next.prev = d.prev
	}
	d.next, d.prev = nil, nil
}

// clear makes sure that d does not fire.
func (w *wheel) clear(d *deadline) {
	if d.due != 0 {
		w.unlink(d)
		d.due = 0
	}
}

// advance fires all that is due by now. A deadline that fires may set and
// clear itself and others.
func (w *wheel) advance(now time.Time) {
	to := int64(now.Sub(w.zero) / tick)
	// After a pause longer than a turn of the wheel, one turn sees all.
	for from := max(w.at+1, to-slots+1); from <= to; from++ {
		w.at = from
		w.fireSlot(int(from%slots), to)
	}
	w.at = max(w.at, to)
}

// fireSlot fires what is due in one slot. All of that is put aside first,
// because firing may set and clear what it likes.
func (w *wheel) fireSlot(slot int, now int64) {
	for d := w.slot[slot]; d != nil; {
		next := d.next
		if d.due <= now {
			w.unlink(d)
			w.link(d, firing)
		}
		d = next
	}
	for w.slot[firing] != nil {
		d := w.slot[firing]
		w.clear(d)
		d.owner.expired()
	}
}

// next is when the wheel has something to do, or the zero time when it is
// empty. It may be too early for a deadline beyond one turn.
func (w *wheel) next() time.Time {
	start := int((w.at + 1) % slots)
	for k := 0; k <= slots/64; k++ {
		word := (start/64 + k) % (slots / 64)
		b := w.busy[word]
		switch k {
		case 0:
			b &^= 1<<(start%64) - 1
		case slots / 64:
			b &= 1<<(start%64) - 1
		}
		if b != 0 {
			i := word*64 + bits.TrailingZeros64(b)
			ticks := int64((i-start+slots)%slots + 1)
			return w.zero.Add(time.Duration(w.at+ticks) * tick)
		}
	}
	return time.Time{}
}
