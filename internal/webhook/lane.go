package webhook

import (
	"cmp"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// An item is an event that waits to be delivered.
type item struct {
	event *event
	of    *stored
	index int // in its record
}

// inOrder compares items by when they came into the queue.
func inOrder(a, b item) int {
	return cmp.Or(a.of.number.compare(b.of.number), cmp.Compare(a.index, b.index))
}

// A lane is the events of one channel that wait, in order. While it is busy,
// some of them are in a request that is not over.
type lane struct {
	channel string
	items   []item
	busy    bool
}

// insert puts an item where it belongs: at the end, but for what comes from a
// queue that was taken over.
func (l *lane) insert(it item) {
	i := len(l.items)
	for i > 0 && inOrder(it, l.items[i-1]) < 0 {
		i--
	}
	l.items = slices.Insert(l.items, i, it)
}

// lanes are those that can go, in the order in which they could.
type lanes struct {
	list   []*lane
	events int // in all of them
}

func (ls *lanes) push(l *lane) {
	ls.list = append(ls.list, l)
	ls.events += len(l.items)
}

// take returns up to n events of the first lanes, of about so many bytes, and
// the lanes, which are busy from here on.
func (ls *lanes) take(n, bytes int) (items []item, busy []*lane) {
	for len(ls.list) > 0 && len(items) < n && (bytes > 0 || len(items) == 0) {
		l := ls.list[0]
		ls.list[0] = nil
		ls.list = ls.list[1:]
		ls.events -= len(l.items)
		k := 0
		for k < len(l.items) && len(items) < n && (bytes > 0 || len(items) == 0) {
			bytes -= len(l.items[k].event.body)
			items = append(items, l.items[k])
			k++
		}
		if l.items = l.items[k:]; len(l.items) == 0 {
			l.items = nil
		}
		l.busy = true
		busy = append(busy, l)
	}
	if len(ls.list) == 0 {
		ls.list = nil
	}
	slices.SortFunc(items, inOrder)
	return items, busy
}

// formAt returns when the next request is to be formed, or zero if nothing can
// go.
func (e *endpoint) formAt(hook *apps.Webhook) time.Time {
	if len(e.ready.list) == 0 {
		return time.Time{}
	}
	oldest := e.ready.list[0].items[0].event.at
	if hook.Batch && e.ready.events < e.all.sender.cfg.BatchEvents {
		return oldest.Add(e.all.sender.cfg.BatchInterval)
	}
	return oldest
}

// form makes a request of what can go, if it is time.
func (e *endpoint) form(now time.Time, hook *apps.Webhook) *request {
	at := e.formAt(hook)
	if at.IsZero() || now.Before(at) {
		return nil
	}
	cfg := e.all.sender.cfg
	n := 1
	if hook.Batch {
		n = cfg.BatchEvents
	}
	r := &request{term: e.now, formed: now, until: now.Add(cfg.RetryWindow)}
	r.items, r.lanes = e.ready.take(n, cfg.BatchBytes)
	r.body = body(now, r.items)
	return r
}
