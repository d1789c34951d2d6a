package e2e

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// members are what a page knows of a presence channel.
type members struct {
	Count   int
	MyID    string
	Me      map[string]any
	Members map[string]map[string]any
}

func (p *page) Members(channel string) members {
	p.b.t.Helper()
	var m members
	p.must("members", map[string]any{"channel": channel}, &m)
	return m
}

// AwaitMember waits for the next member "added" to a channel or "removed" from
// it and returns its id.
func (p *page) AwaitMember(channel, event string) string {
	p.b.t.Helper()
	member, _ := p.Await(channel, "pusher:member_"+event).Data.(map[string]any)
	id, _ := member["id"].(string)
	return id
}

// TestPresenceOfADozen has twelve people come and go, one with two pages.
func TestPresenceOfADozen(t *testing.T) {
	const room, people = "presence-room", 12
	play(t, service.Config{}, func(s *scene) {
		first := s.browser.Open("ann")
		first.Subscribe(room)
		ids := []string{"ann"}
		pages := []*page{first}
		for i := range people - 1 {
			id := fmt.Sprintf("guest-%c", 'a'+i)
			p := s.browser.Open(id)
			p.Subscribe(room)
			ids, pages = append(ids, id), append(pages, p)
			if got := first.AwaitMember(room, "added"); got != id {
				s.Errorf("member added = %s, want %s", got, id)
			}
		}
		again := s.browser.Open("ann2") // no news: Ann is here already
		again.Subscribe(room)

		last := pages[people-1]
		for _, p := range []*page{first, last, again} {
			s.checkMembers(p, room, ids)
		}
		got, err := s.backend.Users(room)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, ids) {
			s.Errorf("Users = %q, %v, want %q", got, err, ids)
		}

		first.Unsubscribe(room) // no news either: her second page is
		for i, p := range pages[1 : people-1] {
			p.must("disconnect", nil, nil)
			if got := again.AwaitMember(room, "removed"); got != ids[i+1] {
				s.Errorf("member removed = %s, want %s", got, ids[i+1])
			}
		}
		again.must("disconnect", nil, nil)
		for last.AwaitMember(room, "removed") != "ann" {
		}
		s.checkMembers(last, room, ids[people-1:])
		if got, want := last.Count("channel", room, "pusher:member_removed"), people-1; got != want {
			s.Errorf("%d members removed, want %d", got, want)
		}
	})
}

// checkMembers compares what a page knows with the ids of all members, and
// looks at what is known of the page's own.
func (s *scene) checkMembers(p *page, channel string, ids []string) {
	s.Helper()
	m := p.Members(channel)
	var got []string
	for id, info := range m.Members {
		got = append(got, id)
		if name, _ := info["name"].(string); !strings.HasPrefix(name, id+" of ") {
			s.Errorf("%s knows %s as %v", p.name, id, info)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, ids) || m.Count != len(ids) {
		s.Errorf("%s sees %d members %q, want %q", p.name, m.Count, got, ids)
	}
	if want := decoded(s, map[string]any{"id": m.MyID, "info": m.Members[m.MyID]}); !reflect.DeepEqual(any(m.Me), want) {
		s.Errorf("%s is %v, want %v", p.name, m.Me, want)
	}
}
