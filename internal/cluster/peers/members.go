package peers

import (
	"bytes"
	"iter"
	"slices"

	"github.com/belfryhq/belfry/protocol"
)

// Members are who is on a presence channel, here or at a peer: users, each counted
// once however many sockets they have there. The zero value is nobody. Whoever uses
// them holds the lock of the channel.
type Members struct {
	byID  map[string]*Member
	order []*Member // in the order in which they came
}

// A Member is one user on one channel.
type Member struct {
	protocol.Member
	Sockets int // here
	At      Set // where else
}

// HeldHere reports whether this node holds the member, for clients that are here or
// that it has sent elsewhere.
func (m *Member) HeldHere() bool { return m.Sockets > 0 || m.At&Lingering != 0 }

// Add counts one more socket of a user here. It reports whether the user is
// new to the channel, and whether it is the first socket here. It also
// reports whether something else is known about the user than before, which
// is what the latest subscription said. It refuses a new user when limit are
// present (0: no limit).
func (ms *Members) Add(m protocol.Member, limit int) (added, first, changed, ok bool) {
	known := ms.byID[m.UserID]
	if known == nil {
		if limit > 0 && len(ms.order) >= limit {
			return false, false, false, false
		}
		known = ms.enter(m)
		added = true
	}
	known.Sockets++
	changed = !bytes.Equal(known.UserInfo, m.UserInfo)
	known.UserInfo = m.UserInfo
	return added, known.Sockets == 1, changed, true
}

// Remove counts one socket less here. It reports whether the user is gone from
// the channel, and whether it was the last socket here. In the latter case
// linger holds on to the user, unless it is zero.
func (ms *Members) Remove(userID string, linger Set) (removed, last bool) {
	m := ms.byID[userID]
	if m.Sockets--; m.Sockets > 0 {
		return false, false
	}
	m.At |= linger
	return ms.drop(m), true
}

// Hold notes that a user is present at peers. It reports whether the user is
// new to the channel.
func (ms *Members) Hold(m protocol.Member, by Set) (added bool) {
	known := ms.byID[m.UserID]
	if known == nil {
		known = ms.enter(m)
		added = true
	}
	known.At |= by
	known.UserInfo = m.UserInfo
	return added
}

// Release is the opposite of [Members.Hold], and reports whether the user is gone from
// the channel.
func (ms *Members) Release(userID string, by Set) (removed bool) {
	m := ms.byID[userID]
	if m == nil {
		return false
	}
	m.At &^= by
	return ms.drop(m)
}

// ReleaseAll does that for all users, and returns those that are gone.
func (ms *Members) ReleaseAll(by Set) (removed []string) {
	for _, m := range ms.order {
		if m.At&by == 0 {
			continue
		}
		if m.At &^= by; m.At == 0 && m.Sockets == 0 {
			removed = append(removed, m.UserID)
			delete(ms.byID, m.UserID)
		}
	}
	if removed != nil {
		ms.order = slices.DeleteFunc(ms.order, func(m *Member) bool { return m.At == 0 && m.Sockets == 0 })
	}
	return removed
}

// enter puts a user on the list whom somebody is about to hold.
func (ms *Members) enter(m protocol.Member) *Member {
	if ms.byID == nil {
		ms.byID = make(map[string]*Member)
	}
	fresh := &Member{Member: m}
	ms.byID[m.UserID] = fresh
	ms.order = append(ms.order, fresh)
	return fresh
}

// drop takes a user off the list whom nobody holds any more, and reports
// whether that was so.
func (ms *Members) drop(m *Member) bool {
	if m.Sockets > 0 || m.At != 0 {
		return false
	}
	delete(ms.byID, m.UserID)
	i := slices.Index(ms.order, m)
	ms.order = slices.Delete(ms.order, i, i+1)
	return true
}

// Len is how many there are.
func (ms *Members) Len() int { return len(ms.order) }

// Has reports whether a user is among them.
func (ms *Members) Has(userID string) bool { return ms.byID[userID] != nil }

// Ordered returns them in the order in which they came. It must not be changed.
func (ms *Members) Ordered() []*Member { return ms.order }

// All yields what is told of them, in the order in which they came.
func (ms *Members) All() iter.Seq[protocol.Member] {
	return func(yield func(protocol.Member) bool) {
		for _, m := range ms.order {
			if !yield(m.Member) {
				return
			}
		}
	}
}
