package delivery

import (
	"time"

	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// A source is one queue from which an endpoint gets records: this node's own,
// or one that it has taken over. The lock of the inbox guards it.
type source struct {
	owner       queue.Owner
	since       time.Time // nothing in it counts as older; immutable
	behind      bool      // there are records in the queue from cursor on
	unread      time.Time // none of those is older, as far as that is known
	cursor      uint64
	last        uint64        // the highest number that was accepted here
	head        *queue.Record // was read, and waits for older ones of other sources
	headAt      queue.Number  // where it was
	outstanding []*stored     // in memory or just done, in order
	dropped     bool          // it is somebody else's
}

// A stored record is one that is in the queue and in memory. The lock of the
// inbox guards left and removed.
type stored struct {
	number  queue.Number
	from    *source
	bytes   int
	at      time.Time // of its first event
	events  []queue.Event
	left    int  // events that are neither delivered nor given up
	removed bool // from the queue, out of order
}

// beBehindLocked says that there are records to be read, the first of which
// came at that time. The lock of the inbox is held.
func (s *source) beBehindLocked(at time.Time) {
	if !s.behind {
		s.behind, s.unread = true, at
	}
}

// A removal is what is to be removed of one queue: all through a number, unless
// that is zero, and others one by one.
type removal struct {
	of      queue.Owner
	through queue.Number
	alone   []queue.Number
}

// finishedLocked takes records off the books that are to be removed. The lock
// of the inbox is held.
func (s *source) finishedLocked() removal {
	done := removal{of: s.owner}
	n := 0
	for n < len(s.outstanding) && s.outstanding[n].left == 0 {
		n++
	}
	switch {
	case n > 1:
		done.through = s.outstanding[n-1].number
	case n == 1 && !s.outstanding[0].removed:
		done.alone = append(done.alone, s.outstanding[0].number)
	}
	if s.outstanding = s.outstanding[n:]; len(s.outstanding) == 0 {
		s.outstanding = nil
	}
	for _, one := range s.outstanding {
		if one.left == 0 && !one.removed {
			one.removed = true
			done.alone = append(done.alone, one.number)
		}
	}
	return done
}
