package hub

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

func signedIn(userData string) string {
	return `pusher:signin_success {"user_data":` + quote(userData) + `}`
}

func watching(a *apps.App) { a.WatchlistEvents = true }

func online(ids ...string) string  { return watchlist("online", ids) }
func offline(ids ...string) string { return watchlist("offline", ids) }

func watchlist(name string, ids []string) string {
	return `pusher_internal:watchlist_events {"events":[` + watchlistEvent(name, ids) + `]}`
}

func watchlistEvent(name string, ids []string) string {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = quote(id)
	}
	return fmt.Sprintf(`{"name":%q,"user_ids":[%s]}`, name, strings.Join(quoted, ","))
}

func both(on, off []string) string {
	return `pusher_internal:watchlist_events {"events":[` + watchlistEvent("online", on) + "," + watchlistEvent("offline", off) + `]}`
}

func TestSignInEchoesUserData(t *testing.T) {
	c := newNode(t).connect()
	const data = `{ "id":"16", "user_info":{"n":"<Ann> \u00e9"},"watchlist":["17"],"more":[1] }`
	c.signIn(data)
	c.expect(signedIn(data)) // and no watchlist: the app has that off
}

func TestSignInRefused(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	const good = `{"id":"16"}`
	text := protocol.UserText(c.session.ID(), good)
	for name, tt := range map[string]struct{ data, want string }{
		"no data":           {`{}`, complaint(protocol.MissingParameter("data.auth"))},
		"no user_data":      {`{"auth":"key:00"}`, complaint(protocol.MissingParameter("data.user_data"))},
		"object":            {`{"auth":"key:00","user_data":{"id":"16"}}`, complaint(protocol.MissingParameter("data.user_data"))},
		"wrong digest":      {`{"auth":"key:00","user_data":"{\"id\":\"16\"}"}`, complaint(protocol.InvalidSignature(text, "00"))},
		"wrong key":         {`{"auth":` + quote(token("nokey", "secret", text)) + `,"user_data":"{\"id\":\"16\"}"}`, complaint(protocol.InvalidKey("nokey"))},
		"no colon":          {`{"auth":"key","user_data":"{\"id\":\"16\"}"}`, complaint(protocol.ErrSigninFormat)},
		"no token":          {`{"auth":"","user_data":"{\"id\":\"16\"}"}`, complaint(protocol.ErrSigninFormat)},
		"documented typo":   {`{"auth":"key::user::` + protocol.Sign("secret", text) + `","user_data":"{\"id\":\"16\"}"}`, complaint(protocol.InvalidSignature(text, ":user::"+protocol.Sign("secret", text)))},
		"of another socket": {`{"auth":` + quote(token("key", "secret", protocol.UserText(n.connect().session.ID(), good))) + `,"user_data":"{\"id\":\"16\"}"}`, ""},
	} {
		c.receive(`{"event":"pusher:signin","data":%s}`, tt.data)
		got := c.read()
		if len(got) != 1 || tt.want != "" && got[0] != tt.want || !strings.HasPrefix(got[0], `pusher:error {"code":null`) {
			t.Errorf("%s: signing in = %q, want %q", name, got, tt.want)
		}
	}
	for _, data := range []string{`x`, `[]`, `{}`, `{"id":""}`, `{"id":16}`, `{"id":"a\nb"}`, `{"id":"\u007f"}`, `{"id":"` + strings.Repeat("x", 201) + `"}`} {
		_, err := protocol.ParseUserData(data)
		c.signIn(data)
		c.expect(complaint(protocol.InvalidUserData(err.Error())))
	}
	for _, data := range []string{`{"id":"1","watchlist":[1]}`, `{"id":"1","watchlist":{}}`} {
		c.signIn(data)
		c.expect(complaint(protocol.InvalidUserData(protocol.ErrWatchlist.Error())))
	}
	n.trigger("#server-to-user-16", "e", "")
	n.trigger("#server-to-user-1", "e", "")
	c.expect()
	c.session.End(Ending{})
}

func TestSignInAgain(t *testing.T) {
	n := newNode(t)
	a := n.connect()
	a.signIn(`{"id":"16"}`)
	a.signIn(`{"id":"17"}`)
	a.signIn(`{"id":"16","user_info":{"n":1}}`)
	n.trigger("#server-to-user-16", "e", "d")
	n.trigger("#server-to-user-17", "e", "d")
	a.expect(signedIn(`{"id":"16"}`), complaint(protocol.ErrOtherUser), signedIn(`{"id":"16","user_info":{"n":1}}`), "e @#server-to-user-16 d")
	a.subscribe("presence-r")
	a.expect(snapshot("presence-r", `16={"n":1}`))
	a.session.End(Ending{})
	n.expectNothing()
}

