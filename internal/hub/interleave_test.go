package hub

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
)

// In these tests the loops run behind, each as far as it pleases, while
// sessions come and go and events are triggered. What counts is what every
// session sees of one channel from its own place.

// A viewer is a client that notes when it subscribed and unsubscribed among
// the frames that it got.
type viewer struct {
	*client
	on bool
}

func (v *viewer) note(format string, args ...any) {
	v.got = append(v.got, fmt.Sprintf(format, args...))
}

// newViewers connects some viewers on three loops.
func newViewers(n *testNode, many int) []*viewer {
	n.loops.jobs = make([][]func(int), 3)
	viewers := make([]*viewer, many)
	for i := range viewers {
		viewers[i] = &viewer{client: n.connect()}
	}
	return viewers
}

// fallBehind are the actions by which the loops work, each on its own.
func fallBehind(n *testNode, actions map[string]func(*rapid.T)) map[string]func(*rapid.T) {
	for i := range 3 {
		step := func(t *rapid.T) {
			if !n.loops.step(i) {
				t.Skip("nothing to do")
			}
		}
		actions[fmt.Sprintf("loop %d", i)] = step
		actions[fmt.Sprintf("loop %d again", i)] = step
	}
	return actions
}

// A subscriber of a cache channel sees one run without a gap: what was
// triggered last before it came, and then each event until it left.
func TestCacheSubscriberSeesOneRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNode(t)
		viewers := newViewers(n, 6)
		last := 0
		pick := func(t *rapid.T) *viewer { return rapid.SampledFrom(viewers).Draw(t, "viewer") }
		t.Repeat(fallBehind(n, map[string]func(*rapid.T){
			"subscribe": func(t *rapid.T) {
				if v := pick(t); !v.on {
					v.on = true
					v.note("on %d", last)
					v.subscribe("cache-x")
				}
			},
			"unsubscribe": func(t *rapid.T) {
				if v := pick(t); v.on {
					v.on = false
					v.note("off %d", last)
					v.unsubscribe("cache-x")
				}
			},
			"trigger": func(t *rapid.T) {
				last++
				n.trigger("cache-x", "e", fmt.Sprint(last))
			},
			"batch": func(t *rapid.T) {
				var batch []Targeted
				for range 3 {
					last++
					batch = append(batch, Targeted{Event: Event{"e", []byte(quote(fmt.Sprint(last)))}, Channel: "cache-x"})
				}
				if _, err := n.hub.TriggerBatch(t.Context(), n.app, batch); err != nil {
					t.Fatal(err)
				}
			},
		}))
		n.loops.run()
		for i, v := range viewers {
			v.note("off %d", last)
			if err := checkRuns(v.got, v.on, last); err != nil {
				t.Fatalf("viewer %d: %v; it saw\n\t%s", i, err, strings.Join(v.got, "\n\t"))
			}
		}
	})
}

// checkRuns checks what one viewer saw of a cache channel. If it is still
// there, it must have seen everything.
func checkRuns(got []string, on bool, last int) error {
	for i := 0; i < len(got); {
		var from, to, seen int
		if _, err := fmt.Sscanf(got[i], "on %d", &from); err != nil {
			if strings.HasPrefix(got[i], "off ") {
				i++
				continue
			}
			return fmt.Errorf("%q without a subscription", got[i])
		}
		end := i + 1 + slices.IndexFunc(got[i+1:], func(s string) bool { return strings.HasPrefix(s, "off ") })
		fmt.Sscanf(got[end], "off %d", &to)
		first := fmt.Sprintf("e @cache-x %d", from)
		if from == 0 {
			first = miss("cache-x")
		}
		if end < i+3 || got[i+1] != succeeded("cache-x") || got[i+2] != first {
			return fmt.Errorf("a subscription does not begin with success and %q", first)
		}
		seen = from
		for _, f := range got[i+3 : end] {
			seen++
			if f != fmt.Sprintf("e @cache-x %d", seen) {
				return fmt.Errorf("%q where event %d was due", f, seen)
			}
		}
		if seen > to || on && end == len(got)-1 && seen != last {
			return fmt.Errorf("the run ended with %d, of events up to %d", seen, to)
		}
		i = end
	}
	return nil
}

