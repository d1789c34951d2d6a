package hub

import (
	"bytes"
	"iter"
	"slices"

	"github.com/belfryhq/belfry/protocol"
)

// presence is who is on a presence channel, here or at a peer: users, each
// counted once however many sockets they have there. The shard's lock guards
// it.
type presence struct {
	byID  map[string]*member
	order []*member // in the order in which they came
}

// A member is one user on one channel.
type member struct {
	protocol.Member
	sockets int // here
	peers   peerSet
}

// add counts one more socket of a user here. It reports whether the user is
// new to the channel, and whether it is the first socket here. It also
// reports whether something else is known about the user than before, which
// is what the latest subscription said. It refuses a new user when limit are
// present (0: no limit).
func (p *presence) add(m protocol.Member, limit int) (added, first, changed, ok bool) {
	known := p.byID[m.UserID]
	if known == nil {
		if limit > 0 && len(p.order) >= limit {
			return false, false, false, false
		}
		known = p.enter(m)
		added = true
	}
	known.sockets++
	changed = !bytes.Equal(known.UserInfo, m.UserInfo)
	known.UserInfo = m.UserInfo
	return added, known.sockets == 1, changed, true
}

// remove counts one socket less here. It reports whether the user is gone from
// the channel, and whether it was the last socket here. In the latter case
// linger holds on to the user, unless it is zero.
func (p *presence) remove(userID string, linger peerSet) (removed, last bool) {
	m := p.byID[userID]
	if m.sockets--; m.sockets > 0 {
		return false, false
	}
	m.peers |= linger
	return p.drop(m), true
}

// hold notes that a user is present at peers. It reports whether the user is
// new to the channel.
func (p *presence) hold(m protocol.Member, by peerSet) (added bool) {
	known := p.byID[m.UserID]
	if known == nil {
		known = p.enter(m)
		added = true
	}
	known.peers |= by
	known.UserInfo = m.UserInfo
	return added
}

// release is the opposite of hold, and reports whether the user is gone from
// the channel.
func (p *presence) release(userID string, by peerSet) (removed bool) {
	m := p.byID[userID]
	if m == nil {
		return false
	}
	m.peers &^= by
	return p.drop(m)
}

// releaseAll does that for all users, and returns those that are gone.
func (p *presence) releaseAll(by peerSet) (removed []string) {
	for _, m := range p.order {
		if m.peers&by == 0 {
			continue
		}
		if m.peers &^= by; m.peers == 0 && m.sockets == 0 {
			removed = append(removed, m.UserID)
			delete(p.byID, m.UserID)
		}
	}
	if removed != nil {
		p.order = slices.DeleteFunc(p.order, func(m *member) bool { return m.peers == 0 && m.sockets == 0 })
	}
	return removed
}

// enter puts a user on the list whom somebody is about to hold.
func (p *presence) enter(m protocol.Member) *member {
	if p.byID == nil {
		p.byID = make(map[string]*member)
	}
	fresh := &member{Member: m}
	p.byID[m.UserID] = fresh
	p.order = append(p.order, fresh)
	return fresh
}

// drop takes a user off the list whom nobody holds any more, and reports
// whether that was so.
func (p *presence) drop(m *member) bool {
	if m.sockets > 0 || m.peers != 0 {
		return false
	}
	delete(p.byID, m.UserID)
	i := slices.Index(p.order, m)
	p.order = slices.Delete(p.order, i, i+1)
	return true
}

func (p *presence) len() int { return len(p.order) }

// all yields the members in the order in which they came.
func (p *presence) all() iter.Seq[protocol.Member] {
	return func(yield func(protocol.Member) bool) {
		for _, m := range p.order {
			if !yield(m.Member) {
				return
			}
		}
	}
}