func TestEventsToAUser(t *testing.T) {
	n := newNode(t)
	a, b, c, d := n.connect(), n.connect(), n.connect(), n.connect()
	for _, x := range []*client{a, b} {
		x.signIn(`{"id":"16"}`)
		x.expect(signedIn(`{"id":"16"}`))
	}
	c.signIn(`{"id":"17"}`)
	c.expect(signedIn(`{"id":"17"}`))
	d.join("presence-r", `{"user_id":"16"}`)
	d.read()
	a.subscribe("#server-to-user-16")
	a.expect(succeeded("#server-to-user-16"))
	n.trigger("#server-to-user-16", "e", `{"a":1}`)
	for _, x := range []*client{a, b} {
		x.expect(`e @#server-to-user-16 {"a":1}`) // once, subscribed or not
	}
	n.trigger("#server-to-user-16", "f", "", a)
	n.trigger("#server-to-user-18", "f", "") // nobody: lost
	a.expect()
	b.expect("f @#server-to-user-16 ")
	c.expect()
	d.expect()
	b.session.End(Ending{})
	a.session.End(Ending{})
	c.session.End(Ending{})
	d.session.End(Ending{})
	n.expectNothing()
}

func TestChannelOfAUser(t *testing.T) {
	n := newTestNode(t, counting)
	c := n.connect()
	refused := func(channel string) {
		t.Helper()
		c.expect(complaint(protocol.OtherUsersChannel(channel)), subscriptionError(channel, "AuthError", 401))
	}
	c.subscribe("#server-to-user-16")
	refused("#server-to-user-16")
	c.signIn(`{"id":"a b/é#"}`) // ids are not channel names
	c.read()
	c.subscribe("#server-to-user-a b/é#")
	c.expect(succeeded("#server-to-user-a b/é#"))
	c.subscribe("#server-to-user-a b/é#")
	c.expect(complaint(protocol.ExistingSubscription("#server-to-user-a b/é#")))
	c.subscribe("#server-to-user-a b/é")
	refused("#server-to-user-a b/é")
	c.receive(`{"event":"client-x","channel":"#server-to-user-a b/é#"}`)
	c.expect(complaint(protocol.ErrClientEventChannel))
	if n.hub.Channels(n.app, "", func(name string, _ ChannelState) { t.Errorf("the list has %q", name) }); t.Failed() {
		return
	}
	c.unsubscribe("#server-to-user-a b/é#")
	c.unsubscribe("#server-to-user-a b/é#")
	c.expect(complaint(protocol.NoSubscription("#server-to-user-a b/é#")))
	n.trigger("#server-to-user-a b/é#", "e", "") // comes with signing in
	c.expect("e @#server-to-user-a b/é# ")
}

func TestWatchlist(t *testing.T) {
	n := newTestNode(t, watching)
	a, b, c, d := n.connect(), n.connect(), n.connect(), n.connect()
	b.signIn(`{"id":"17"}`)
	b.expect(signedIn(`{"id":"17"}`)) // no watchlist, no frame
	const data = `{"id":"16","watchlist":["19","17","18","17"]}`
	a.signIn(data)
	a.expect(signedIn(data), both([]string{"17"}, []string{"19", "18"}))
	c.signIn(`{"id":"18"}`)
	a.expect(online("18"))
	d.signIn(`{"id":"18"}`)
	c.session.End(Ending{})
	a.expect() // still there
	d.session.End(Ending{})
	a.expect(offline("18"))
	b.signIn(`{"id":"17"}`)
	a.expect()
	b.session.End(Ending{})
	a.expect(offline("17"))
	a.session.End(Ending{})
	n.expectNothing()
}

func TestWatchlistLeavesOutWhatIsEmpty(t *testing.T) {
	n := newTestNode(t, watching)
	a, b, c := n.connect(), n.connect(), n.connect()
	a.signIn(`{"id":"1","watchlist":["2"]}`)
	a.expect(signedIn(`{"id":"1","watchlist":["2"]}`), offline("2"))
	b.signIn(`{"id":"2","watchlist":["1"]}`)
	b.expect(signedIn(`{"id":"2","watchlist":["1"]}`), online("1"))
	a.expect(online("2"))
	c.signIn(`{"id":"3","watchlist":[]}`)
	c.expect(signedIn(`{"id":"3","watchlist":[]}`))
}

func TestWatchlistMayHoldOneself(t *testing.T) {
	n := newTestNode(t, watching)
	a, b := n.connect(), n.connect()
	a.signIn(`{"id":"1","watchlist":["1"]}`)
	a.expect(signedIn(`{"id":"1","watchlist":["1"]}`), online("1"))
	b.signIn(`{"id":"1"}`)
	b.session.End(Ending{})
	a.expect()
	a.session.End(Ending{})
	n.expectNothing()
}

