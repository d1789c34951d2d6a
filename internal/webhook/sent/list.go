package sent

import (
	"cmp"
	"time"

	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// A Filter says which requests are listed. Empty members take all.
type Filter struct {
	App, Endpoint  string
	State          State
	Event, Channel string // of one of the events
	Before         Place  // those that come behind it in the list
}

// A Place is where a request stands in the list: the newest come first. The zero
// value is in front of all.
type Place struct {
	Began time.Time
	ID    string
}

// Compare orders places as the list has them.
func (p Place) Compare(q Place) int {
	return cmp.Or(q.Began.Compare(p.Began), cmp.Compare(p.ID, q.ID))
}

// Place is where the request stands.
func (r *Request) Place() Place { return Place{r.Began, r.ID} }

// List returns requests that pass a filter, the newest first, as many as limit, and
// whether there are more.
func (l *Log) List(f Filter, limit int) (requests []Request, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := &l.all
	if f.App != "" && f.Endpoint != "" {
		if from = l.lists[queue.Address{App: f.App, Endpoint: f.Endpoint}]; from == nil {
			return nil, false
		}
	}
	for at := from.Front(); at != nil; at = at.Next() {
		r := &at.Value.(*Entry).Request
		if !f.passes(r) {
			continue
		}
		if len(requests) == limit {
			return requests, true
		}
		requests = append(requests, *r)
	}
	return requests, false
}

// passes reports whether a request is to be listed.
func (f *Filter) passes(r *Request) bool {
	switch {
	case f.App != "" && r.To.App != f.App,
		f.Endpoint != "" && r.To.Endpoint != f.Endpoint,
		f.State != "" && r.State != f.State,
		!f.Before.Began.IsZero() && f.Before.Compare(r.Place()) >= 0:
		return false
	case f.Event == "" && f.Channel == "":
		return true
	}
	for _, e := range r.Events {
		if (f.Event == "" || e.Name == f.Event) && (f.Channel == "" || e.Channel == f.Channel) {
			return true
		}
	}
	return false
}
