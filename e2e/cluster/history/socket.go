package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/belfryhq/belfry/protocol"
)

// A Socket is one connection, from its establishment to its end.
type Socket struct {
	Client string // whose connection it is
	Node   string // that it is connected to
	ID     string

	h  *History
	mu sync.Mutex
	// Guarded by mu.
	closed bool
	end    Moment                   // when it was closed
	subs   map[string]*Subscription // the latest of each channel
	all    []*Subscription
	faults []string
}

// A Subscription is one of a socket, from its request on. A channel that was
// left and subscribed again is another one.
type Subscription struct {
	Channel string
	User    string // on presence channels, as whom

	leaving bool
	joined  bool // it succeeded
	members map[string]bool
	changes []string
	count   int // of subscriptions as told last; -1 before
	events  map[string]*arrivals
}

// A Frame is what a socket got.
type Frame struct {
	At      Moment
	Event   string
	Channel string
	Data    string // what the JSON string contains, or raw JSON
	UserID  string
	// Position is the place of the event in the history of its channel.
	Position string
}

// Open begins a socket.
func (h *History) Open(client, node, id string) *Socket {
	s := &Socket{Client: client, Node: node, ID: id, h: h, subs: make(map[string]*Subscription)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets = append(h.sockets, s)
	return s
}

// String names the socket for people.
func (s *Socket) String() string { return fmt.Sprintf("%s@%s(%s)", s.Client, s.Node, s.ID) }

// Close says that the socket has ended, by whatever.
func (s *Socket) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.end = true, s.h.Now()
}

// Ended returns when the socket was closed; ok is false while it is open.
func (s *Socket) Ended() (at Moment, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end, s.closed
}

// Subscribe says that the client is about to ask for a channel; on presence
// channels as a user.
func (s *Socket) Subscribe(channel, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := &Subscription{Channel: channel, User: user, count: -1, events: make(map[string]*arrivals)}
	s.subs[channel] = sub
	s.all = append(s.all, sub)
}

// Unsubscribe says that the client is about to leave a channel. What was on
// its way still comes.
func (s *Socket) Unsubscribe(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.subs[channel]; sub != nil {
		sub.leaving = true
	}
}

// Joined reports whether the socket's subscription to a channel has succeeded.
func (s *Socket) Joined(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[channel]
	return sub != nil && sub.joined
}

// Members returns who is on a presence channel as far as the socket knows.
func (s *Socket) Members(channel string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[channel]
	if sub == nil {
		return nil
	}
	return sorted(sub.members)
}

// Changes returns what the socket was told of the members of a channel since
// it subscribed, +user and -user, in order.
func (s *Socket) Changes(channel string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[channel]
	if sub == nil {
		return nil
	}
	return slices.Clone(sub.changes)
}

// Count returns the number of subscriptions of a channel that the socket was
// told last, -1 before the first time.
func (s *Socket) Count(channel string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[channel]
	if sub == nil {
		return -1
	}
	return sub.count
}

// Seen returns the number of the last event of a stream that the socket got on
// its present subscription, 0 before the first one.
func (s *Socket) Seen(stream Stream) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[stream.Channel]
	if sub == nil || sub.events[stream.Node] == nil {
		return 0
	}
	return sub.events[stream.Node].last
}

// Received returns how many counted events the socket got altogether.
func (s *Socket) Received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, sub := range s.all {
		for a := range maps.Values(sub.events) {
			n += a.count
		}
	}
	return n
}

// Receive takes the text of a frame that has come, and returns it.
func (s *Socket) Receive(text []byte) Frame {
	f := Frame{At: s.h.Now()}
	var message struct {
		Event, Channel, Position string
		Data                     json.RawMessage
		UserID                   string `json:"user_id"`
	}
	err := json.Unmarshal(text, &message)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.fault("", "got %q: %v", text, err)
		return f
	}
	f.Event, f.Channel, f.Data, f.UserID = message.Event, message.Channel, string(message.Data), message.UserID
	f.Position = message.Position
	var inner string
	if json.Unmarshal(message.Data, &inner) == nil {
		f.Data = inner
	}
	if f.Channel != "" {
		s.judge(f)
	}
	return f
}

// fault notes a mistake. The caller holds s.mu.
func (s *Socket) fault(channel, format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf("%s on %s at %v: %s", s, channel, s.h.Now(), fmt.Sprintf(format, args...)))
}

// judge looks at a frame of a channel. The caller holds s.mu.
func (s *Socket) judge(f Frame) {
	if _, ok := protocol.UserOf(f.Channel); ok {
		return // needs no subscription
	}
	sub := s.subs[f.Channel]
	switch {
	case sub == nil:
		s.fault(f.Channel, "got %s without having subscribed", f.Event)
	case f.Event == protocol.EventSubscriptionError:
		s.fault(f.Channel, "was refused: %s", f.Data)
	case f.Event == protocol.EventSubscriptionSucceeded:
		s.succeeded(sub, f)
	case !sub.joined:
		s.early(sub, f)
	case f.Event == protocol.EventMemberAdded, f.Event == protocol.EventMemberRemoved:
		s.changed(sub, f)
	case f.Event == protocol.EventSubscriptionCount:
		s.counted(sub, f)
	case f.Event == Event:
		s.arrived(sub, f)
	}
}