// What a member is told after its snapshot keeps its picture of the channel
// right: nobody is added twice or removed unknown, and it ends with the truth.
func TestPresenceViewStaysRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newTestNode(t, func(a *apps.App) { a.Limits.PresenceMembers = 4 })
		viewers := newViewers(n, 8)
		pick := func(t *rapid.T) *viewer { return rapid.SampledFrom(viewers).Draw(t, "viewer") }
		leave := func(v *viewer) {
			if v.on {
				v.on = false
				v.note("off")
				v.unsubscribe("presence-r")
			}
		}
		t.Repeat(fallBehind(n, map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				if v := pick(t); !v.on {
					v.note("on")
					v.join("presence-r", fmt.Sprintf(`{"user_id":"%d"}`, rapid.IntRange(1, 6).Draw(t, "user")))
					v.on = strings.HasPrefix(v.got[len(v.got)-1], "pusher_internal:subscription_succeeded ")
				}
			},
			"leave": func(t *rapid.T) { leave(pick(t)) },
			"move": func(t *rapid.T) { // without a moment between
				v := pick(t)
				leave(v)
				v.note("on")
				v.join("presence-r", `{"user_id":"7"}`)
				v.on = strings.HasPrefix(v.got[len(v.got)-1], "pusher_internal:subscription_succeeded ")
			},
		}))
		n.loops.run()
		truth := n.hub.Users(n.app, "presence-r")
		for i, v := range viewers {
			view, err := viewOf(v.got)
			if err == nil && v.on && !sameUsers(view, truth) {
				err = fmt.Errorf("it sees %q in the end, and there are %q", view, truth)
			}
			if err != nil {
				t.Fatalf("viewer %d: %v; it saw\n\t%s", i, err, strings.Join(v.got, "\n\t"))
			}
		}
	})
}

func sameUsers(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// viewOf follows a member's view of a presence channel through what it saw.
func viewOf(got []string) (view []string, err error) {
	inside := false
	for _, f := range got {
		_, data, _ := strings.Cut(f, " @presence-r ")
		var d struct {
			UserID   string `json:"user_id"`
			Presence struct{ IDs []string }
		}
		json.Unmarshal([]byte(data), &d) // of notes nothing is left
		i := slices.Index(view, d.UserID)
		switch {
		case f == "on", f == "off", strings.HasPrefix(f, "pusher:"):
			inside, view = false, nil
		case strings.HasPrefix(f, "pusher_internal:subscription_succeeded"):
			inside, view = true, d.Presence.IDs
		case !inside:
			return nil, fmt.Errorf("%q outside of a subscription", f)
		case strings.HasPrefix(f, "pusher_internal:member_added") && i < 0:
			view = append(view, d.UserID)
		case strings.HasPrefix(f, "pusher_internal:member_removed") && i >= 0:
			view = slices.Delete(view, i, i+1)
		default:
			return nil, fmt.Errorf("%q with %q in view", f, view)
		}
	}
	return view, nil
}

// Who watches a user is told of each change once, from the state that it was
// told at first.
func TestWatcherSeesChangesInTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newTestNode(t, func(a *apps.App) { a.WatchlistEvents = true })
		watchers := newViewers(n, 4)
		var users []*client
		t.Repeat(fallBehind(n, map[string]func(*rapid.T){
			"watch": func(t *rapid.T) {
				v := rapid.SampledFrom(watchers).Draw(t, "watcher")
				v.note("on")
				v.signIn(`{"id":"w","watchlist":["u"]}`)
			},
			"come": func(t *rapid.T) {
				c := n.connectLater()
				c.signIn(`{"id":"u"}`)
				users = append(users, c)
			},
			"go": func(t *rapid.T) {
				if len(users) == 0 {
					t.Skip("nobody is there")
				}
				i := rapid.IntRange(0, len(users)-1).Draw(t, "user")
				users[i].session.End(Ending{})
				users = slices.Delete(users, i, i+1)
			},
		}))
		n.loops.run()
		states := []string{offline("u"), online("u")}
		truth := states[min(len(users), 1)]
		for i, v := range watchers {
			state := ""
			for _, f := range v.got {
				switch {
				case f == "on":
					state = "" // the next one is told whatever it is
				case strings.HasPrefix(f, "pusher:signin_success"):
				case !slices.Contains(states, f) || f == state:
					t.Fatalf("watcher %d was told %q after %q", i, f, state)
				default:
					state = f
				}
			}
			if len(v.got) > 0 && state != truth {
				t.Fatalf("watcher %d was told %q at last, want %q", i, state, truth)
			}
		}
	})
}
