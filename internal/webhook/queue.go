package webhook

import (
	"context"
	"errors"
)

// An address is an endpoint of an app, by the names under which its events
// are queued.
type address struct{ app, endpoint string }

// A record is some events of one endpoint, which the queue keeps as one.
type record struct {
	id     string // by which the queue knows that it has it
	events []event
	bytes  int
	landed chan struct{} // closed when the queue has it; nil if nobody waits
}

// A burial is some events that were given up.
type burial struct {
	seq      uint64 // in the store of such
	to       address
	host     string // of the endpoint, as far as it is known
	reason   buryReason
	status   int    // of the last answer; 0 if there was none
	err      string // of the last attempt
	attempts int
	at       int64 // when they were given up, in Unix milliseconds
	events   []event
}

// A buryReason is why events were given up.
type buryReason string

// The reasons to give up.
const (
	buryExhausted buryReason = "exhausted" // tried until the end of the retry window
	buryDown      buryReason = "down"      // waited too long behind an endpoint that never answered
	buryOverflow  buryReason = "overflow"  // too much is queued for the endpoint
	buryRemoved   buryReason = "removed"   // the app has no such endpoint any more
)

// Errors of a queue.
var (
	errRecord   = errors.New("webhook: a record is not as it was written")
	errEmpty    = errors.New("webhook: nothing there")
	errNotTaken = errors.New("webhook: the engine did not take all events")
)

// A queue keeps records until they are removed. All of its methods are safe
// for concurrent use, and records of one address stay in the order in which
// they were published.
type queue interface {
	// publish starts to store a record, which must not be changed any more.
	// Publishing the same record again stores it once.
	publish(address, *record) (ack, error)
	// next returns the first record of an address whose number is from or
	// more, or errEmpty. With errRecord there is a number, but no record.
	next(ctx context.Context, to address, from uint64) (uint64, *record, error)
	// remove forgets one record, and removeThrough all records of an address
	// up to a number. That there is none is no error.
	remove(ctx context.Context, seq uint64) error
	removeThrough(ctx context.Context, to address, seq uint64) error
	// backlog returns how much is stored for each address.
	backlog(ctx context.Context) (map[address]backlog, error)

	bury(context.Context, *burial) error
	// buried calls each for what was buried after a number, in order, until
	// it returns false. Empty fields of the address stand for all.
	buried(ctx context.Context, of address, after uint64, each func(*burial) bool) error
	exhume(ctx context.Context, seq uint64) (*burial, error) // errEmpty: there is none
	forget(ctx context.Context, seq uint64) error            // of what was buried
}

// A backlog is what is stored for one endpoint.
type backlog struct {
	records int
	bytes   int64 // about
}

// An ack is the answer to a record that was published.
type ack interface {
	// wait returns the record's number once it is stored.
	wait(context.Context) (uint64, error)
}