// early is a frame before the subscription's success. It can only be the rest
// of one that was left. The caller holds s.mu.
func (s *Socket) early(sub *Subscription, f Frame) {
	rest := slices.ContainsFunc(s.all, func(other *Subscription) bool {
		return other != sub && other.Channel == sub.Channel && other.leaving
	})
	if !rest {
		s.fault(f.Channel, "got %s before the subscription succeeded", f.Event)
	}
}

// succeeded begins a subscription. The caller holds s.mu.
func (s *Socket) succeeded(sub *Subscription, f Frame) {
	if sub.joined {
		s.fault(f.Channel, "succeeded twice")
	}
	sub.joined = true
	if sub.User == "" {
		return
	}
	var data struct {
		Presence struct {
			IDs   []string
			Hash  map[string]json.RawMessage
			Count int
		}
	}
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
		s.fault(f.Channel, "the list of members is %s: %v", f.Data, err)
	}
	p := data.Presence
	sub.members = make(map[string]bool)
	for _, user := range p.IDs {
		if sub.members[user] {
			s.fault(f.Channel, "the list of members has %s twice", user)
		}
		sub.members[user] = true
	}
	if p.Count != len(sub.members) || len(p.Hash) != len(sub.members) {
		s.fault(f.Channel, "the list of members has %d ids, %d in the hash and the count %d", len(sub.members), len(p.Hash), p.Count)
	}
	if !sub.members[sub.User] {
		s.fault(f.Channel, "the list of members lacks %s, who has just joined", sub.User)
	}
}

// changed is a member who came or went. The caller holds s.mu.
func (s *Socket) changed(sub *Subscription, f Frame) {
	var data struct {
		UserID string `json:"user_id"`
	}
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil || sub.members == nil {
		s.fault(f.Channel, "got %s of %s", f.Event, f.Data)
		return
	}
	user, came := data.UserID, f.Event == protocol.EventMemberAdded
	sub.changes = append(sub.changes, map[bool]string{true: "+", false: "-"}[came]+user)
	switch {
	case came && sub.members[user]:
		s.fault(f.Channel, "%s was added, who is there", user)
	case !came && !sub.members[user]:
		s.fault(f.Channel, "%s was removed, who is not there", user)
	case user == sub.User && !sub.leaving:
		s.fault(f.Channel, "was told of itself: %s of %s", f.Event, user)
	}
	if came {
		sub.members[user] = true
	} else {
		delete(sub.members, user)
	}
}

// counted is a number of subscriptions. The caller holds s.mu.
func (s *Socket) counted(sub *Subscription, f Frame) {
	var data struct {
		Count *int `json:"subscription_count"`
	}
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil || data.Count == nil {
		s.fault(f.Channel, "the count is %s", f.Data)
		return
	}
	if *data.Count < 1 && !sub.leaving {
		s.fault(f.Channel, "the count is %d, and it is subscribed itself", *data.Count)
	}
	sub.count = *data.Count
}

// arrived is an event that is counted. The caller holds s.mu.
func (s *Socket) arrived(sub *Subscription, f Frame) {
	node, n, ok := parseData(f.Data)
	if !ok {
		s.fault(f.Channel, "got an event with the data %q", f.Data)
		return
	}
	if sub.events[node] == nil {
		sub.events[node] = &arrivals{}
	}
	if wrong := sub.events[node].add(n, f.At); wrong != "" {
		s.fault(f.Channel, "event %s/%d %s", node, n, wrong)
	}
}

// differencesLocked returns how the socket's view differs from the truth. The
// caller holds s.mu.
func (s *Socket) differencesLocked(truth Truth) []string {
	var list []string
	add := func(channel, format string, args ...any) {
		list = append(list, fmt.Sprintf("%s on %s: %s", s, channel, fmt.Sprintf(format, args...)))
	}
	for channel, sub := range s.subs {
		switch {
		case sub.leaving:
		case !sub.joined:
			add(channel, "not subscribed yet")
		case sub.User != "":
			if d := difference(sub.members, truth.Members[channel]); d != "" {
				add(channel, "members differ from the truth by %s", d)
			}
		case sub.count >= 0 && sub.count != truth.Subscriptions[channel]:
			add(channel, "the last count was %d, there are %d", sub.count, truth.Subscriptions[channel])
		}
	}
	return list
}

// Wants reports whether the socket has subscribed to a channel and not left it.
func (s *Socket) Wants(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[channel]
	return !s.closed && sub != nil && !sub.leaving
}

// Pending returns a channel to which the socket's subscription has not
// succeeded yet, empty if there is none.
func (s *Socket) Pending() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for channel, sub := range s.subs {
		if !sub.joined && !sub.leaving {
			return channel
		}
	}
	return ""
}
