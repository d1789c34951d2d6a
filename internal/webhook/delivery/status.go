package delivery

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// A State is how an endpoint is.
type State string

// The states of an endpoint.
const (
	OK      State = "ok"
	Failing State = "failing" // the last attempts have failed
	Down    State = "down"    // so many that it is tried with one request at a time
)

// A Status is what operators are told of an endpoint. Times are zero if there
// was no such attempt.
type Status struct {
	State       State
	QueuedBytes int64 // about
	Failures    int   // in a row
	LastSuccess time.Time
	LastFailure time.Time
	LastStatus  int
	LastError   string
	Oldest      time.Time // of what is queued and not done; zero for nothing
}

// Status returns how an endpoint is. One that has had nothing to do yet is OK.
func (d *Dispatcher) Status(to queue.Address) Status {
	d.mu.Lock()
	e := d.all[to]
	d.mu.Unlock()
	if e == nil {
		return Status{State: OK}
	}
	c := e.health.now()
	s := Status{State: OK, Failures: c.failures, LastSuccess: c.lastSuccess, LastFailure: c.lastFailure,
		LastStatus: c.lastStatus, LastError: c.lastError, Oldest: e.inbox.oldest()}
	s.QueuedBytes, _ = e.inbox.size()
	switch {
	case c.open():
		s.State = Down
	case c.lastError != "":
		s.State = Failing
	}
	return s
}

// Totals returns sums over all endpoints.
func (d *Dispatcher) Totals() (t Totals) {
	t.MemoryBytes = d.site.memory.Load()
	for _, e := range d.list() {
		bytes, records := e.inbox.size()
		t.QueuedBytes += bytes
		t.Records += records
		if e.inbox.working() {
			t.Busy++
		}
		if c := e.health.now(); c.open() {
			t.Down++
		}
	}
	return t
}

// EachOldest calls see with the time of the oldest event of each endpoint that
// has one.
func (d *Dispatcher) EachOldest(see func(time.Time)) {
	for _, e := range d.list() {
		if at := e.inbox.oldest(); !at.IsZero() {
			see(at)
		}
	}
}

// A Trial is what became of a request that was sent beside the queue.
type Trial struct {
	Status int    // of the answer; 0 if there was none
	Err    error  // nil if the endpoint has taken it; never a URL in it
	Reason string // of an error, as in metrics
	Took   time.Duration
}

// Try sends one event to an endpoint at once, beside its queue, and waits for
// the answer. The app has a key.
func (d *Dispatcher) Try(ctx context.Context, app *apps.App, hook *apps.Webhook, e queue.Event) Trial {
	items := []item{{event: &e}}
	r := &request{items: items, body: body(time.Now(), items)}
	r.sign(app)
	o := post(ctx, &d.site.Policy, hook, r.body, r.header(hook))
	return Trial{o.status, o.err, string(o.cause), o.took}
}
