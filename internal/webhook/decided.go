package webhook

// manyDecided bounds how many events are remembered, twice: of more, those
// that were queued first are forgotten, and may be told again.
const manyDecided = 1 << 17

// decided are events that queues have which were taken over, so that what was
// queued before its node died is not queued again. The zero value is none.
type decided struct{ young, old map[eventOf]struct{} }

// An eventOf is an event for one endpoint.
type eventOf struct {
	to address
	id eventID
}

func (d *decided) add(to address, id eventID) {
	if len(d.young) >= manyDecided {
		d.old, d.young = d.young, nil
	}
	if d.young == nil {
		d.young = make(map[eventOf]struct{})
	}
	d.young[eventOf{to, id}] = struct{}{}
}

func (d *decided) has(to address, id eventID) bool {
	_, young := d.young[eventOf{to, id}]
	_, old := d.old[eventOf{to, id}]
	return young || old
}

// merge adds all of another, the older ones first.
func (d *decided) merge(other decided) {
	for _, part := range []map[eventOf]struct{}{other.old, other.young} {
		for e := range part {
			d.add(e.to, e.id)
		}
	}
}
