package hub

import (
	"slices"
	"testing"
)

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

func TestChannelsOfAMemberAreFound(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	c.subscribe("news")
	c.join("presence-room", `{"user_id":"bob"}`)
	if got := slices.Collect(n.hub.ChannelsOfMember(n.app, "bob")); !slices.Equal(got, []string{"presence-room"}) {
		t.Errorf("bob is a member of %q", got)
	}
}
