package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

const room = "presence-r"

func TestPresenceComesAndGoes(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.join(room, `{"user_id":"1","user_info":{"name":"A"}}`)
	a.expect(snapshot(room, `1={"name":"A"}`))
	b.join(room, `{"user_id":"2","user_info":{"name":"B"}}`)
	a.expect(added(room, "2", `{"name":"B"}`))
	b.expect(snapshot(room, `1={"name":"A"}`, `2={"name":"B"}`))
	b.unsubscribe(room)
	a.expect(removed(room, "2"))
	b.expect()
	b.join(room, `{"user_id":"2"}`)
	b.expect(snapshot(room, `1={"name":"A"}`, "2"))
	b.session.End(Ending{})
	a.expect(added(room, "2", ""), removed(room, "2"))
	a.session.End(Ending{})
	n.expectNothing()
}

func TestPresenceCountsAUserOnce(t *testing.T) {
	n := newNode(t)
	a, b, c := n.connect(), n.connect(), n.connect()
	a.join(room, `{"user_id":"1"}`)
	b.join(room, `{"user_id":"2"}`)
	a.expect(snapshot(room, "1"), added(room, "2", ""))
	c.join(room, `{"user_id":2}`)
	c.expect(snapshot(room, "1", "2"))
	b.session.End(Ending{})
	a.expect()
	c.expect()
	c.unsubscribe(room)
	a.expect(removed(room, "2"))
}

func TestPresenceKeepsTheOrderOfJoining(t *testing.T) {
	n := newNode(t)
	watcher := n.connect()
	clients := make(map[string]*client)
	for _, id := range []string{"c", "a", "b"} {
		clients[id] = n.connect()
		clients[id].join(room, `{"user_id":"`+id+`"}`)
	}
	clients["c"].unsubscribe(room) // who comes back comes last
	clients["c"].join(room, `{"user_id":"c"}`)
	watcher.join(room, `{"user_id":"a"}`)
	watcher.expect(snapshot(room, "a", "b", "c"))
	if got, want := n.hub.Users(n.app, room), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("Users = %q, want %q", got, want)
	}
}

func TestPresenceTellsTheLatestUserInfo(t *testing.T) {
	n := newNode(t)
	a, b, c := n.connect(), n.connect(), n.connect()
	a.join(room, `{"user_id":"1","user_info":{"n":"old"}}`)
	b.join(room, `{"user_id":"1","user_info":{"n":"new"}}`)
	a.expect(snapshot(room, `1={"n":"old"}`)) // no news for those who are there
	b.expect(snapshot(room, `1={"n":"new"}`))
	b.session.End(Ending{})
	c.join(room, `{"user_id":"2"}`)
	c.expect(snapshot(room, `1={"n":"new"}`, "2"))
	b = n.connect()
	b.join(room, `{"user_id":"1"}`)
	b.expect(snapshot(room, "1", "2"))
}

func TestPresenceUserIDs(t *testing.T) {
	n := newNode(t)
	long := strings.Repeat("é", 128)
	for data, id := range map[string]string{
		`{"user_id":"1"}`:                    "1",
		`{"user_id":10}`:                     "10",
		`{"user_id":-10}`:                    "-10",
		`{"user_id":9007199254740992}`:       "9007199254740992",
		`{"user_id":"` + long + `"}`:         long,
		`{"user_id":" \u0000"}`:              " \x00",
		`{"x":1,"user_id":"a","user_id":""}`: "",
		`{"user_id":1.5}`:                    "",
		`{"user_id":1e3}`:                    "",
		`{"user_id":9007199254740993}`:       "",
		`{"user_id":true}`:                   "",
		`{"user_id":null}`:                   "",
		`{"user_id":""}`:                     "",
		`{"user_id":{}}`:                     "",
		`{"user_info":{}}`:                   "",
	} {
		c := n.connect()
		c.join(room, data)
		if id != "" {
			c.expect(snapshot(room, id))
		} else {
			c.expect(complaint(protocol.InvalidChannelData(protocol.ErrMemberID.Error())), subscriptionError(room, "AuthError", 401))
		}
		c.session.End(Ending{})
	}
	for _, data := range []string{``, `[]`, `"x"`, `{`, `null`} {
		c := n.connect()
		c.join(room, data)
		c.expect(complaint(protocol.InvalidChannelData(protocol.ErrChannelDataObject.Error())), subscriptionError(room, "AuthError", 401))
		c.session.End(Ending{})
	}
	n.expectNothing()
}

func TestPresenceDataIsNotLookedAtBeforeTheToken(t *testing.T) {
	c := newNode(t).connect()
	for _, data := range []string{`nonsense`, `{"user_id":"` + strings.Repeat("x", 129) + `"}`} {
		c.receive(`{"event":"pusher:subscribe","data":{"channel":"presence-r","auth":"key:00","channel_data":%s}}`, quote(data))
		c.expect(complaint(protocol.InvalidSignature(protocol.ChannelDataText(c.session.ID(), room, data), "00")), subscriptionError(room, "AuthError", 401))
	}
}

