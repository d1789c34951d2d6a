package webhook

import (
	"context"
	"errors"
)

// An address is an endpoint of an app, by the names under which its events
// are queued.
type address struct{ app, endpoint string }

// An owner is whose queue a record is in, as it stands in subjects: an
// incarnation, or the name of a node that is in no cluster.
type owner string

// A record is some events of one endpoint, which the queue keeps as one.
type record struct {
	id     string // by which the queue knows that it has it
	events []event
	bytes  int
	landed chan struct{} // closed when the queue has it; nil if nobody waits
	term   *term         // in which it was made
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
	errTaken    = errors.New("webhook: somebody else has taken the queue over")
	errNotTaken = errors.New("webhook: the engine did not take all events")
)

// A queue keeps records until they are removed. All of its methods are safe
// for concurrent use, and records of one owner and address stay in the order in
// which they were published. Numbers are those of all records together, and a
// queue whose store was lost begins them anew; see [number].
type queue interface {
	// publish starts to store a record, which must not be changed any more.
	// Publishing the same record again stores it once.
	publish(owner, address, *record) (ack, error)
	// next returns the first record of an address whose number is from or
	// more, or errEmpty. With errRecord there is a number, but no record. If
	// from is a number of a store that was lost, all numbers are more.
	next(ctx context.Context, of owner, to address, from number) (number, *record, error)
	// remove forgets one record, and removeThrough all records of an address
	// up to a number. That there is none is no error, and with a number of a
	// store that was lost they do nothing.
	remove(ctx context.Context, n number) error
	removeThrough(ctx context.Context, of owner, to address, n number) error
	// backlog returns how much is stored for each address.
	backlog(ctx context.Context, of owner) (map[address]backlog, error)

	estates
	graveyard
}

// Estates are the queues of owners that are gone, and who has taken them over.
type estates interface {
	// owners returns those who have records, in no order.
	owners(context.Context) ([]owner, error)
	// scan calls each for the records of an owner, in order; if there are very
	// many in the stream, only for those among the last.
	scan(ctx context.Context, of owner, each func(address, *record)) error
	// heirs returns who has taken over whose queue.
	heirs(context.Context) (map[owner]heir, error)
	// inherit notes that one owner has taken over the queue of another, unless
	// there was a change after the revision of an heir: then it is errTaken.
	inherit(ctx context.Context, dead, by owner, after uint64) error
	// disinherit forgets an heir, unless there was a change.
	disinherit(ctx context.Context, dead owner, by heir) error
}

// An heir is who has taken over a queue. The zero value is nobody.
type heir struct {
	owner    owner
	revision uint64
}

// A graveyard keeps what was given up.
type graveyard interface {
	bury(context.Context, *burial) error
	// buried calls each for what was buried after a number, in order, until
	// it returns false. Empty fields of the address stand for all.
	buried(ctx context.Context, of address, after uint64, each func(*burial) bool) error
	exhume(ctx context.Context, seq uint64) (*burial, error) // errEmpty: there is none
	// forget forgets what was buried, unless something else has its number.
	forget(ctx context.Context, b *burial) error
}

// A backlog is what is stored for one endpoint.
type backlog struct {
	records int
	bytes   int64 // about
}

// An ack is the answer to a record that was published.
type ack interface {
	// wait returns the record's number once it is stored.
	wait(context.Context) (number, error)
}
