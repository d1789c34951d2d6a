package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/protocol"
)

const room, news = "presence-room", "news"

// A story is a history that a test makes up.
type story struct {
	t *testing.T
	*History
}

// told tells the backend, by lines "id name channel user".
func (st story) told(lines ...string) {
	for _, line := range lines {
		f := append(strings.Fields(line), "")
		st.Told(Hook{ID: f[0], Name: f[1], Channel: f[2], User: f[3]}, "n1")
	}
}

// member opens a socket of a user that has joined the room with others.
func (st story) member(user, node string, others ...string) *Socket {
	s := st.Open(user, node, "1.1")
	s.Subscribe(room, user)
	s.list(append(slices.Clone(others), user), len(others)+1)
	return s
}

// reader opens a socket that is subscribed to the news.
func (st story) reader(client, node string) *Socket {
	s := st.Open(client, node, "2.2")
	s.Subscribe(news, "")
	s.gets(news, protocol.EventSubscriptionSucceeded, "{}")
	return s
}

// gets is a frame.
func (s *Socket) gets(channel, event, data string) {
	s.Receive(fmt.Appendf(nil, `{"event":%q,"channel":%q,"data":%q}`, event, channel, data))
}

// list is the success of a presence channel.
func (s *Socket) list(ids []string, count int) {
	var quoted, hash []string
	for _, id := range ids {
		quoted = append(quoted, fmt.Sprintf("%q", id))
		hash = append(hash, fmt.Sprintf("%q:null", id))
	}
	s.gets(room, protocol.EventSubscriptionSucceeded,
		fmt.Sprintf(`{"presence":{"ids":[%s],"hash":{%s},"count":%d}}`, strings.Join(quoted, ","), strings.Join(hash, ","), count))
}

// change is +user or -user.
func (s *Socket) change(changes ...string) {
	for _, c := range changes {
		event := protocol.EventMemberAdded
		if c[0] == '-' {
			event = protocol.EventMemberRemoved
		}
		s.gets(room, event, fmt.Sprintf(`{"user_id":%q}`, c[1:]))
	}
}

// trigger triggers so many events of a node.
func (st story) trigger(node string, count int) {
	for range count {
		stream := Stream{node, news}
		st.Trigger(stream)
		st.Triggered(stream, true)
	}
}

// events are the counted events of a node with these numbers.
func (s *Socket) events(node string, numbers ...int) {
	for _, n := range numbers {
		s.gets(news, Event, fmt.Sprintf("%s/%d", node, n))
	}
}

// wrong are histories with one fault each, and a part of its text.
var wrong = map[string]struct {
	want string
	play func(st story)
}{
	"a member is added twice": {"ann was added, who is there", func(st story) {
		st.member("bob", "n1").change("+ann", "+ann")
	}},
	"a member of the list is added": {"ann was added, who is there", func(st story) {
		st.member("bob", "n1", "ann").change("+ann")
	}},
	"a stranger is removed": {"eve was removed, who is not there", func(st story) {
		st.member("bob", "n1", "ann").change("-eve")
	}},
	"a member is removed twice": {"ann was removed, who is not there", func(st story) {
		st.member("bob", "n1", "ann").change("-ann", "-ann")
	}},
	"the user itself is removed": {"was told of itself", func(st story) {
		st.member("bob", "n1").change("-bob")
	}},
	"a list without the user": {"lacks bob", func(st story) {
		s := st.Open("bob", "n1", "1.1")
		s.Subscribe(room, "bob")
		s.list([]string{"ann"}, 1)
	}},
	"a list with somebody twice": {"has ann twice", func(st story) {
		s := st.Open("ann", "n1", "1.1")
		s.Subscribe(room, "ann")
		s.gets(room, protocol.EventSubscriptionSucceeded, `{"presence":{"ids":["ann","ann"],"hash":{"ann":null},"count":1}}`)
	}},
	"a list with a wrong count": {"the count 3", func(st story) {
		s := st.Open("ann", "n1", "1.1")
		s.Subscribe(room, "ann")
		s.list([]string{"ann", "bob"}, 3)
	}},
	"two successes": {"succeeded twice", func(st story) {
		st.reader("ann", "n1").gets(news, protocol.EventSubscriptionSucceeded, "{}")
	}},
	"an event before the success": {"before the subscription succeeded", func(st story) {
		s := st.Open("ann", "n1", "1.1")
		s.Subscribe(news, "")
		s.events("n1", 1)
	}},
	"an event of another channel": {"without having subscribed", func(st story) {
		st.Open("ann", "n1", "1.1").events("n1", 1)
	}},
	"a refusal": {"was refused", func(st story) {
		s := st.Open("ann", "n1", "1.1")
		s.Subscribe(room, "ann")
		s.gets(room, protocol.EventSubscriptionError, "{}")
	}},
	"a negative count": {"the count is -1", func(st story) {
		st.reader("ann", "n1").gets(news, protocol.EventSubscriptionCount, `{"subscription_count":-1}`)
	}},
	"a count of nobody": {"the count is 0", func(st story) {
		st.reader("ann", "n1").gets(news, protocol.EventSubscriptionCount, `{"subscription_count":0}`)
	}},
	"an event comes twice": {"n2/2 came twice", func(st story) {
		st.trigger("n2", 3)
		st.reader("ann", "n1").events("n2", 1, 2, 2, 3)
	}},
	"an event comes twice, later": {"n2/1 came twice", func(st story) {
		st.trigger("n2", 3)
		st.reader("ann", "n1").events("n2", 1, 2, 3, 1)
	}},
	"an event comes late": {"n2/2 came after 3", func(st story) {
		st.trigger("n2", 3)
		s := st.reader("ann", "n1")
		defer st.MayLose("n2")() // so that the gap is not a second fault
		s.events("n2", 1, 3, 2)
	}},
	"an event is lost": {"n2/2 is lost", func(st story) {
		st.trigger("n2", 3)
		st.reader("ann", "n1").events("n2", 1, 3)
	}},
	"an event is lost on the node itself": {"n2/2 is lost", func(st story) {
		defer st.MayLose("n2")()
		st.trigger("n2", 3)
		st.reader("ann", "n2").events("n2", 1, 3)
	}},
	"an event is lost of a healthy pair": {"n2/2 is lost", func(st story) {
		defer st.MayLose("n3")()
		st.trigger("n2", 3)
		st.reader("ann", "n1").events("n2", 1, 3)
	}},
	"a frame that is not JSON": {"invalid character", func(st story) {
		st.Open("ann", "n1", "1.1").Receive([]byte("boo"))
	}},
	"one id for two events": {"has the id of", func(st story) {
		st.told("a-1 channel_occupied news", "a-1 channel_vacated news")
	}},
	"an event without an id": {"an id without a number", func(st story) {
		st.Told(Hook{Name: Occupied, Channel: news}, "n1")
	}},
}

