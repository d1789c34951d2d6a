package hub

import (
	"net/url"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

func TestConnectTellsSocketIDAndActivityTimeout(t *testing.T) {
	n := newNode(t)
	c, refused := n.dial(request("key"))
	if refused != nil {
		t.Fatal(refused)
	}
	c.expect(`pusher:connection_established {"socket_id":"` + c.session.ID().String() + `","activity_timeout":120}`)
	if c.session.ActivityTimeout() != n.app.ActivityTimeout || !c.session.AuthorizeBy().IsZero() {
		t.Errorf("timeouts = %v, %v, want %v and none", c.session.ActivityTimeout(), c.session.AuthorizeBy(), n.app.ActivityTimeout)
	}
}

// Each row breaks its check and all that come after it, so that the answer
// shows which comes first.
func TestConnectChecksInOrder(t *testing.T) {
	bad := func(id string) *apps.App {
		a := testApp()
		a.ID, a.Keys = id, []apps.Key{{Key: id, Secret: "s"}}
		a.Limits.Connections = 1
		return a
	}
	disabled, plain, origin, full, free := bad("disabled"), bad("plain"), bad("origin"), bad("full"), bad("free")
	disabled.Disabled = true
	for _, a := range []*apps.App{disabled, plain} {
		a.TLSOnly = true
	}
	for _, a := range []*apps.App{disabled, plain, origin} {
		a.AllowedOrigins = []string{"*.example.com"}
	}
	n := newNodeWith(t, Config{MaxConnections: 2}, full, free, disabled, plain, origin)
	n.connectTo("full")
	path := func(path, protocol string) Request {
		return Request{Path: path, Query: url.Values{"protocol": {protocol}}, Origin: "https://evil.test"}
	}
	check := func(name string, r Request, want *protocol.Error) {
		t.Helper()
		before := n.hub.Connections()
		c, refused := n.dial(r)
		if refused == nil || *refused != *want {
			t.Errorf("%s: Connect = %v, want %v", name, refused, want)
		}
		if refused == nil {
			c.session.End(Ending{})
			return
		}
		if len(c.got) > 0 || c.session != nil {
			t.Errorf("%s: the refused client got %q and a session %v, want nothing", name, c.got, c.session)
		}
		if got := n.hub.Connections(); got != before {
			t.Errorf("%s: Connections() = %d, want %d", name, got, before)
		}
		if got := total(n.hub.metrics.refused); got != 1 {
			t.Errorf("%s: %v refusals are counted, want 1", name, got)
		}
		n.hub.metrics.refused.Reset()
	}
	check("quota", path("/app/full", "7"), protocol.ErrOverQuota)
	n.connectTo("free")
	check("capacity", path("/app/full", "7"), protocol.ErrOverCapacity)
	check("origin", path("/app/origin", "7"), protocol.ErrOrigin)
	check("TLS", path("/app/plain", "7"), protocol.ErrTLSOnly)
	check("disabled", path("/app/disabled", "7"), protocol.ErrAppDisabled)
	check("key", path("/app/nope", "7"), protocol.UnknownApp("nope"))
	check("no version", path("/app/nope", ""), protocol.ErrNoVersion)
	check("version", path("/app/nope", "3"), protocol.ErrUnsupportedVersion)
	check("version format", path("/app/nope", "x"), protocol.ErrInvalidVersion)
	check("path", path("/nope", "x"), protocol.ErrPathNotFound)
	n.hub.Drain()
	check("draining", path("/nope", "x"), protocol.ErrReconnect)
	if !n.hub.Draining() || n.hub.Connections() != 2 {
		t.Errorf("Draining() = %t with %d connections, want those that were there to stay", n.hub.Draining(), n.hub.Connections())
	}
}

func TestConnectPath(t *testing.T) {
	app := testApp()
	app.Keys = append(app.Keys, apps.Key{Key: "a/b %", Secret: "s"})
	n := newNode(t, app)
	for path, want := range map[string]*protocol.Error{
		"/app/key":           nil,
		"/app/key/":          nil,
		"/app/ke%79":         nil,
		"/app/a%2Fb%20%25":   nil,
		"/app/key//":         protocol.ErrPathNotFound,
		"/app/key/x":         protocol.ErrPathNotFound,
		"/app/":              protocol.ErrPathNotFound,
		"/app//":             protocol.ErrPathNotFound,
		"/app":               protocol.ErrPathNotFound,
		"/apps/key":          protocol.ErrPathNotFound,
		"/x/app/key":         protocol.ErrPathNotFound,
		"app/key":            protocol.ErrPathNotFound,
		"":                   protocol.ErrPathNotFound,
		"/app/key%":          protocol.ErrPathNotFound,
		"/app/%6bey%00":      protocol.UnknownApp("key\x00"),
		"/app/KEY":           protocol.UnknownApp("KEY"),
		"/app/%25":           protocol.UnknownApp("%"),
		"/app/1":             protocol.UnknownApp("1"), // an id is no key
		"/app/ke%2579":       protocol.UnknownApp("ke%79"),
		"/app/secret":        protocol.UnknownApp("secret"),
		"/app/key%2F":        protocol.UnknownApp("key/"),
		"/APP/key":           protocol.ErrPathNotFound,
		"/app/key?protocol=": protocol.UnknownApp("key?protocol="),
	} {
		_, refused := n.dial(Request{Path: path, Query: url.Values{"protocol": {"7"}}})
		if (refused == nil) != (want == nil) || refused != nil && *refused != *want {
			t.Errorf("Connect to %q = %v, want %v", path, refused, want)
		}
	}
}

func TestConnectOrigin(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.AllowedOrigins = []string{"*.example.com", "localhost", "::1"} })
	for origin, allowed := range map[string]bool{
		"https://a.example.com":       true,
		"https://A.Example.COM:8443":  true,
		"http://localhost:3000":       true,
		"capacitor://localhost":       true,
		"http://[::1]:80":             true,
		"https://example.com":         false,
		"https://a.example.com.evil":  false,
		"https://evil/a.example.com":  false,
		"https://a.example.com@evil":  false,
		"https://evil?.example.com":   false,
		"https://evil#.example.com":   false,
		"null":                        false,
		"":                            false,
		"localhost":                   false, // no scheme, so no host
		"https://a.example.com:x":     false,
		"https://a.example.com\x00":   false,
		"https://%zz.example.com":     false,
		"https://user@b.example.com/": true,
	} {
		r := request("key")
		r.Origin = origin
		_, refused := n.dial(r)
		if want := protocol.ErrOrigin; !allowed && refused != want || allowed && refused != nil {
			t.Errorf("Connect from %q = %v, want allowed: %t", origin, refused, allowed)
		}
	}
}

