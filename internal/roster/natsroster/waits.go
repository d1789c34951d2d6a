package natsroster

import "time"

// waits are subjects that nobody holds and that this node is to settle. All
// wait equally long, so they end in the order in which they began: members
// before their channel.
type waits struct {
	of    map[key]*wait
	order []*wait // with those that were canceled
	head  int     // of order
}

type wait struct {
	key      key
	until    time.Time
	canceled bool
}

// begin makes k wait, from now on even if it does already.
func (ws *waits) begin(k key, until time.Time) {
	if w := ws.of[k]; w != nil {
		w.canceled = true
	}
	if ws.of == nil {
		ws.of = make(map[key]*wait)
	}
	w := &wait{key: k, until: until}
	ws.of[k] = w
	ws.order = append(ws.order, w)
}

// next returns when the next wait ends, or zero.
func (ws *waits) next() time.Time {
	for ws.head < len(ws.order) && ws.order[ws.head].canceled {
		ws.order[ws.head] = nil
		ws.head++
	}
	if ws.head == len(ws.order) {
		ws.order, ws.head = nil, 0
		return time.Time{}
	}
	if ws.head > 1024 && ws.head > len(ws.order)/2 {
		ws.order = append([]*wait(nil), ws.order[ws.head:]...)
		ws.head = 0
	}
	return ws.order[ws.head].until
}

// due takes a key whose wait has ended.
func (ws *waits) due(now time.Time) (key, bool) {
	if next := ws.next(); next.IsZero() || next.After(now) {
		return "", false
	}
	w := ws.order[ws.head]
	ws.order[ws.head] = nil
	ws.head++
	delete(ws.of, w.key)
	return w.key, true
}