func TestWatchlistIsReplacedBySigningInAgain(t *testing.T) {
	n := newTestNode(t, watching)
	a, b, c := n.connect(), n.connect(), n.connect()
	a.signIn(`{"id":"1","watchlist":["2","3"]}`)
	a.read()
	a.signIn(`{"id":"1","watchlist":["3","4"]}`)
	a.expect(signedIn(`{"id":"1","watchlist":["3","4"]}`), offline("3", "4"))
	b.signIn(`{"id":"2"}`)
	c.signIn(`{"id":"3"}`)
	a.expect(online("3"))
	a.signIn(`{"id":"1"}`)
	a.expect(signedIn(`{"id":"1"}`))
	c.session.End(Ending{})
	a.expect()
	b.session.End(Ending{})
	a.session.End(Ending{})
	n.expectNothing()
}

func TestWatchlistLimit(t *testing.T) {
	n := newTestNode(t, watching)
	var ids []string
	for i := range 101 {
		ids = append(ids, fmt.Sprint("u", i))
	}
	b, c := n.connect(), n.connect()
	for _, tt := range []struct {
		ids []string
		err bool
	}{{ids[:100], false}, {ids, true}} {
		a := n.connect()
		data := `{"id":"a","watchlist":["u0","` + strings.Join(tt.ids, `","`) + `"]}` // u0 twice
		a.signIn(data)
		want := []string{signedIn(data), offline(ids[:100]...)}
		if tt.err {
			want = []string{signedIn(data), complaint(protocol.WatchlistLimit(100)), offline(ids[:100]...)}
		}
		a.expect(want...)
		b.signIn(`{"id":"u99"}`)
		c.signIn(`{"id":"u100"}`)
		a.expect(online("u99"))
		b.session.End(Ending{})
		c.session.End(Ending{})
		a.session.End(Ending{})
		b, c = n.connect(), n.connect()
	}
	b.session.End(Ending{})
	c.session.End(Ending{})
	n.expectNothing()
}

func TestWatchlistWithoutALimit(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.WatchlistEvents, a.Limits.Watchlist = true, 0 })
	a := n.connect()
	a.signIn(`{"id":"a","watchlist":["u"` + strings.Repeat(`,"u"`, 200) + `,"v"]}`)
	if got := a.read(); len(got) != 2 || got[1] != offline("u", "v") {
		t.Errorf("signing in = %q, want success and the watched users", got)
	}
}

func TestTerminate(t *testing.T) {
	n := newTestNode(t, watching)
	a, b, member, watcher, other := n.connect(), n.connect(), n.connect(), n.connect(), n.connect()
	a.signIn(`{"id":"16"}`)
	b.signIn(`{"id":"16"}`)
	b.join("presence-r", `{"user_id":"b"}`)
	member.join("presence-r", `{"user_id":"16"}`)
	other.signIn(`{"id":"17"}`)
	watcher.signIn(`{"id":"w","watchlist":["16"]}`)
	watcher.read()
	n.loops.run()
	n.hub.Terminate(n.app, "16")
	n.hub.Terminate(n.app, "nobody")
	a.expectClosed(protocol.ErrTerminated)
	b.expectClosed(protocol.ErrTerminated)
	member.expectClosed(nil)
	other.expectClosed(nil)
	member.expect(snapshot("presence-r", "b", "16"), removed("presence-r", "b"))
	watcher.expect(offline("16"))
	n.hub.Terminate(n.app, "w")
	watcher.expectClosed(protocol.ErrTerminated)
	member.session.End(Ending{})
	other.session.End(Ending{})
	n.expectNothing()
}

// Who signs in after the call is not meant by it, however late the loops get
// to it; who signed in before it is, wherever.
func TestTerminateMeansThoseSignedInBefore(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect() // on different loops
	a.signIn(`{"id":"16"}`)
	b.signIn(`{"id":"16"}`)
	n.hub.Terminate(n.app, "16")
	c, d := n.connectLater(), n.connectLater()
	c.signIn(`{"id":"16"}`)
	d.signIn(`{"id":"16"}`)
	n.trigger("#server-to-user-16", "e", "")
	a.expectClosed(protocol.ErrTerminated)
	b.expectClosed(protocol.ErrTerminated)
	c.expectClosed(nil)
	d.expectClosed(nil)
	a.expect(signedIn(`{"id":"16"}`)) // the event came after the end
	c.expect(signedIn(`{"id":"16"}`), "e @#server-to-user-16 ")
	d.expect(signedIn(`{"id":"16"}`), "e @#server-to-user-16 ")
}

// connectLater connects without running the loops.
func (n *testNode) connectLater() *client {
	n.t.Helper()
	c, refused := n.dial(request("key"))
	if refused != nil {
		n.t.Fatal(refused)
	}
	c.got = nil
	return c
}
