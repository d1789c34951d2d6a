package history

import (
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/protocol"
)

// unsettled are histories that are not over, and what is said of them.
var unsettled = map[string]struct {
	want string
	play func(st story)
}{
	"a ghost": {"members differ from the truth by +ghost", func(st story) {
		st.member("ann", "n1", "ghost")
		st.told("a-1 channel_occupied presence-room", "a-2 member_added presence-room ann")
	}},
	"a member who is not known elsewhere": {"members differ from the truth by -ann", func(st story) {
		st.member("bob", "n1")
		st.member("ann", "n2", "bob")
		st.told("a-1 channel_occupied presence-room", "a-2 member_added presence-room ann", "a-3 member_added presence-room bob")
	}},
	"a subscription without an answer": {"not subscribed yet", func(st story) {
		st.Open("ann", "n1", "1.1").Subscribe(news, "")
		st.told("a-1 channel_occupied news")
	}},
	"an old count": {"the last count was 2, there are 1", func(st story) {
		s := st.reader("ann", "n1")
		s.gets(news, protocol.EventSubscriptionCount, `{"subscription_count":2}`)
		st.told("a-1 channel_occupied news")
	}},
	"the last event": {"n2/3 has not come, the last was 2", func(st story) {
		st.trigger("n2", 3)
		st.reader("ann", "n1").events("n2", 1, 2)
		st.told("a-1 channel_occupied news")
	}},
	"not occupied": {"news is so, and the last was", func(st story) {
		st.reader("ann", "n1")
	}},
	"not vacated": {"news is over, and the last was channel_occupied", func(st story) {
		st.told("a-1 channel_occupied news")
		st.reader("ann", "n1").Close()
	}},
	"not removed": {"bob@presence-room is over", func(st story) {
		st.member("ann", "n1")
		st.told("a-1 channel_occupied presence-room", "a-2 member_added presence-room ann", "a-3 member_added presence-room bob")
	}},
	"occupied twice": {"channel_occupied news (a-3) after channel_occupied news (a-1)", func(st story) {
		st.reader("ann", "n1")
		st.told("a-3 channel_occupied news", "a-1 channel_occupied news")
	}},
	"vacated twice, by two logs": {"the same twice", func(st story) {
		st.told("a-1 channel_occupied news", "a-2 channel_vacated news", "b-1 channel_vacated news")
	}},
	"vacated first": {"is the first of it", func(st story) {
		st.told("a-1 channel_vacated news")
	}},
	"removed twice": {"the same twice", func(st story) {
		st.told("a-1 member_added presence-room ann", "a-2 member_removed presence-room ann", "a-3 member_removed presence-room ann")
	}},
	"somebody left": {"presence-room is over", func(st story) {
		s := st.member("ann", "n1")
		st.told("a-1 channel_occupied presence-room")
		s.Unsubscribe(room)
	}},
}

func TestUnsettled(t *testing.T) {
	for name, tt := range unsettled {
		t.Run(name, func(t *testing.T) {
			st := story{t, New(true)}
			tt.play(st)
			if got := st.Unsettled(); len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("Unsettled() = %q, want one with %q", got, tt.want)
			}
			if got := st.Faults(); len(got) > 0 {
				t.Errorf("Faults() = %q, want none", got)
			}
		})
	}
}

func TestSettled(t *testing.T) {
	st := story{t, New(true)}
	ann := st.member("ann", "n1")
	st.member("bob", "n2", "ann")
	second := st.member("bob", "n3", "ann")
	ann.change("+bob")
	st.told("a-1 channel_occupied presence-room", "a-3 member_added presence-room ann", "a-4 member_added presence-room bob",
		"a-5 channel_occupied news")
	st.trigger("n2", 2)
	reader := st.reader("eve", "n1")
	reader.gets(news, protocol.EventSubscriptionCount, `{"subscription_count":1}`)
	reader.events("n2", 2)
	left := st.reader("left", "n1")
	left.events("n2", 1)
	left.Unsubscribe(news)
	gone := st.member("gone", "n3", "ann", "bob")
	gone.Close()
	second.Close()
	if got := append(st.Unsettled(), st.Faults()...); len(got) > 0 {
		t.Errorf("Unsettled() and Faults() = %q, want none", got)
	}
	if _, ended := gone.Ended(); !ended || st.Transitions() != 1 || len(st.All()) != 6 {
		t.Errorf("Ended() = %t, Transitions() = %d, %d sockets, want true, 1 and 6", ended, st.Transitions(), len(st.All()))
	}
	truth := st.Truth()
	if got, want := truth.Users(room), []string{"ann", "bob"}; !slices.Equal(got, want) {
		t.Errorf("Users() = %q, want %q", got, want)
	}
	if truth.Subscriptions[room] != 2 || truth.Subscriptions[news] != 1 || len(st.Sockets()) != 4 {
		t.Errorf("Truth() = %v, %d sockets, want 2, 1 and 4", truth, len(st.Sockets()))
	}
}

