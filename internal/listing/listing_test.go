package listing

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// channelNames walks all pages of a list.
func (n *node) channelNames(prefix string, order Order, limit int) (names []string) {
	var after *Place
	for {
		page, next := Channels(n.hub, n.app, prefix, order, after, limit)
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
		if got := n.channelNames("room-", ByName, limit); !slices.Equal(got, want) {
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
	if got, want := n.channelNames("", BySize, 1), []string{"large", "middle", "small"}; !slices.Equal(got, want) {
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

func TestUsersAreListedWithWhatTheyHave(t *testing.T) {
	n := newNode(t)
	n.app.WatchlistEvents = true
	a, b := n.connect(), n.connect()
	a.signIn(`{"id":"ann","watchlist":["bob","eve"]}`)
	b.signIn(`{"id":"bob"}`)
	b.join("presence-room", `{"user_id":"bob"}`)
	n.loops.run()
	page, next := Users(n.hub, n.app, "", "", 2)
	if len(page) != 2 || page[0].ID != "ann" || page[1].ID != "bob" || page[1].Watchers != 1 || page[1].Sockets != 1 || next != "bob" {
		t.Errorf("the first page is %+v, %q", page, next)
	}
	page, next = Users(n.hub, n.app, "", next, 2)
	if len(page) != 1 || page[0].ID != "eve" || page[0].Online || next != "" {
		t.Errorf("the second page is %+v, %q", page, next)
	}
}

// What listing costs: reported for docs/performance.md.
func BenchmarkListOf100000Channels(b *testing.B) {
	n := newNode(b)
	n.app.Limits.ChannelsPerConnection = 0
	c := n.connect()
	for i := range 100_000 {
		c.subscribe(fmt.Sprintf("user-%d", i))
	}
	for name, order := range map[string]Order{"by name": ByName, "by size": BySize} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Channels(n.hub, n.app, "", order, &Place{Name: "user-5"}, 1000)
			}
		})
	}
}