func TestPresenceSizes(t *testing.T) {
	n := newNode(t)
	info := func(bytes int) string { return `{"n":"` + strings.Repeat("é", bytes/2-4) + `"}` }
	c := n.connect()
	c.join(room, `{"user_id":"`+strings.Repeat("é", 129)+`"}`)
	c.expect(complaint(protocol.InvalidChannelData("user_id is too long")), subscriptionError(room, "LimitReached", 4004))
	c.join(room, `{"user_id":"1","user_info":`+info(1026)+`}`)
	c.expect(complaint(protocol.InvalidChannelData("user_info is too long")), subscriptionError(room, "LimitReached", 4004))
	c.join(room, `{"user_id":"1","user_info":`+info(1024)+`}`)
	c.expect(snapshot(room, "1="+info(1024)))
}

// Laravel's channels give true to whoever forgets to return the user's data.
func TestUserInfoThatIsNoObjectIsRefused(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	for _, info := range []string{`true`, `"Ann"`, `["Ann"]`, `7`} {
		a.join(room, `{"user_id":"1","user_info":`+info+`}`)
		a.expect(complaint(protocol.ErrUserInfo), subscriptionError(room, "AuthError", 401))
	}
	b.signIn(`{"id":"2","user_info":"Ben"}`)
	b.read()
	b.subscribe(room)
	b.expect(complaint(protocol.ErrUserInfo), subscriptionError(room, "AuthError", 401))
	a.join(room, `{"user_id":"1","user_info":null}`)
	a.expect(snapshot(room, "1"))
	b.join(room, `{"user_id":"2","user_info":{}}`)
	b.expect(snapshot(room, "1", "2={}"))
}

func TestPresenceUserInfoIsUnchanged(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.join(room, `{"user_id":"1"}`)
	a.read()
	const info = `{"h":"<b>&","u":"https:\/\/x","e":"\u00e9 \ud83d\ude00","n":12345678901234567890,"l":[1.50,null]}`
	b.join(room, `{"user_id":"2","user_info":`+info+`}`)
	a.expect(added(room, "2", info))
	b.expect(snapshot(room, "1", "2="+info))
}

func TestPresenceIsFullForNewUsersOnly(t *testing.T) {
	n := newNode(t)
	clients := make([]*client, 100)
	for i := range clients {
		clients[i] = n.connect()
		clients[i].join(room, fmt.Sprintf(`{"user_id":"%d"}`, i))
	}
	late := n.connect()
	late.join(room, `{"user_id":"late"}`)
	late.expect(complaint(protocol.ErrPresenceFull), subscriptionError(room, "LimitReached", 4004))
	again := n.connect()
	again.join(room, `{"user_id":"7"}`)
	if got := again.read(); len(got) != 1 || !strings.Contains(got[0], `"count":100,`) {
		t.Errorf("a second connection of a member got %q, want the snapshot of 100 users", got)
	}
	if got := n.hub.Channel(n.app, room); got != (ChannelState{Occupied: true, Subscriptions: 101, Users: 100}) {
		t.Errorf("Channel = %+v, want 101 subscriptions of 100 users", got)
	}
	clients[7].session.End(Ending{})
	late.join(room, `{"user_id":"late"}`)
	late.expect(complaint(protocol.ErrPresenceFull), subscriptionError(room, "LimitReached", 4004))
	again.session.End(Ending{})
	late.join(room, `{"user_id":"late"}`)
	if got := late.read(); len(got) != 1 || !strings.Contains(got[0], `"late":null`) {
		t.Errorf("after a user left, the next one got %q, want in", got)
	}
}

func TestPresenceRefusedForFullLeavesNoChannel(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.Limits.PresenceMembers = 1 })
	a, b := n.connect(), n.connect()
	a.join(room, `{"user_id":"1"}`)
	b.join(room, `{"user_id":"2"}`)
	a.expect(snapshot(room, "1"))
	a.session.End(Ending{})
	b.session.End(Ending{})
	n.expectNothing()
}

func TestPresenceOfTheSignedInUser(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.subscribe(room) // a token without channel_data
	a.expect(complaint(protocol.InvalidChannelData(protocol.ErrChannelDataMissing.Error())), subscriptionError(room, "AuthError", 401))
	a.signIn(`{"id":"16","user_info":{"name":"Ann"}}`)
	a.read()
	a.subscribe(room)
	a.expect(snapshot(room, `16={"name":"Ann"}`))
	b.signIn(`{"id":"17"}`)
	b.read()
	b.join(room, `{"user_id":"99"}`)
	b.expect(snapshot(room, `16={"name":"Ann"}`, "99"))
	a.expect(added(room, "99", ""))
	// Signing in again with other data changes nothing for who is there.
	a.signIn(`{"id":"16"}`)
	a.read()
	b.expect()
}

func TestLimitsHoldForTheSignedInUserToo(t *testing.T) {
	n := newNode(t)
	for _, data := range []string{
		`{"id":"` + strings.Repeat("x", 129) + `"}`,
		`{"id":"1","user_info":{"n":"` + strings.Repeat("x", 1023) + `"}}`,
	} {
		c := n.connect()
		c.signIn(data)
		if got := c.read(); len(got) != 1 || !strings.HasPrefix(got[0], "pusher:signin_success ") {
			t.Fatalf("signing in = %q, want success", got)
		}
		c.subscribe(room)
		if got := c.read(); len(got) != 2 || got[1] != subscriptionError(room, "LimitReached", 4004) {
			t.Errorf("joining as the signed-in user = %q, want over the limit", got)
		}
	}
}
