package hub

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

func authorizing(a *apps.App) { a.AuthorizedRequired = true }

func TestUnauthorizedSessionIsClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, authorizing)
		c := n.connect()
		by := c.session.AuthorizeBy()
		if want := time.Now().Add(30 * time.Second); !by.Equal(want) {
			t.Fatalf("AuthorizeBy() = %v, want %v", by, want)
		}
		c.subscribe("news")
		c.subscribe("cache-x")
		c.receive(`{"event":"pusher:signin","data":{"auth":"key:00","user_data":"{\"id\":\"1\"}"}}`)
		c.receive(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"key:00"}}`)
		c.session.CheckAuthorized(by.Add(-1))
		c.expectClosed(nil)
		c.session.CheckAuthorized(by)
		c.expectClosed(protocol.ErrNotAuthorized)
		n.expectNothing()
	})
}

func TestAuthorizedSessionStays(t *testing.T) {
	for name, authorize := range map[string]func(*client){
		"signed in": func(c *client) { c.signIn(`{"id":"1"}`) },
		"private":   func(c *client) { c.subscribe("private-x"); c.unsubscribe("private-x") },
		"encrypted": func(c *client) { c.subscribe("private-encrypted-cache-x") },
		"presence":  func(c *client) { c.join("presence-x", `{"user_id":"1"}`); c.unsubscribe("presence-x") },
	} {
		n := newTestNode(t, authorizing)
		c := n.connect()
		authorize(c)
		if by := c.session.AuthorizeBy(); !by.IsZero() {
			t.Errorf("%s: AuthorizeBy() = %v, want none", name, by)
		}
		c.session.CheckAuthorized(time.Now().Add(time.Hour))
		c.expectClosed(nil)
		c.session.End(Ending{})
		n.expectNothing()
	}
}

// A subscription that is refused does not authorize, for whatever reason it
// was refused.
func TestRefusedSubscriptionDoesNotAuthorize(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) {
		a.AuthorizedRequired = true
		a.Limits.PresenceMembers, a.Limits.Connections = 1, 2
	})
	member, c := n.connect(), n.connect()
	member.join("presence-r", `{"user_id":"1"}`)
	by := c.session.AuthorizeBy()
	for _, data := range []string{
		`{"user_id":""}`,
		`{"user_id":"` + strings.Repeat("x", 129) + `"}`,
		`{"user_id":"2"}`, // the channel is full
	} {
		c.join("presence-r", data)
		if got := c.read(); len(got) != 2 || !strings.HasPrefix(got[1], "pusher:subscription_error @presence-r ") {
			t.Errorf("joining with %s = %q, want refused", data, got)
		}
		if got := c.session.AuthorizeBy(); !got.Equal(by) {
			t.Errorf("AuthorizeBy() after %s was refused = %v, want %v as before", data, got, by)
		}
	}
	if got := n.hub.tenant(n.app).connections.Load(); got != 1 {
		t.Errorf("%d connections count towards the quota, want only the authorized one", got)
	}
	c.session.CheckAuthorized(by)
	c.expectClosed(protocol.ErrNotAuthorized)
	member.session.End(Ending{})
	n.expectNothing()
}

func TestOnlyAuthorizedSessionsCountTowardsTheQuota(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.AuthorizedRequired, a.Limits.Connections = true, 2 })
	var waiting []*client
	for range 2 * waitingFactor {
		waiting = append(waiting, n.connect())
	}
	if _, refused := n.dial(request("key")); refused != protocol.ErrOverCapacity {
		t.Errorf("Connect beside %d that wait = %v, want %v", len(waiting), refused, protocol.ErrOverCapacity)
	}
	waiting[0].subscribe("private-x")
	waiting[1].signIn(`{"id":"1"}`)
	waiting[0].expect(succeeded("private-x"))
	waiting[1].expect(signedIn(`{"id":"1"}`))
	n.connect() // those that are authorized wait no more
	waiting[2].subscribe("private-x")
	waiting[2].expect()
	waiting[2].expectClosed(protocol.ErrOverQuota)
	waiting[3].signIn(`{"id":"1"}`)
	waiting[3].expect()
	waiting[3].expectClosed(protocol.ErrOverQuota)
	if got := n.hub.Channel(n.app, "private-x").Subscriptions; got != 1 {
		t.Errorf("%d subscriptions, want that of the session within the quota", got)
	}
	waiting[0].unsubscribe("private-x") // authorized once is authorized
	waiting[0].session.End(Ending{})
	c := n.connect()
	c.join("presence-r", `{"user_id":"1"}`)
	c.expect(snapshot("presence-r", "1"))
}

func TestAuthorizingTwiceCountsOnce(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.AuthorizedRequired, a.Limits.Connections = true, 2 })
	a, b := n.connect(), n.connect()
	a.subscribe("private-x")
	a.subscribe("private-y")
	a.signIn(`{"id":"1"}`)
	a.signIn(`{"id":"1"}`)
	b.subscribe("private-x")
	b.expect(succeeded("private-x"))
	a.session.End(Ending{})
	b.session.End(Ending{})
	n.expectNothing()
}
