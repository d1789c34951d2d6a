package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// EventResume is the verdict on a subscription that asks for missed events.
const EventResume = "belfry:resume"

// A Recovery is what a client got on one channel over all its connections, on which it
// asks for what it has missed. From a verdict on that does not say recovered, it must
// get each event once and in order, until another one does not.
type Recovery struct {
	Client, Channel string

	h  *History
	mu sync.Mutex
	// Guarded by mu.
	sockets  []string          // former ids of the client
	position map[string]string // the place of the last event, by publisher; nil before the first verdict
	began    Moment            // of the verdict from which on nothing may be missing
	last     map[string]int    // number of the last event, by node
	missing  []lack            // which a verdict may still explain
	verdicts map[string]int    // by what they say
	faults   []string
}

// A lack is events of a node that have not come: those from the first up to, but
// without, the second.
type lack struct {
	node     string
	from, to int
}

// Recover begins to judge what a client gets on a channel.
func (h *History) Recover(client, channel string) *Recovery {
	r := &Recovery{Client: client, Channel: channel, h: h, last: make(map[string]int), verdicts: make(map[string]int)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recoveries = append(h.recoveries, r)
	return r
}

// Request is what the client asks for with its subscription on a socket of that id.
func (r *Recovery) Request(socket string) map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	const most = 16
	former := r.sockets[max(0, len(r.sockets)-most):]
	r.sockets = append(r.sockets, socket)
	if r.position == nil {
		return map[string]any{}
	}
	return map[string]any{"position": strings.Join(slices.Sorted(maps.Values(r.position)), ","), "socket_ids": former}
}

// Receive takes a frame of the channel.
func (r *Recovery) Receive(f Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch f.Event {
	case Event:
		r.at(f.Position)
		if node, n, ok := parseData(f.Data); ok {
			r.arrived(node, n)
		}
	case EventResume:
		r.judged(f)
	}
}

// at moves the position on to a place. The caller holds r.mu.
func (r *Recovery) at(place string) {
	if r.position != nil && place != "" {
		publisher, _, _ := strings.Cut(place, "-")
		r.position[publisher] = max(r.position[publisher], place)
	}
}

// arrived is an event of a node. The caller holds r.mu.
func (r *Recovery) arrived(node string, n int) {
	last, known := r.last[node]
	switch {
	case !known && r.position != nil:
		r.missing = append(r.missing, lack{node, 1, n}) // but for those from before the verdict
	case known && n <= last:
		r.fault("event %s/%d came after %d", node, n, last)
		return
	case known && n > last+1:
		r.missing = append(r.missing, lack{node, last + 1, n})
	}
	r.last[node] = n
}

// judged is a verdict. The caller holds r.mu.
func (r *Recovery) judged(f Frame) {
	var v struct {
		Recovered        *bool
		Reason, Position string
	}
	if err := json.Unmarshal([]byte(f.Data), &v); err != nil || v.Recovered == nil && r.position != nil {
		r.fault("the verdict %s on a position", f.Data)
		return
	}
	if v.Recovered != nil && *v.Recovered {
		r.verdicts["recovered"]++
	} else {
		if v.Recovered != nil {
			r.verdicts[v.Reason]++
		}
		r.began, r.missing = f.At, nil
		clear(r.last)
	}
	r.position = make(map[string]string)
	for place := range strings.SplitSeq(v.Position, ",") {
		r.at(place)
	}
}

// fault notes a mistake. The caller holds r.mu.
func (r *Recovery) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf("%s on %s at %v: %s", r.Client, r.Channel, r.h.Now(), fmt.Sprintf(format, args...)))
}

// faultsLocked returns everything that must not have happened: a repeat, a wrong order,
// and events that have not come although no verdict says so. The caller holds h.mu.
func (r *Recovery) faultsLocked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	faults := slices.Clone(r.faults)
	for _, m := range r.missing {
		for n := m.from; n < m.to; n++ {
			if t := triggerOf(r.h.streams[Stream{m.node, r.Channel}], n); r.dueLocked(m.node, t) {
				faults = append(faults, fmt.Sprintf("%s on %s: event %s/%d is missing, and no verdict says so (triggered at %v)", r.Client, r.Channel, m.node, n, t.Begun))
			}
		}
	}
	return faults
}

// dueLocked reports whether an event must come: it was accepted after the client began,
// by a node that did not die with it. The caller holds h.mu and r.mu.
func (r *Recovery) dueLocked(node string, t Trigger) bool {
	died := slices.ContainsFunc(r.h.deaths, func(l loss) bool { return l.node == node && t.Begun <= l.to && t.Ended >= l.from })
	return t.OK && t.Begun > r.began && !died
}

// unsettledLocked returns the last events that have not come yet. The caller holds
// h.mu.
func (r *Recovery) unsettledLocked() (missing []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.position == nil {
		return []string{fmt.Sprintf("%s on %s: there was no verdict", r.Client, r.Channel)}
	}
	for stream, triggers := range r.h.streams {
		if stream.Channel != r.Channel {
			continue
		}
		for n := len(triggers); n > r.last[stream.Node]; n-- {
			if r.dueLocked(stream.Node, triggerOf(triggers, n)) {
				missing = append(missing, fmt.Sprintf("%s on %s: event %s/%d has not come, the last was %d", r.Client, r.Channel, stream.Node, n, r.last[stream.Node]))
				break
			}
		}
	}
	return missing
}

// Dies allows that events which a node has accepted shortly before now are known to
// nobody else.
func (h *History) Dies(node string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	h.deaths = append(h.deaths, loss{node, now - inFlight, now + inFlight})
}

// Verdicts are how often clients that came back were told what.
func (h *History) Verdicts() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[string]int)
	for _, r := range h.recoveries {
		r.mu.Lock()
		for what, n := range r.verdicts {
			all[what] += n
		}
		r.mu.Unlock()
	}
	return all
}
