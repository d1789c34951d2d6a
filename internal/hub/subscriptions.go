package hub

import (
	"iter"
	"slices"
)

// fewSubscriptions is how many are searched one by one.
const fewSubscriptions = 8

// subscriptions are those of one session. Most sessions have a few; those that
// have many get an index.
type subscriptions struct {
	few  []*subscription
	many map[string]*subscription // nil until there are more than a few
}

func (ss *subscriptions) len() int {
	if ss.many != nil {
		return len(ss.many)
	}
	return len(ss.few)
}

// get returns the subscription to that channel, or nil.
func (ss *subscriptions) get(channel string) *subscription {
	if ss.many != nil {
		return ss.many[channel]
	}
	for _, sub := range ss.few {
		if sub.channel.name == channel {
			return sub
		}
	}
	return nil
}

func (ss *subscriptions) add(sub *subscription) {
	if ss.many == nil && len(ss.few) == fewSubscriptions {
		ss.many = make(map[string]*subscription, 2*fewSubscriptions)
		for _, s := range ss.few {
			ss.many[s.channel.name] = s
		}
		ss.few = nil
	}
	if ss.many != nil {
		ss.many[sub.channel.name] = sub
		return
	}
	ss.few = append(ss.few, sub)
}

func (ss *subscriptions) remove(sub *subscription) {
	if ss.many != nil {
		delete(ss.many, sub.channel.name)
		return
	}
	i := slices.Index(ss.few, sub)
	ss.few = slices.Delete(ss.few, i, i+1)
}

// all yields the subscriptions.
func (ss *subscriptions) all() iter.Seq[*subscription] {
	return func(yield func(*subscription) bool) {
		for _, sub := range ss.few {
			if !yield(sub) {
				return
			}
		}
		for _, sub := range ss.many {
			if !yield(sub) {
				return
			}
		}
	}
}

// drain yields the subscriptions, and has each no more.
func (ss *subscriptions) drain() iter.Seq[*subscription] {
	return func(yield func(*subscription) bool) {
		for len(ss.few) > 0 {
			sub := ss.few[0]
			ss.few = ss.few[1:]
			if !yield(sub) {
				return
			}
		}
		for name, sub := range ss.many {
			delete(ss.many, name)
			if !yield(sub) {
				return
			}
		}
	}
}
