package natsroster

// maxBlips bounds how many subjects wait for the log although they have ended
// already. What comes and goes past it is not written, and counted.
const maxBlips = 1 << 16

// own is what holds on this node, and what of that the log has not been told.
// Changes of one subject that the log has not been told merge, so there are at
// most two for each: that it came, and that it went.
type own struct {
	of     map[key]holding
	queued map[key]*queued // the changes of those that have some
	ops    []op            // in order, with those that were taken back
	head   int             // of ops
	base   uint64          // the number of ops[0]
	blips  int             // subjects with both changes
	limit  int             // of them: maxBlips, less in tests
	missed int             // subjects that came and went unnoticed
}

// A holding says which of two books a subject is in.
type holding uint8

const (
	held   holding = 1 << iota // on the node
	logged                     // in the log, or on its way there
)

// queued are the numbers of changes; zero for none.
type queued struct{ add, remove uint64 }

type op struct {
	key   key
	gone  bool
	quiet bool
}

func newOwn() own {
	return own{of: make(map[key]holding), queued: make(map[key]*queued), base: 1, limit: maxBlips}
}

// set is a change. Past drain, ends are not written.
func (o *own) set(k key, present, quiet, draining bool) {
	h := o.of[k]
	if present == (h&held != 0) {
		return
	}
	q := o.queued[k]
	switch {
	case present && q != nil && q.remove != 0: // it was never gone
		q.remove = 0
		o.unqueue(k, q)
	case present && h&logged == 0 && q == nil:
		o.queue(k, false, quiet)
	case !present && draining:
	case !present && q != nil && (quiet || o.ops[q.add-o.base].quiet || o.blips >= o.limit):
		if !quiet {
			o.missed++
		}
		q.add = 0
		o.unqueue(k, q)
	case !present && (q != nil || h&logged != 0):
		o.queue(k, true, quiet)
	}
	if present {
		o.mark(k, h|held)
	} else {
		o.mark(k, h&^held)
	}
	o.shrink()
}

// mark writes a holding down, or nothing for one that is over.
func (o *own) mark(k key, h holding) {
	if h == 0 && o.queued[k] == nil {
		delete(o.of, k)
	} else {
		o.of[k] = h
	}
}

func (o *own) queue(k key, gone, quiet bool) {
	number := o.base + uint64(len(o.ops))
	o.ops = append(o.ops, op{k, gone, quiet})
	q := o.queued[k]
	if q == nil {
		q = new(queued)
		o.queued[k] = q
	} else {
		o.blips++
	}
	if gone {
		q.remove = number
	} else {
		q.add = number
	}
}

// unqueue forgets q if nothing is left in it. It may have been a blip.
func (o *own) unqueue(k key, q *queued) {
	if q.add == 0 && q.remove == 0 {
		delete(o.queued, k)
	} else {
		o.blips--
	}
}

// dirty reports whether there are changes.
func (o *own) dirty() bool { return len(o.queued) > 0 }

// take appends changes to a batch until that is full, in their order.
func (o *own) take(list []entry, room int) []entry {
	for ; o.head < len(o.ops) && len(list) < batchEntries; o.head++ {
		c := o.ops[o.head]
		q, number := o.queued[c.key], o.base+uint64(o.head)
		if q == nil || q.add != number && q.remove != number {
			o.ops[o.head] = op{}
			continue // taken back
		}
		e := entry{kind: entryAdd, key: c.key}
		switch {
		case c.gone && c.quiet:
			e.kind = entryRemoveQuiet
		case c.gone:
			e.kind = entryRemove
		case c.quiet:
			e.kind = entryAddQuiet
		}
		if room -= e.size(); room < 0 && len(list) > 0 {
			break
		}
		list = append(list, e)
		o.ops[o.head] = op{}
		h := o.of[c.key]
		if c.gone {
			q.remove, h = 0, h&^logged
		} else {
			q.add, h = 0, h|logged
		}
		o.unqueue(c.key, q)
		o.mark(c.key, h)
	}
	o.shrink()
	return list
}

// shrink gives back the memory of changes that were taken, or taken back: what
// is kept is bounded by the number of subjects, however often they change.
func (o *own) shrink() {
	end := o.base + uint64(len(o.ops))
	rest := len(o.ops) - o.head
	switch {
	case len(o.queued) == 0:
		o.base, o.ops, o.head = end, nil, 0
	case rest > 64 && rest > 4*len(o.queued):
		var ops []op
		for i, c := range o.ops[o.head:] {
			number, next := o.base+uint64(o.head+i), end+uint64(len(ops))
			q := o.queued[c.key]
			switch {
			case q == nil:
				continue
			case q.add == number:
				q.add = next
			case q.remove == number:
				q.remove = next
			default:
				continue
			}
			ops = append(ops, c)
		}
		o.base, o.ops, o.head = end, ops, 0
	case o.head > 1024 && o.head > len(o.ops)/2:
		o.base += uint64(o.head)
		o.ops, o.head = append([]op(nil), o.ops[o.head:]...), 0
	}
}

// resync begins anew with a log that knows nothing of this node. What it was
// told before is quiet, if that is no news to anybody.
func (o *own) resync(quiet bool) {
	before, base, limit, missed := o.of, o.base+uint64(len(o.ops)), o.limit, o.missed
	*o = newOwn()
	o.base, o.limit, o.missed = base, limit, missed
	for _, members := range []bool{false, true} {
		for k, h := range before {
			if h&held != 0 && isMember(k) == members {
				o.of[k] = held
				o.queue(k, false, quiet && h&logged != 0)
			}
		}
	}
}
