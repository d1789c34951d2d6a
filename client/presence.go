package client

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// A Member is a user on a presence channel.
type Member struct {
	ID   string          // what the service calls user_id; the digits of a number
	Info json.RawMessage // user_info as it was signed; nil if there is none
}

// DecodeInfo reads Info into v.
func (m Member) DecodeInfo(v any) error {
	if m.Info == nil {
		return fmt.Errorf("client: member %s has no info", m.ID)
	}
	return json.Unmarshal(m.Info, v)
}

// Members are those on a presence channel at one moment. The zero Members are
// none.
type Members struct {
	me   string
	list []Member // by id
}

// Len returns how many members there are.
func (m Members) Len() int { return len(m.list) }

// MyID returns who this connection is. It is empty if it is nobody.
func (m Members) MyID() string { return m.me }

// Me returns the member that this connection is.
func (m Members) Me() (Member, bool) { return m.Get(m.me) }

// Get returns the member with that id.
func (m Members) Get(id string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(m.list, id, func(m Member, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return Member{}, false
	}
	return m.list[i], true
}

// All returns the members in ascending order of their ids.
func (m Members) All() iter.Seq[Member] { return slices.Values(m.list) }

// presence is what a channel knows of its members. It is guarded like the
// channel.
type presence struct {
	me      string
	members map[string]Member
	cached  *Members // of members; nil if they have changed since
	before  Members  // when the connection was lost
}

// snapshot is the members of now.
func (p *presence) snapshot() Members {
	if p.members == nil {
		return Members{}
	}
	if p.cached == nil {
		m := &Members{me: p.me, list: make([]Member, 0, len(p.members))}
		for _, member := range p.members {
			m.list = append(m.list, member)
		}
		slices.SortFunc(m.list, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
		p.cached = m
	}
	return *p.cached
}

// fill makes the list of a new subscription that of now.
func (p *presence) fill(me string, list []Member) {
	p.me, p.cached = me, nil
	p.members = make(map[string]Member, len(list))
	for _, m := range list {
		p.members[m.ID] = m
	}
}

// add adds a member, or replaces what is known of it.
func (p *presence) add(m Member) {
	if p.members == nil {
		p.members = make(map[string]Member)
	}
	p.members[m.ID], p.cached = m, nil
}

// remove removes a member, if it is one.
func (p *presence) remove(id string) (Member, bool) {
	m, ok := p.members[id]
	if ok {
		delete(p.members, id)
		p.cached = nil
	}
	return m, ok
}

// empty forgets the members, except to compare them with those of the next
// subscription.
func (p *presence) empty() {
	if p.members != nil {
		p.before = p.snapshot()
	}
	p.me, p.members, p.cached = "", nil, nil
}

// forget forgets everything.
func (p *presence) forget() { *p = presence{} }

// since returns who joined and who left since the connection was lost.
func (p *presence) since() (joined, left []Member) {
	now := p.snapshot()
	for _, m := range now.list {
		if _, ok := p.before.Get(m.ID); !ok {
			joined = append(joined, m)
		}
	}
	for _, m := range p.before.list {
		if _, ok := now.Get(m.ID); !ok {
			left = append(left, m)
		}
	}
	p.before = Members{}
	return joined, left
}

// parseMembers reads the data of a confirmed subscription to a presence
// channel. A member without an entry in hash has no info; hash may be the empty
// list that some languages write for an empty map.
func parseMembers(text string) ([]Member, error) {
	var data struct {
		Presence struct {
			IDs  []json.RawMessage `json:"ids"`
			Hash json.RawMessage   `json:"hash"`
		} `json:"presence"`
	}
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		return nil, err
	}
	var hash map[string]json.RawMessage
	if h := present(data.Presence.Hash); h != nil && h[0] != '[' {
		if err := json.Unmarshal(h, &hash); err != nil {
			return nil, err
		}
	}
	list := make([]Member, 0, len(hash))
	for name, info := range hash {
		list = append(list, Member{ID: name, Info: present(info)})
	}
	for _, raw := range data.Presence.IDs {
		name := id(raw)
		if _, ok := hash[name]; !ok && name != "" {
			list = append(list, Member{ID: name})
		}
	}
	return list, nil
}

// parseMember reads the data of member_added and member_removed, and
// channel_data.
func parseMember(text string) (Member, error) {
	var data struct {
		UserID   json.RawMessage `json:"user_id"`
		UserInfo json.RawMessage `json:"user_info"`
	}
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		return Member{}, err
	}
	m := Member{ID: id(data.UserID), Info: present(data.UserInfo)}
	if m.ID == "" {
		return m, fmt.Errorf("client: there is no user_id")
	}
	return m, nil
}

// present is a value that is there: null is as good as absent.
func present(v json.RawMessage) json.RawMessage {
	if len(v) == 0 || string(v) == "null" {
		return nil
	}
	return v
}
