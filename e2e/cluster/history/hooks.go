package history

import (
	"fmt"
	"slices"
	"strings"
)

// The events of backends that alternate.
const (
	Occupied = "channel_occupied"
	Vacated  = "channel_vacated"
	Added    = "member_added"
	Removed  = "member_removed"
)

// A Hook is an event that a backend was told.
type Hook struct {
	ID      string // stays the same when it is told again
	Name    string
	Channel string
	User    string
}

// A telling is a hook as it arrived, repeats included.
type telling struct {
	hook   Hook
	at     Moment
	from   string
	repeat bool
}

// subject is what alternates: a channel, or a member of one.
type subject struct {
	channel, user string
	member        bool
}

// hooks are the events of a backend. The history's lock guards them.
type hooks struct {
	expected bool
	seen     map[string]Hook
	order    []Hook // without repeats
	repeats  int
	all      []telling
	last     map[subject]Hook // of each, the last one
	faults   []string
}

// Told takes an event that the backend was told, by whom does not matter. It
// may be told again, with the same id.
func (h *History) Told(e Hook, by string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, repeat := h.hooks.seen[e.ID]
	h.hooks.all = append(h.hooks.all, telling{e, h.Now(), by, repeat})
	if wrong := h.hooks.add(e); wrong != "" {
		h.hooks.faults = append(h.hooks.faults, fmt.Sprintf("webhooks at %v: %s", h.Now(), wrong))
	}
}

// add takes an event, and says what is wrong with it.
func (k *hooks) add(e Hook) (fault string) {
	if k.seen == nil {
		k.seen, k.last = make(map[string]Hook), make(map[subject]Hook)
	}
	if before, ok := k.seen[e.ID]; ok {
		k.repeats++
		if before != e {
			return fmt.Sprintf("%v has the id of %v", e, before)
		}
		return ""
	}
	k.seen[e.ID] = e
	k.order = append(k.order, e)
	s, on, alternates := e.subject()
	if !alternates {
		return ""
	}
	last, known := k.last[s]
	k.last[s] = e
	switch {
	case e.ID == "":
		return fmt.Sprintf("%v has no id", e)
	case known && last.Name == e.Name:
		return fmt.Sprintf("%v after %v: the same twice", e, last)
	case !known && !on:
		return fmt.Sprintf("%v is the first of it", e)
	}
	return ""
}

// subject returns what an event is about, and whether it began.
func (e Hook) subject() (s subject, on, alternates bool) {
	switch e.Name {
	case Occupied, Vacated:
		return subject{channel: e.Channel}, e.Name == Occupied, true
	case Added, Removed:
		return subject{e.Channel, e.User, true}, e.Name == Added, true
	}
	return subject{}, false, false
}

// String returns the event for people.
func (e Hook) String() string {
	text := e.Name + " " + e.Channel
	if e.User != "" {
		text += " " + e.User
	}
	return text + " (" + e.ID + ")"
}

// differences returns how what the backend knows differs from the truth.
func (k *hooks) differences(truth Truth) []string {
	if !k.expected {
		return nil
	}
	told, fact := make(map[string]bool), make(map[string]bool)
	for s, e := range k.last {
		if _, on, _ := e.subject(); on {
			told[s.name()] = true
		}
	}
	for channel := range truth.Subscriptions {
		fact[subject{channel: channel}.name()] = true
	}
	for channel, users := range truth.Members {
		for user := range users {
			fact[subject{channel, user, true}.name()] = true
		}
	}
	if d := difference(told, fact); d != "" {
		return []string{"the backend was told something else than the truth: " + d}
	}
	return nil
}

// name is the subject for people.
func (s subject) name() string {
	if s.member {
		return s.user + "@" + s.channel
	}
	return s.channel
}

// Hooks returns what the backend was told of a channel, in the order in which
// it heard it first: "channel_occupied", "member_added ann".
func (h *History) Hooks(channel string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, e := range h.hooks.order {
		if e.Channel != channel {
			continue
		}
		text := e.Name
		if e.User != "" {
			text += " " + e.User
		}
		list = append(list, text)
	}
	return list
}

// Doubtful returns what the backend was told of those subjects of which it was
// told something wrong, or something else than the truth, with moments and by
// whom. It is for people who look for the reason.
func (h *History) Doubtful() []string {
	truth := h.Truth()
	h.mu.Lock()
	defer h.mu.Unlock()
	doubts := h.hooks.differences(truth)
	text := strings.Join(append(doubts, h.hooks.faults...), " ")
	var list []string
	for _, t := range h.hooks.all {
		s, _, alternates := t.hook.subject()
		if !alternates || !strings.Contains(text, s.name()) && !strings.Contains(text, t.hook.ID) {
			continue
		}
		list = append(list, fmt.Sprintf("%v %v by %s, again: %t", t.at, t.hook, t.from, t.repeat))
	}
	return list
}

// AllHooks returns everything the backend was told, each event once, and how
// often it was told something again.
func (h *History) AllHooks() (list []Hook, repeats int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.hooks.order), h.hooks.repeats
}
