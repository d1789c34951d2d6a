package queue

import (
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// An Event is one thing that an endpoint is told. It is immutable.
type Event struct {
	ID EventID
	// Type is what happened; zero if it is of a type that this revision does
	// not know.
	Type    apps.WebhookEvents
	At      time.Time // when it happened or was replayed; see moment
	Channel string
	Body    []byte // a JSON object as it stands in requests
	// Order is that of the decision until the queue has it; zero for what this
	// node has observed itself. It is not stored.
	Order uint64
}

// eventSize is about what an event takes in memory beside its texts.
const eventSize = 128

// Size is about what the event takes in memory.
func (e *Event) Size() int { return len(e.Body) + len(e.Channel) + eventSize }

// Decided reports whether the event is a decision of this node's that no queue
// has yet.
func (e *Event) Decided() bool { return e.Order > 0 }

// moment returns the time that was written as milliseconds since 1970. Who wrote
// it had another clock, or this one before somebody set it. So a time ahead of
// now counts as now, and from here on its age grows with a clock that nobody sets.
func moment(milli int64, now time.Time) time.Time {
	age := now.Sub(time.UnixMilli(max(milli, 0)))
	return now.Add(-max(age, 0))
}

// An EventID is the same for every attempt to deliver an event, also by
// another process. No two events of an endpoint have the same.
type EventID struct {
	Origin string // random, of the process that observed the event, or of the log that decided it
	Number uint64 // of the event there
}

// Append appends the id as receivers see it.
func (id EventID) Append(dst []byte) []byte {
	return strconv.AppendUint(append(append(dst, id.Origin...), '-'), id.Number, 10)
}

func (id EventID) String() string { return string(id.Append(nil)) }