func TestConnectAssumesAVersionIfToldTo(t *testing.T) {
	n := newNodeWith(t, Config{AssumeProtocol: 7})
	if _, refused := n.dial(Request{Path: "/app/key"}); refused != nil {
		t.Errorf("Connect without a version = %v, want the assumed one", refused)
	}
	if _, refused := n.dial(Request{Path: "/app/key", Query: url.Values{"protocol": {"8"}}}); refused != protocol.ErrUnsupportedVersion {
		t.Errorf("Connect with version 8 = %v, want %v", refused, protocol.ErrUnsupportedVersion)
	}
}

func TestQuotaIsFreedByTheEndOfASession(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.Limits.Connections = 2 })
	a, b := n.connect(), n.connect()
	if _, refused := n.dial(request("key")); refused != protocol.ErrOverQuota {
		t.Errorf("the third Connect = %v, want %v", refused, protocol.ErrOverQuota)
	}
	a.session.End(Ending{})
	a.session.End(Ending{}) // counts once
	c := n.connect()
	if _, refused := n.dial(request("key2")); refused != protocol.ErrOverQuota {
		t.Errorf("Connect with the app's other key = %v, want %v", refused, protocol.ErrOverQuota)
	}
	b.session.End(Ending{})
	c.session.End(Ending{})
	n.expectNothing()
}

func TestCapacityIsOfAllApps(t *testing.T) {
	other := testApp()
	other.ID, other.Keys = "2", []apps.Key{{Key: "other", Secret: "s"}}
	n := newNodeWith(t, Config{MaxConnections: 2}, testApp(), other)
	a, b := n.connect(), n.connectTo("other")
	for _, key := range []string{"key", "other"} {
		if _, refused := n.dial(request(key)); refused != protocol.ErrOverCapacity {
			t.Errorf("Connect to %q = %v, want %v", key, refused, protocol.ErrOverCapacity)
		}
	}
	a.session.End(Ending{})
	c := n.connectTo("other")
	b.session.End(Ending{})
	c.session.End(Ending{})
	n.expectNothing()
}

func TestSocketIDsAreUnique(t *testing.T) {
	n := newNode(t)
	seen := make(map[string]bool)
	for range 1000 {
		id := n.connect().session.ID().String()
		if a, b, ok := strings.Cut(id, "."); !ok || a == "" || b == "" || seen[id] {
			t.Fatalf("socket id %q; want two numbers that were not drawn before", id)
		}
		seen[id] = true
	}
}

func TestAppsDoNotSeeEachOther(t *testing.T) {
	one, two := testApp(), testApp()
	two.ID, two.Keys = "2", []apps.Key{{Key: "other", Secret: "secret"}}
	one.WatchlistEvents, two.WatchlistEvents = true, true
	n := newNode(t, one, two)
	a, b := n.connect(), n.connectTo("other")
	const data = `{"user_id":"u"}`
	a.join("presence-r", data)
	a.expect(snapshot("presence-r", "u"))
	b.receive(`{"event":"pusher:subscribe","data":{"channel":"presence-r","auth":%s,"channel_data":%s}}`,
		quote(token("other", "secret", protocol.ChannelDataText(b.session.ID(), "presence-r", data))), quote(data))
	b.expect(snapshot("presence-r", "u"))
	a.expect()
	// The other app's key does not even serve with the right secret.
	a.receive(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":%s}}`,
		quote(token("other", "secret", protocol.ChannelText(a.session.ID(), "private-x"))))
	a.expect(complaint(protocol.InvalidKey("other")), subscriptionError("private-x", "AuthError", 401))

	a.signIn(`{"id":"16"}`)
	a.read()
	b.receive(`{"event":"pusher:signin","data":{"auth":%s,"user_data":%s}}`,
		quote(token("other", "secret", protocol.UserText(b.session.ID(), `{"id":"17","watchlist":["16"]}`))), quote(`{"id":"17","watchlist":["16"]}`))
	b.expect(`pusher:signin_success {"user_data":"{\"id\":\"17\",\"watchlist\":[\"16\"]}"}`,
		`pusher_internal:watchlist_events {"events":[{"name":"offline","user_ids":["16"]}]}`)
	n.trigger("presence-r", "e", "d")
	a.expect("e @presence-r d")
	a.receive(`{"event":"client-x","channel":"presence-r"}`)
	n.hub.Terminate(two, "16")
	if got := n.hub.Channel(two, "presence-r"); got != (ChannelState{Occupied: true, Subscriptions: 1, Users: 1}) {
		t.Errorf("Channel of the other app = %+v, want its own subscription only", got)
	}
	a.session.End(Ending{})
	b.expect()
	a.expectClosed(nil)
	b.session.End(Ending{})
	n.expectNothing()
}
