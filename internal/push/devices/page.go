package devices

import (
	"bytes"
	"container/heap"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// audienceLocked are the groups that an audience is of.
func (x *index) audienceLocked(of notification.Audience) (list []*group) {
	add := func(groups map[string]*group, names []string) {
		for _, name := range names {
			if g := groups[name]; g != nil && !slices.Contains(list, g) {
				list = append(list, g)
			}
		}
	}
	add(x.interests, of.Interests)
	add(x.users, of.Users)
	return list
}

// count is how many devices an audience has.
func (x *index) count(of notification.Audience) (n int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	groups := x.audienceLocked(of)
	switch len(groups) {
	case 0:
		return 0
	case 1:
		return len(groups[0].members)
	}
	set := make([]uint64, len(x.slots)/64+1)
	for _, g := range groups {
		for _, m := range g.members {
			set[m/64] |= 1 << (m % 64)
		}
	}
	for _, word := range set {
		n += bits.OnesCount64(word)
	}
	return n
}

// A merge is groups that are read in the order of keys: at the top is the one whose
// next member comes first.
type merge struct {
	x      *index
	groups [][]uint32 // what is left of each; none is empty
}

func (m *merge) Len() int { return len(m.groups) }
func (m *merge) Less(i, j int) bool {
	a, b := m.x.slots[m.groups[i][0]], m.x.slots[m.groups[j][0]]
	return bytes.Compare(a.key[:], b.key[:]) < 0
}
func (m *merge) Swap(i, j int) { m.groups[i], m.groups[j] = m.groups[j], m.groups[i] }
func (m *merge) Push(any)      {} // nothing is added
func (m *merge) Pop() any {
	m.groups = m.groups[:len(m.groups)-1]
	return nil
}

// page returns devices of an audience that come after a key, in order, each once.
func (x *index) page(of notification.Audience, after *key, limit int) (list []notification.Device) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := &merge{x: x}
	for _, g := range x.audienceLocked(of) {
		from := 0
		if after != nil {
			from = x.searchLocked(g, *after)
			if from < len(g.members) && x.slots[g.members[from]].key == *after {
				from++
			}
		}
		if from < len(g.members) {
			m.groups = append(m.groups, g.members[from:])
		}
	}
	heap.Init(m)
	last := ^uint32(0)
	for len(m.groups) > 0 && len(list) < limit {
		if n := m.groups[0][0]; n != last {
			last = n
			list = append(list, x.viewLocked(x.slots[n]))
		}
		if m.groups[0] = m.groups[0][1:]; len(m.groups[0]) == 0 {
			heap.Remove(m, 0)
		} else {
			heap.Fix(m, 0)
		}
	}
	return list
}

// list returns devices that come after a key, in order. It looks at all of them.
func (x *index) list(after *key, limit int) []notification.Device {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var found []*device
	inOrder := func(a, b *device) int { return bytes.Compare(a.key[:], b.key[:]) }
	for _, d := range x.slots {
		if d == nil || after != nil && bytes.Compare(d.key[:], after[:]) <= 0 {
			continue
		}
		if found = append(found, d); len(found) == 4*limit { // the smaller half stays
			slices.SortFunc(found, inOrder)
			found = found[:limit]
		}
	}
	slices.SortFunc(found, inOrder)
	list := make([]notification.Device, 0, min(limit, len(found)))
	for _, d := range found[:min(limit, len(found))] {
		list = append(list, x.viewLocked(d))
	}
	return list
}

// An InterestSize is how many devices are subscribed to one.
type InterestSize struct {
	Name    string
	Devices int
}

// listInterests returns interests with a prefix that come after a name, in order.
func (x *index) listInterests(prefix, after string, limit int) []InterestSize {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var names []string
	for name := range maps.Keys(x.interests) {
		if name > after && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	list := make([]InterestSize, 0, min(limit, len(names)))
	for _, name := range names[:min(limit, len(names))] {
		list = append(list, InterestSize{name, len(x.interests[name].members)})
	}
	return list
}
