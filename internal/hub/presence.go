package hub

import (
	"iter"
	"slices"

	"github.com/belfryhq/belfry/protocol"
)

// presence is who is on a presence channel: users, each counted once however
// many sockets they have there. The shard's lock guards it.
type presence struct {
	byID  map[string]*member
	order []*member // in the order in which they came
}

// A member is one user on one channel.
type member struct {
	protocol.Member
	sockets int
}

// add counts one more socket of a user. It reports whether the user is new
// there, and refuses a new user when limit are present (0: no limit). What is
// known about the user is what the latest subscription said.
func (p *presence) add(m protocol.Member, limit int) (added, ok bool) {
	if known := p.byID[m.UserID]; known != nil {
		known.sockets++
		known.UserInfo = m.UserInfo
		return false, true
	}
	if limit > 0 && len(p.order) >= limit {
		return false, false
	}
	if p.byID == nil {
		p.byID = make(map[string]*member)
	}
	fresh := &member{Member: m, sockets: 1}
	p.byID[m.UserID] = fresh
	p.order = append(p.order, fresh)
	return true, true
}

// remove counts one socket less, and reports whether it was the user's last.
func (p *presence) remove(userID string) bool {
	m := p.byID[userID]
	if m.sockets--; m.sockets > 0 {
		return false
	}
	delete(p.byID, userID)
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
