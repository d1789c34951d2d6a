package idempotency

import (
	"sync"
	"time"
)

// windowSlots is how many slots there are for the time that keys are kept, with the
// one that has begun.
const windowSlots = 11

// shares are how much each app has put into the bucket from this node. None may take
// all of the room.
type shares struct {
	limit int64 // of one app

	mu    sync.Mutex
	slot  int64 // the latest
	byApp map[string]*[windowSlots]int64
}

// full reports whether an app has no room left.
func (s *shares) full(app string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnLocked(now)
	sum := int64(0)
	if used := s.byApp[app]; used != nil {
		for _, n := range used {
			sum += n
		}
	}
	return sum+recordCost > s.limit
}

// add notes that an app uses n bytes more.
func (s *shares) add(app string, n int64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnLocked(now)
	used := s.byApp[app]
	if used == nil {
		used = new([windowSlots]int64)
		if s.byApp == nil {
			s.byApp = make(map[string]*[windowSlots]int64)
		}
		s.byApp[app] = used
	}
	used[s.slot%windowSlots] += n
}

// turnLocked forgets what is older than the keys. s.mu is held.
func (s *shares) turnLocked(now time.Time) {
	slot := now.UnixNano() / int64(Kept/(windowSlots-1))
	if slot <= s.slot { // the clock may have been set back
		return
	}
	for app, used := range s.byApp {
		sum := int64(0)
		for i := range used {
			if age := (slot - int64(i)) % windowSlots; age < slot-s.slot {
				used[i] = 0
			}
			sum += used[i]
		}
		if sum == 0 {
			delete(s.byApp, app)
		}
	}
	s.slot = slot
}
