package queue

import (
	"cmp"
	"context"
	"errors"
)

// An Address is an endpoint of an app, by the names under which its events
// are queued.
type Address struct{ App, Endpoint string }

// An Owner is whose queue a record is in, as it stands in subjects: an
// incarnation, or the name of a node that is in no cluster.
type Owner string

// A Record is some events of one endpoint, which the queue keeps as one.
type Record struct {
	ID     string // by which the queue knows that it has it
	Events []Event
	Bytes  int // the size of all events
}

// A Number is where a record is in the queue. A stream that was lost and made
// again counts from one, so the numbers of one mean nothing in the next.
type Number struct {
	Stream uint32 // which one, of those that this process has seen
	Seq    uint64
}

// Compare orders numbers as the records were published.
func (n Number) Compare(m Number) int {
	return cmp.Or(cmp.Compare(n.Stream, m.Stream), cmp.Compare(n.Seq, m.Seq))
}

// Errors of a store.
var (
	ErrRecord = errors.New("webhook: a record is not as it was written")
	ErrEmpty  = errors.New("webhook: nothing there")
	ErrTaken  = errors.New("webhook: somebody else has taken the queue over")
)

// A Store is where events of webhooks are kept.
type Store struct {
	Queue       Queue
	Claims      Claims // nil unless in a cluster
	DeadLetters DeadLetters
}

// A Queue keeps records until they are removed. All of its methods are safe
// for concurrent use, and records of one owner and address stay in the order in
// which they were published. Numbers are those of all records together, and a
// queue whose stream was lost begins them anew; see [Number].
type Queue interface {
	// Publish starts to store a record, which must not be changed any more.
	// Publishing the same record again stores it once.
	Publish(Owner, Address, *Record) (Ack, error)
	// Next returns the first record of an address whose number is from or
	// more, or ErrEmpty. With ErrRecord there is a number, but no record. If
	// from is a number of a stream that was lost, all numbers are more.
	Next(ctx context.Context, of Owner, to Address, from Number) (Number, *Record, error)
	// Remove forgets one record, and RemoveThrough all records of an address
	// up to a number. That there is none is no error, and with a number of a
	// stream that was lost they do nothing.
	Remove(ctx context.Context, n Number) error
	RemoveThrough(ctx context.Context, of Owner, to Address, n Number) error
	// Backlog returns how much is stored for the endpoints of an owner.
	Backlog(ctx context.Context, of Owner) (Backlog, error)
	// Owners returns those who have records, in no order.
	Owners(context.Context) ([]Owner, error)
	// Scan calls each for the records of an owner, in order; if there are very
	// many in the stream, only for those among the last.
	Scan(ctx context.Context, of Owner, each func(Address, *Record)) error
}

// An Ack is the answer to a record that was published.
type Ack interface {
	// Wait returns the record's number once it is stored.
	Wait(context.Context) (Number, error)
}

// A Backlog is what was in the queue of an owner when it was looked at.
type Backlog struct {
	Owner     Owner
	Endpoints map[Address]Size
}

// A Size is how much is stored for one endpoint.
type Size struct {
	Records int
	Bytes   int64 // about
}

// Claims say which owners have taken over the queues of others.
type Claims interface {
	// All returns who has taken over whose queue.
	All(context.Context) (map[Owner]Claim, error)
	// Claim notes that one owner has taken over the queue of another, unless
	// there was a change after that revision: then it is ErrTaken.
	Claim(ctx context.Context, dead, by Owner, after uint64) error
	// Forget forgets a claim, unless there was a change.
	Forget(ctx context.Context, dead Owner, by Claim) error
}

// A Claim says that an owner has taken over a queue. The zero value is of
// nobody.
type Claim struct {
	By       Owner
	Revision uint64
}

// DeadLetters keep what was given up.
type DeadLetters interface {
	// Put keeps a dead letter, once however often it is put.
	Put(context.Context, *DeadLetter) error
	// List calls each for what was put after a number, in order, until it
	// returns false. Empty fields of the address stand for all.
	List(ctx context.Context, of Address, after uint64, each func(*DeadLetter) bool) error
	Get(ctx context.Context, seq uint64) (*DeadLetter, error) // ErrEmpty: there is none
	// Remove forgets a dead letter, unless something else has its number.
	Remove(context.Context, *DeadLetter) error
}

// A DeadLetter is some events that were given up.
type DeadLetter struct {
	Seq      uint64 // in the store of such
	To       Address
	Host     string // of the endpoint, as far as it is known
	Reason   Reason
	Status   int    // of the last answer; 0 if there was none
	Err      string // of the last attempt
	Attempts int
	At       int64 // when they were given up, in Unix milliseconds
	Events   []Event
}

// A Reason is why events were given up.
type Reason string

// The reasons to give up.
const (
	Exhausted Reason = "exhausted" // tried until the end of the retry window
	Down      Reason = "down"      // waited too long behind an endpoint that never answered
	Overflow  Reason = "overflow"  // too much is queued for the endpoint
	Removed   Reason = "removed"   // the app has no such endpoint any more
)
