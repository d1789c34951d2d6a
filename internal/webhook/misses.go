package webhook

import "time"

// missEvery is how long a channel's second cache miss is no news, unless there
// was a cached event in between.
const missEvery = 5 * time.Second

// A place is a channel of an app.
type place struct{ app, channel string }

// misses are the channels whose cache miss was news a short time ago. All are
// remembered equally long, so they end in the order in which they began. The
// recorder's lock guards it.
type misses struct {
	recent map[place]*miss
	order  []*miss // with those that were canceled
	head   int     // of order
}

// A miss is one channel.
type miss struct {
	place    place
	until    time.Time
	canceled bool
}

// begin remembers p, and reports whether it is news. First says that it is the
// only one, so that the clock has to be set.
func (m *misses) begin(p place, now time.Time) (news, first bool) {
	if m.recent[p] != nil {
		return false, false
	}
	m.skip()
	if m.recent == nil {
		m.recent = make(map[place]*miss)
	}
	one := &miss{place: p, until: now.Add(missEvery)}
	m.recent[p] = one
	m.order = append(m.order, one)
	return true, len(m.order)-m.head == 1
}

// cancel forgets p before its time.
func (m *misses) cancel(p place) {
	if one := m.recent[p]; one != nil {
		delete(m.recent, p)
		one.canceled = true
	}
}

// expire forgets those whose time is over, and returns when there will be
// more, or zero.
func (m *misses) expire(now time.Time) time.Time {
	for m.skip(); m.head < len(m.order) && !m.order[m.head].until.After(now); m.skip() {
		delete(m.recent, m.order[m.head].place)
		m.order[m.head] = nil
		m.head++
	}
	if m.head == len(m.order) {
		return time.Time{}
	}
	return m.order[m.head].until
}

// skip takes those that were canceled off the front, and gives memory back.
func (m *misses) skip() {
	for m.head < len(m.order) && m.order[m.head].canceled {
		m.order[m.head] = nil
		m.head++
	}
	if m.head == len(m.order) {
		m.order, m.head = nil, 0
	} else if m.head > 1024 && m.head > len(m.order)/2 {
		m.order = append([]*miss(nil), m.order[m.head:]...)
		m.head = 0
	}
}

// expireEvery bounds how often misses are looked at.
const expireEvery = 10 * time.Millisecond

// expireMisses is the goroutine that gives back what is remembered of misses.
// It costs nothing while there are none.
func (r *recorder) expireMisses() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-r.missed:
		case <-timer.C:
		}
		r.mu.Lock()
		next := r.misses.expire(time.Now())
		r.mu.Unlock()
		if next.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(time.Until(next), expireEvery))
	}
}