// TestOvertaken: ids say the order, whatever arrives first.
func TestOvertaken(t *testing.T) {
	st := story{t, New(true)}
	st.reader("ann", "n1")
	st.told("a-1 channel_occupied news", "a-3 channel_occupied news", "a-2 channel_vacated news")
	if got := append(st.Unsettled(), st.Faults()...); len(got) > 0 {
		t.Errorf("Unsettled() and Faults() = %q, want none", got)
	}
	if got, want := st.Hooks(news), []string{Occupied, Vacated, Occupied}; !slices.Equal(got, want) {
		t.Errorf("Hooks() = %q, want %q", got, want)
	}
	if repeats, overtaken := st.Repeats(); repeats != 0 || overtaken != 1 {
		t.Errorf("Repeats() = %d, %d, want 0 and 1", repeats, overtaken)
	}
}

func TestDoubtful(t *testing.T) {
	st := story{t, New(true)}
	st.reader("ann", "n1")
	st.told("a-1 channel_occupied news", "a-2 channel_occupied news", "a-2 channel_occupied news", "a-3 channel_occupied other", "a-4 channel_vacated other")
	got := st.Doubtful()
	if len(got) != 3 || !strings.Contains(got[2], "channel_occupied news (a-2) by n1, again: true") {
		t.Errorf("Doubtful() = %q, want three lines, the last of a repeat", got)
	}
}

// TestWithoutBackend: where no webhooks are expected none are missed.
func TestWithoutBackend(t *testing.T) {
	st := story{t, New(false)}
	st.reader("ann", "n1")
	if got := st.Unsettled(); len(got) > 0 {
		t.Errorf("Unsettled() = %q, want none", got)
	}
}

func TestWhatASocketKnows(t *testing.T) {
	st := story{t, New(false)}
	s := st.member("ann", "n1", "bob")
	s.change("-bob", "+eve")
	if got, want := s.Changes(room), []string{"-bob", "+eve"}; !slices.Equal(got, want) {
		t.Errorf("Changes() = %q, want %q", got, want)
	}
	if got, want := s.Members(room), []string{"ann", "eve"}; !slices.Equal(got, want) {
		t.Errorf("Members() = %q, want %q", got, want)
	}
	r := st.reader("bob", "n2")
	if r.Count(news) != -1 || r.Seen(Stream{"n1", news}) != 0 || !r.Joined(news) || r.Joined(room) {
		t.Error("a new subscription knows something")
	}
	st.trigger("n1", 2)
	r.events("n1", 1, 2)
	r.gets(news, protocol.EventSubscriptionCount, `{"subscription_count":7}`)
	if r.Count(news) != 7 || r.Seen(Stream{"n1", news}) != 2 || r.Received() != 2 {
		t.Errorf("Count, Seen, Received = %d, %d, %d, want 7, 2, 2", r.Count(news), r.Seen(Stream{"n1", news}), r.Received())
	}
	if ok, not := st.Accepted(); ok != 2 || not != 0 {
		t.Errorf("Accepted() = %d, %d, want 2, 0", ok, not)
	}
	st.told("a-1 channel_occupied news", "a-1 channel_occupied news", "a-2 member_added presence-room ann")
	if got, want := st.Hooks(room), []string{"member_added ann"}; !slices.Equal(got, want) {
		t.Errorf("Hooks() = %q, want %q", got, want)
	}
	if all := st.AllHooks(); len(all) != 2 {
		t.Errorf("AllHooks() = %v, want 2", all)
	}
	if repeats, overtaken := st.Repeats(); repeats != 1 || overtaken != 0 {
		t.Errorf("Repeats() = %d, %d, want 1 and 0", repeats, overtaken)
	}
}
