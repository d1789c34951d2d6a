package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// channelNames walks all pages of a list.
func (n *testNode) channelNames(prefix string, order ChannelOrder, limit int) (names []string) {
	var after *ChannelPlace
	for {
		page, next := n.hub.ChannelPage(n.app, prefix, order, after, limit)
		for _, c := range page {
			names = append(names, c.Name)
		}
		if next == nil {
			return names
		}
		after = next
	}
}

func TestChannelsAreListedPageByPage(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	var want []string
	for i := range 1000 {
		name := fmt.Sprintf("room-%03d", i)
		c.subscribe(name)
		want = append(want, name)
	}
	c.subscribe("news")
	n.loops.run()
	for _, limit := range []int{1, 7, 100, 1000} {
		if got := n.channelNames("room-", ChannelsByName, limit); !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %d names, want %d in order", limit, len(got), len(want))
		}
	}
}

func TestLargestChannelsComeFirst(t *testing.T) {
	n := newNode(t)
	for i := range 3 {
		c := n.connect()
		for _, name := range []string{"large", "middle", "small"}[:3-i] {
			c.subscribe(name)
		}
	}
	n.loops.run()
	if got, want := n.channelNames("", ChannelsBySize, 1), []string{"large", "middle", "small"}; !slices.Equal(got, want) {
		t.Errorf("channels by size: %q, want %q", got, want)
	}
}

// TestPagesOfAListHaveEachElementOnce is about all lists: whatever the pages and
// the shards are, together they are the sorted list.
func TestPagesOfAListHaveEachElementOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfDistinct(rapid.StringMatching(`[a-d]{1,4}`), rapid.ID[string]).Draw(t, "all")
		limit := rapid.IntRange(1, 9).Draw(t, "limit")
		shards := make([][]string, 4)
		for i, x := range all {
			shards[i%4] = append(shards[i%4], x)
		}
		var got []string
		var after *string
		for more := true; more; {
			var first []string
			more = false
			for _, fresh := range shards {
				first, more = mergeFirst(first, fresh, limit, more, strings.Compare, after)
			}
			if len(first) == 0 {
				break
			}
			got = append(got, first...)
			after = &got[len(got)-1]
		}
		want := slices.Sorted(slices.Values(all))
		if !slices.Equal(got, want) {
			t.Fatalf("pages of %d: %q, want %q", limit, got, want)
		}
	})
}

func TestChannelSaysWhatItHolds(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.join("presence-room", `{"user_id":"ann","user_info":{"name":"Ann"}}`)
	b.join("presence-room", `{"user_id":"ann","user_info":{"name":"Ann"}}`)
	b.subscribe("cache-news")
	n.loops.run()
	n.trigger("cache-news", "e", "hello")
	n.loops.run()
	room, ok := n.hub.ChannelInfo(n.app, "presence-room")
	if !ok || room.Subscriptions != 2 || room.Users != 1 || !room.Kind.Presence() || room.Cached != nil {
		t.Errorf("presence-room is %+v, %v", room, ok)
	}
	members := n.hub.Members(n.app, "presence-room", 10)
	if len(members) != 1 || members[0].UserID != "ann" || members[0].Sockets != 2 || members[0].Nodes != 1 {
		t.Errorf("its members are %+v", members)
	}
	news, _ := n.hub.ChannelInfo(n.app, "cache-news")
	if news.Cached == nil || news.Cached.Bytes != len(`"hello"`) || news.Order == 0 {
		t.Errorf("cache-news is %+v", news)
	}
	if _, ok := n.hub.ChannelInfo(n.app, "none"); ok {
		t.Error("a channel that nobody has is there")
	}
}

func TestUsersAreListedWithWhatTheyHave(t *testing.T) {
	n := newNode(t)
	n.app.WatchlistEvents = true
	a, b := n.connect(), n.connect()
	a.signIn(`{"id":"ann","watchlist":["bob","eve"]}`)
	b.signIn(`{"id":"bob"}`)
	b.join("presence-room", `{"user_id":"bob"}`)
	n.loops.run()
	page, next := n.hub.UserPage(n.app, "", "", 2)
	if len(page) != 2 || page[0].ID != "ann" || page[1].ID != "bob" || page[1].Watchers != 1 || page[1].Sockets != 1 || next != "bob" {
		t.Errorf("the first page is %+v, %q", page, next)
	}
	page, next = n.hub.UserPage(n.app, "", next, 2)
	if len(page) != 1 || page[0].ID != "eve" || page[0].Online || next != "" {
		t.Errorf("the second page is %+v, %q", page, next)
	}
	if got := slices.Collect(n.hub.ChannelsOfMember(n.app, "bob")); !slices.Equal(got, []string{"presence-room"}) {
		t.Errorf("bob is a member of %q", got)
	}
}

// What listing costs, and for how long a shard is locked: reported for
// docs/performance.md.
func BenchmarkListOf100000Channels(b *testing.B) {
	n := newTestNode(b, nil)
	app := testApp()
	t := n.hub.tenant(app)
	for i := range 100_000 {
		name := fmt.Sprintf("private-user-%d", i)
		sh := t.shard(name)
		sh.mu.Lock()
		sh.openLocked(name, 0).elsewhere.Set(1, 1)
		sh.mu.Unlock()
	}
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			n.hub.ChannelPage(app, "", ChannelsByName, &ChannelPlace{Name: "private-user-5"}, 1000)
		}
	})
	b.Run("lock", func(b *testing.B) {
		var buffer []ChannelPlace
		for b.Loop() {
			buffer = t.shards[0].copyChannels(t, "", ChannelsByName, buffer[:0])
		}
	})
	b.Run("lock by size", func(b *testing.B) {
		var buffer []ChannelPlace
		for b.Loop() {
			buffer = t.shards[0].copyChannels(t, "", ChannelsBySize, buffer[:0])
		}
	})
}