func TestFaults(t *testing.T) {
	for name, tt := range wrong {
		t.Run(name, func(t *testing.T) {
			st := story{t, New(true)}
			tt.play(st)
			if got := st.Faults(); len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("Faults() = %q, want one with %q", got, tt.want)
			}
		})
	}
}

// right are histories without a fault.
var right = map[string]func(st story){
	"members come and go": func(st story) {
		st.member("bob", "n1", "ann").change("-ann", "+ann", "+eve", "-ann")
	},
	"a client comes back on another socket": func(st story) {
		s := st.member("bob", "n1", "ann")
		s.Close()
		st.member("bob", "n2", "ann").change("-ann")
	},
	"the rest of a subscription that was left": func(st story) {
		st.trigger("n1", 5)
		s := st.reader("ann", "n1")
		s.events("n1", 1)
		s.Unsubscribe(news)
		s.events("n1", 2)
		s.Subscribe(news, "")
		s.events("n1", 3)
		s.gets(news, protocol.EventSubscriptionSucceeded, "{}")
		s.events("n1", 5)
	},
	"each node has its own order": func(st story) {
		st.trigger("n1", 2)
		st.trigger("n2", 2)
		st.reader("ann", "n3").events("n1", 1, 2)
		s := st.reader("bob", "n3")
		s.events("n2", 1)
		s.events("n1", 1)
		s.events("n2", 2)
	},
	"the first events come before the subscription": func(st story) {
		st.trigger("n1", 9)
		st.reader("ann", "n2").events("n1", 7, 8, 9)
	},
	"what was not accepted may be missing": func(st story) {
		st.trigger("n1", 1)
		st.Trigger(Stream{"n1", news})
		st.Triggered(Stream{"n1", news}, false)
		st.trigger("n1", 1)
		st.reader("ann", "n2").events("n1", 1, 3)
	},
	"a node that is killed takes events with it": func(st story) {
		st.trigger("n1", 2)
		until := st.MayLose("n1")
		st.trigger("n1", 1)
		until()
		st.trigger("n1", 1)
		st.reader("ann", "n2").events("n1", 1, 4)
	},
	"a node that is cut off misses events": func(st story) {
		defer st.MayLose("n2")()
		st.trigger("n1", 3)
		st.reader("ann", "n2").events("n1", 1, 3)
	},
	"webhooks alternate, and are told again": func(st story) {
		st.told("a-1 channel_occupied news", "a-2 member_added presence-room ann", "a-1 channel_occupied news",
			"b-3 channel_vacated news", "a-4 channel_occupied news", "b-3 channel_vacated news", "b-5 member_removed presence-room ann")
	},
	"client events do not alternate": func(st story) {
		st.told("a-1 client_event news", "a-2 client_event news")
	},
	"events to users need no subscription": func(st story) {
		st.Open("ann", "n1", "1.1").gets(protocol.UserChannel("ann"), "invited", "{}")
	},
}

func TestNoFaults(t *testing.T) {
	for name, play := range right {
		t.Run(name, func(t *testing.T) {
			st := story{t, New(true)}
			play(st)
			if got := st.Faults(); len(got) > 0 {
				t.Errorf("Faults() = %q, want none", got)
			}
		})
	}
}

// TestLossesEnd: what is lost when the fault is over is lost.
func TestLossesEnd(t *testing.T) {
	st := story{t, New(false)}
	st.MayLose("n2")()
	st.losses[0].from, st.losses[0].to = 0, 0 // long ago
	st.trigger("n2", 3)
	st.reader("ann", "n1").events("n2", 1, 3)
	if got := st.Faults(); len(got) != 1 {
		t.Errorf("Faults() = %q, want one", got)
	}
}
