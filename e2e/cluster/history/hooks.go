package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

// String returns the event for people.
func (e Hook) String() string {
	text := e.Name + " " + e.Channel
	if e.User != "" {
		text += " " + e.User
	}
	return text + " (" + e.ID + ")"
}

// A subject is what alternates: a channel, or a member of one.
type subject struct {
	channel, user string
	member        bool
}

// name is the subject for people.
func (s subject) name() string {
	if s.member {
		return s.user + "@" + s.channel
	}
	return s.channel
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

// A telling is a hook as it arrived, repeats included.
type telling struct {
	hook   Hook
	at     Moment
	by     string
	repeat bool
}

// hooks are the events of a backend. What two nodes tell may overtake, so the
// order is that of their ids: of those with the same letters the numbers grow.
// The history's lock guards them.
type hooks struct {
	expected  bool
	seen      map[string]Hook
	order     []Hook // as they arrived, without repeats
	all       []telling
	logs      []string       // letters before the numbers, in the order of their arrival
	highest   map[string]int // by channel
	repeats   int
	overtaken int
	faults    []string
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

// add takes an event, and says what is wrong with it by itself.
func (k *hooks) add(e Hook) (fault string) {
	if k.seen == nil {
		k.seen, k.highest = make(map[string]Hook), make(map[string]int)
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
	log, number, ok := splitID(e.ID)
	if !ok {
		return fmt.Sprintf("%v has an id without a number", e)
	}
	if !slices.Contains(k.logs, log) {
		k.logs = append(k.logs, log)
	}
	if key := log + " " + e.Channel; number > k.highest[key] {
		k.highest[key] = number
	} else {
		k.overtaken++
	}
	return ""
}

// splitID splits an id at its last dash.
func splitID(id string) (log string, number int, ok bool) {
	i := strings.LastIndexByte(id, '-')
	if i < 1 {
		return "", 0, false
	}
	number, err := strconv.Atoi(id[i+1:])
	return id[:i], number, err == nil
}

// sorted returns the events that alternate in the order of their ids.
func (k *hooks) sorted() []Hook {
	var list []Hook
	for _, e := range k.order {
		if _, _, alternates := e.subject(); alternates {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b Hook) int {
		logA, numberA, _ := splitID(a.ID)
		logB, numberB, _ := splitID(b.ID)
		return cmp.Or(cmp.Compare(slices.Index(k.logs, logA), slices.Index(k.logs, logB)), cmp.Compare(numberA, numberB))
	})
	return list
}

// differences returns how what the backend knows differs from the truth, and
// where it does not alternate, which it will again if something in between is
// still to come.
func (k *hooks) differences(truth Truth) map[subject]string {
	differ := make(map[subject]string)
	told := make(map[subject]Hook)
	for _, e := range k.sorted() {
		s, on, _ := e.subject()
		before, known := told[s]
		switch {
		case known && before.Name == e.Name:
			differ[s] = fmt.Sprintf("%v after %v: the same twice", e, before)
		case !known && !on:
			differ[s] = fmt.Sprintf("%v is the first of it", e)
		}
		told[s] = e
	}
	if !k.expected {
		return differ
	}
	fact := truth.subjects()
	for s, e := range told {
		if _, on, _ := e.subject(); on && !fact[s] {
			differ[s] = fmt.Sprintf("%s is over, and the last was %v", s.name(), e)
		}
	}
	for s := range fact {
		last, known := told[s]
		if _, on, _ := last.subject(); !known || !on {
			differ[s] = fmt.Sprintf("%s is so, and the last was %v", s.name(), last)
		}
	}
	return differ
}

// subjects are those that are so.
func (t Truth) subjects() map[subject]bool {
	set := make(map[subject]bool)
	for channel := range t.Subscriptions {
		set[subject{channel: channel}] = true
	}
	for channel, users := range t.Members {
		for user := range users {
			set[subject{channel, user, true}] = true
		}
	}
	return set
}

// unsettled is differences for people.
func (k *hooks) unsettled(truth Truth) []string {
	var list []string
	for text := range maps.Values(k.differences(truth)) {
		list = append(list, "the backend: "+text)
	}
	return list
}

// Hooks returns what the backend was told of a channel, in the order in which
// it was decided: "channel_occupied", "member_added ann".
func (h *History) Hooks(channel string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, e := range h.hooks.sorted() {
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

// Doubtful returns what the backend was told of subjects of which it was told
// something wrong, or something else than the truth, with moments and by whom.
// It is for people who look for the reason.
func (h *History) Doubtful() []string {
	truth := h.Truth()
	h.mu.Lock()
	defer h.mu.Unlock()
	differ := h.hooks.differences(truth)
	faults := strings.Join(h.hooks.faults, " ")
	var list []string
	for _, t := range h.hooks.all {
		s, _, _ := t.hook.subject()
		if _, doubtful := differ[s]; doubtful || strings.Contains(faults, t.hook.String()) {
			list = append(list, fmt.Sprintf("%v %v by %s, again: %t", t.at, t.hook, t.by, t.repeat))
		}
	}
	return list
}

// AllHooks returns everything the backend was told, each event once, as it
// arrived.
func (h *History) AllHooks() []Hook {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.hooks.order)
}

// Repeats returns how often the backend was told something again, and how
// often something came after what was decided later on the same channel.
func (h *History) Repeats() (repeats, overtaken int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hooks.repeats, h.hooks.overtaken
}
