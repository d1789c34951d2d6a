package history

import (
	"fmt"
	"strconv"
	"strings"
)

// Event is the name of the events that are counted. Their data begins with a
// [Stream]'s node, a slash and a number; what follows after a second slash does
// not matter.
const Event = "e"

// A Stream is what backends trigger on one channel by way of one node. Its
// events are numbered from 1, and come in this order.
type Stream struct {
	Node    string
	Channel string
}

// A Trigger is an event as the backend knows it.
type Trigger struct {
	Begun, Ended Moment
	OK           bool // accepted; otherwise it is not known whether it was
}

// Trigger says that the next event of a stream is about to be triggered. The
// events of a stream are triggered one after the other; each is followed by
// [History.Triggered].
func (h *History) Trigger(s Stream) (number int, data string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[s] = append(h.streams[s], Trigger{Begun: h.Now(), Ended: forever})
	number = len(h.streams[s])
	return number, fmt.Sprintf("%s/%d", s.Node, number)
}

// Triggered says what became of the last event of a stream.
func (h *History) Triggered(s Stream, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := &h.streams[s][len(h.streams[s])-1]
	t.Ended, t.OK = h.Now(), ok
}

// triggerOf returns the event with a number.
func triggerOf(list []Trigger, n int) Trigger {
	if n < 1 || n > len(list) {
		return Trigger{}
	}
	return list[n-1]
}

// Accepted returns how many events were triggered with success, over all
// streams, and how many without.
func (h *History) Accepted() (ok, not int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, list := range h.streams {
		for _, t := range list {
			if t.OK {
				ok++
			} else {
				not++
			}
		}
	}
	return ok, not
}

// arrivals are the events of a stream that a subscription got.
type arrivals struct {
	first, last int
	count       int
	gaps        []gap
}

// A gap is numbers that did not come: those from the first up to, but without,
// the second.
type gap struct {
	from, to int
	at       Moment // when the next one came
}

// add takes the next event, and says what is wrong with it.
func (a *arrivals) add(n int, at Moment) (fault string) {
	a.count++
	switch {
	case a.first == 0:
		a.first, a.last = n, n
	case n == a.last+1:
		a.last = n
	case n > a.last:
		a.gaps = append(a.gaps, gap{a.last + 1, n, at})
		a.last = n
	default:
		return a.late(n)
	}
	return ""
}

// late says whether an event that is behind the last one came before.
func (a *arrivals) late(n int) string {
	if n < a.first {
		return fmt.Sprintf("came after %d", a.last)
	}
	for _, g := range a.gaps {
		if n >= g.from && n < g.to {
			return fmt.Sprintf("came after %d", a.last)
		}
	}
	return fmt.Sprintf("came twice, the second time after %d", a.last)
}

// parseData reads the data of a counted event.
func parseData(data string) (node string, n int, ok bool) {
	node, rest, found := strings.Cut(data, "/")
	number, _, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(number)
	return node, n, found && err == nil && n > 0
}
