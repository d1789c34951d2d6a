package usage

import (
	"math"
	"sync"
	"time"
)

// What is remembered of the last hours: of the busiest apps, so many slots of one
// minute and of five.
const (
	recentApps   = 1000
	minuteSlots  = 180
	fiveSlots    = 288
	figuresCount = 5
)

// A Slot is what an app used within a minute or five. With several nodes the peak is
// the sum of theirs.
type Slot struct {
	At              time.Time `json:"at"` // its beginning
	PeakConnections int       `json:"peak_connections"`
	BackendEvents   uint64    `json:"backend_events"`
	ClientEvents    uint64    `json:"client_events"`
	Deliveries      uint64    `json:"deliveries"`
	Requests        uint64    `json:"requests"`
}

// Add puts what another node has of the same time to it.
func (s *Slot) Add(o Slot) {
	s.PeakConnections += o.PeakConnections
	s.BackendEvents += o.BackendEvents
	s.ClientEvents += o.ClientEvents
	s.Deliveries += o.Deliveries
	s.Requests += o.Requests
}

// A minuteNumber is minutes since 1970.
type minuteNumber int64

func minuteOf(t time.Time) minuteNumber { return minuteNumber(t.Unix() / 60) }

func (n minuteNumber) time() time.Time { return time.Unix(int64(n)*60, 0).UTC() }

// figures are those of a slot: peak, backend events, client events, deliveries,
// requests. What does not fit stays at the most.
type figures [figuresCount]uint32

func (f *figures) add(s Sample) {
	f[0] = max(f[0], clamp(uint64(s.PeakConnections)))
	for i, n := range [...]uint64{s.BackendEvents, s.ClientEvents, s.Deliveries, s.Requests} {
		f[i+1] = clamp(uint64(f[i+1]) + n)
	}
}

func clamp(n uint64) uint32 { return uint32(min(n, 1<<32-1)) }

func (f *figures) slot(at time.Time) Slot {
	return Slot{at, int(f[0]), uint64(f[1]), uint64(f[2]), uint64(f[3]), uint64(f[4])}
}

// A ring has the last slots of an app, each of so many minutes.
type ring struct {
	last  int64 // the number of the latest slot
	slots []figures
}

func (r *ring) turn(number int64) {
	n := int64(len(r.slots))
	for gone := min(number-r.last, n); gone > 0; gone-- {
		r.slots[(number-gone+1)%n] = figures{}
	}
	r.last = max(r.last, number)
}

// add counts in a slot, unless it is too long ago.
func (r *ring) add(number int64, s Sample) {
	r.turn(number)
	if n := int64(len(r.slots)); r.last-number < n {
		r.slots[number%n].add(s)
	}
}

// A series is what is remembered of an app.
type series struct {
	from   minuteNumber // before which nothing is known
	busy   float64      // how much it is used, what is long ago counts less
	minute ring
	five   ring
	total  totals
}

// recent is what is remembered of the last hours.
type recent struct {
	mu     sync.Mutex
	began  minuteNumber
	taken  time.Time    // when usage was asked for last
	minute minuteNumber // that what was asked for belongs to
	full   bool         // an app was left out or forgotten
	series map[string]*series
	idlest string // of them, if it is known
}

// fading is what a minute takes of how busy an app was.
const fading = 0.98

// take is called before what was used is added. That was used since the last time, so
// it belongs to the minute of that.
func (r *recent) take(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.minute = minuteOf(r.taken)
	passed := minuteOf(now) - r.minute
	r.taken = now
	if passed <= 0 { // asked again within the minute, or the clock was set back
		return
	}
	fade := math.Pow(fading, float64(passed))
	r.idlest = ""
	for _, s := range r.series {
		s.busy *= fade
	}
}

func (r *recent) add(app string, sample Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	minute := r.minute
	use := float64(sample.PeakConnections) + float64(sample.BackendEvents+sample.ClientEvents+sample.Deliveries+sample.Requests)
	s := r.series[app]
	if s == nil {
		if s = r.enter(app, minute, use); s == nil {
			return
		}
	}
	s.busy += use
	s.minute.add(int64(minute), sample)
	s.five.add(int64(minute)/5, sample)
	s.total.add(sample)
}

// enter makes room for an app, if it is busier than some other. r.mu is held.
func (r *recent) enter(app string, minute minuteNumber, use float64) *series {
	from := r.began
	if len(r.series) >= recentApps {
		r.full = true
		if r.idlest == "" {
			for id, s := range r.series {
				if r.idlest == "" || s.busy < r.series[r.idlest].busy {
					r.idlest = id
				}
			}
		}
		if r.series[r.idlest].busy >= use {
			return nil
		}
		delete(r.series, r.idlest)
		r.idlest = ""
	}
	if r.full { // it may have been there before
		from = minute
	}
	if r.series == nil {
		r.series = map[string]*series{}
	}
	s := &series{
		from:   from,
		minute: ring{last: int64(minute), slots: make([]figures, minuteSlots)},
		five:   ring{last: int64(minute) / 5, slots: make([]figures, fiveSlots)},
	}
	r.series[app] = s
	return s
}

// Recent returns what an app used in the last three hours by the minute or, with five,
// in the last day by five minutes: the oldest first, and the slot that is not over at the
// end. It begins when the node did, or when the app became one of the busiest. Nil
// says that nothing is known.
func (r *Recorder) Recent(app string, five bool) []Slot {
	r.refresh()
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	from, now := r.recent.began, minuteOf(r.recent.taken)
	s := r.recent.series[app]
	if s != nil {
		from = s.from
	} else if r.recent.full {
		return nil
	}
	step, most := int64(1), int64(minuteSlots)
	if five {
		step, most = 5, fiveSlots
	}
	last := int64(now) / step
	list := []Slot{}
	for number := max(int64(from)/step, last-most+1); number <= last; number++ {
		at := minuteNumber(number * step).time()
		if s == nil {
			list = append(list, Slot{At: at})
			continue
		}
		rg := &s.minute
		if five {
			rg = &s.five
		}
		rg.turn(last)
		list = append(list, rg.slots[number%most].slot(at))
	}
	return list
}

// LastMinute returns what an app used in the last minute that is over. It asks for
// nothing, so it is about what was told in time.
func (r *Recorder) LastMinute(app string) Slot {
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	before := minuteOf(r.cfg.Now()) - 1
	slot := Slot{At: before.time()}
	s := r.recent.series[app]
	if s == nil || s.minute.last < int64(before) || s.minute.last-int64(before) >= minuteSlots {
		return slot
	}
	return s.minute.slots[int64(before)%minuteSlots].slot(slot.At)
}
