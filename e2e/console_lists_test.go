package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// Texts of clients that want to be more than text.
const (
	hostileUser    = `<img src=x onerror=alert(7)>` + "\u202e/../%2e"
	hostileLibrary = `<script>alert(8)</script>` + "\u2066"
	hostileOrigin  = "https://evil.example/<script>alert(9)</script>"
	hostileInfo    = `{"name":"</script><script>alert(10)</script>` + "\u202e" + `"}`
)

// dialHostile connects a client that says of itself what it should not.
func dialHostile(t *testing.T, s *service.Service) *wire {
	t.Helper()
	query := url.Values{"protocol": {"7"}, "client": {hostileLibrary}, "version": {"8.4.0\"'>"}}
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(http.Header{"Origin": {hostileOrigin}})}
	conn, early, _, err := d.Dial(t.Context(), "ws://"+s.Addr+"/app/"+service.Key+"?"+query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return greeted(t, conn, early)
}

// signIn signs in as a user, as a backend allows it.
func (w *wire) signIn(user string) {
	w.t.Helper()
	data, err := json.Marshal(map[string]string{"id": user})
	if err != nil {
		w.t.Fatal(err)
	}
	message, err := json.Marshal(map[string]any{"event": "pusher:signin", "data": map[string]string{
		"auth": service.Key + ":" + protocol.Sign(service.Secret, w.id+"::user::"+string(data)), "user_data": string(data),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.write(string(message)); err != nil {
		w.t.Fatal(err)
	}
	for !strings.Contains(string(w.read()), "signin_success") {
		continue
	}
}

// memberData is channel_data of a presence channel.
func memberData(t *testing.T, user, info string) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"user_id": user, "user_info": json.RawMessage(info)})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestConsoleListsChannels filters, sorts and pages them, and all of that stands in
// the address.
func TestConsoleListsChannels(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("apps/1/channels")
	tb.see("No channels yet.", "belfry subscribe news")
	w := dialWire(t, svc)
	for i := range 120 {
		w.subscribe(fmt.Sprintf("news-%03d", i), "")
	}
	w.subscribe("private-cache-orders", "")
	dialWire(t, svc).subscribe("news-077", "")
	api(t, svc, "GET", "/api/v1/apps/1/channels", "", http.StatusOK, nil)
	tb.press("Refresh")
	tb.see("100 channels on this page.", "news-000")
	tb.press("Next page")
	tb.see("21 channels on this page.", "private-cache-orders", "private-cache")
	tb.evaluate("history.back()", nil)
	tb.see("news-000")
	tb.fill("Order", "subscriptions")
	tb.await(`document.querySelector("tbody td").innerText.trim()`, "news-077")
	tb.await(`document.querySelector("tbody td:nth-child(3)").innerText`, "2")
	tb.fill("Name begins with", "private-")
	tb.see("1 channel on this page.")
	tb.await("location.search", "?order=subscriptions&prefix=private-")
	tb.open("apps/1/channels?order=subscriptions&prefix=private-") // as a colleague who gets the link
	tb.see("1 channel on this page.")
	tb.await(`field("Name begins with").value`, "private-")
	tb.press("private-cache-orders")
	tb.see("new subscribers are told of a cache miss", w.id)
}

// TestConsoleShowsAChannelWithItsMembers, whose data are shown when that is asked
// for.
func TestConsoleShowsAChannelWithItsMembers(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	be := startGoBackend(t, svc, theApp)
	ann, bob := dialWire(t, svc), dialWire(t, svc)
	ann.signIn("ann")
	ann.subscribe("presence-cache-room", memberData(t, "ann", `{"name":"Ann of Green Gables"}`))
	bob.subscribe("presence-cache-room", memberData(t, "ann", `{"name":"Ann of Green Gables"}`))
	if _, err := be.Trigger([]string{"presence-cache-room"}, "said", "the cached data", triggerParams{}); err != nil {
		t.Fatal(err)
	}
	tb := openConsole(t, svc)
	tb.open("apps/1/channels/presence-cache-room")
	tb.see("presence-cache", "Connections on this node", ann.id, bob.id, "Explain a missing event")
	tb.press("On the command line")
	tb.see("belfry channels presence-cache-room --app 1")
	tb.await(`document.querySelector("[aria-label=Members] tbody td:nth-child(2)").innerText`, "2")
	tb.gone("Green Gables")
	tb.gone("the cached data")
	tb.fill("Show what users and events say", true)
	tb.see("Ann of Green Gables", "the cached data")
	tb.see("API message said", "handed to 2 sockets", "Subscribed")
	tb.accessible("channel")
	tb.press(ann.id)
	tb.see("Signed in as", "presence-cache-room", "Terminate…")
	tb.press("ann")
	tb.await("location.pathname", "/console/apps/1/users/ann")
	tb.open("apps/1/channels/nobody")
	tb.see("Nobody is subscribed to this channel, and it has no cached event.", "Explain a missing event")
}

// TestConsoleListsConnections by what their clients say, counts them, and leads to
// one of them.
func TestConsoleListsConnections(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("apps/1/connections")
	tb.see("Nobody is connected.")
	w := dialHostile(t, svc)
	w.signIn("ann")
	w.subscribe("news", "")
	for range 3 {
		dialWire(t, svc)
	}
	tb.press("Refresh")
	tb.see("4 connections, the newest first.", `<script>alert(8)</script>\u{2066}`)
	tb.fill("Subscribed to", "news")
	tb.see("1 connection that fit")
	tb.await("location.search", "?channel=news")
	tb.fill("Subscribed to", "")
	tb.see("4 connections, the newest first.")
	tb.fill("Address", "not an address")
	tb.see("address is not an address such as 192.0.2.1")
	tb.fill("Address", "127.0.0.0/8")
	tb.see("4 connections that fit")
	tb.fill("Address", "")
	tb.fill("Show", "origin")
	tb.see("no origin: no page of a browser", "75 %")
	tb.press("On the command line")
	tb.see("--by origin")
	tb.press(hostileOrigin)
	tb.see("1 connection that fit", w.id)
	tb.press(w.id)
	tb.see("Heard last", "evil.example", "Terminate…")
}

// TestConsoleClosesAConnection for good, or so that the client comes back, when its
// id is typed.
func TestConsoleClosesAConnection(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	for button, code := range map[string]string{"Terminate": "4009", "Reconnect": "4200"} {
		w := dialWire(t, svc)
		tb.open("apps/1/connections/" + w.id)
		tb.see("It is subscribed to nothing.")
		tb.press(button + "…")
		tb.see("belfry connections "+w.id+" --app 1 --close", "with "+code)
		tb.accessible("dialog of a connection")
		tb.await(`document.querySelector("dialog [type=submit]").disabled`, true)
		tb.fill("Type", w.id)
		tb.press(button)
		tb.see("Nobody is connected.")
		if got := string(w.read()); !strings.Contains(got, code) {
			t.Errorf("%s: the client got %s, want %s", button, got, code)
		}
		tb.open("apps/1/connections/" + w.id)
		tb.see("There is no such connection.", "Timeline", "closed by the service with "+code) // what it was is remembered
	}
}

// inhabit connects clients to the app of a service, which say what strangers would
// say, and lists the pages that show them.
func inhabit(t *testing.T, svc *service.Service) map[string]view {
	t.Helper()
	w := dialHostile(t, svc)
	w.signIn(hostileUser)
	w.subscribe("presence-cache-room", memberData(t, hostileUser, hostileInfo))
	w.subscribe("news", "")
	for i := range 8 {
		other := dialWire(t, svc)
		other.subscribe("presence-cache-room", memberData(t, fmt.Sprint("user-", i), `{"name":"Ann"}`))
		other.subscribe(fmt.Sprintf("private-orders-%d", i), "")
	}
	subscribe, err := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": map[string]any{"channel": hostileUser}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.write(string(subscribe)); err != nil {
		t.Fatal(err)
	}
	refused := startGoBackend(t, svc, credential{service.AppID, "<script>alert(12)</script>", "wrong"})
	if _, err := refused.Trigger([]string{"news"}, "e", "", triggerParams{}); err == nil {
		t.Fatal("an unknown key was taken")
	}
	dialWire(t, svc) // and never subscribes
	be := startGoBackend(t, svc, theApp)
	if _, err := be.Trigger([]string{"presence-cache-room"}, "<script>alert(11)</script>", hostileInfo, triggerParams{}); err != nil {
		t.Fatal(err)
	}
	return map[string]view{
		"trouble":     {"apps/1", "What went wrong"},
		"channels":    {"apps/1/channels", "presence-cache-room"},
		"channel":     {"apps/1/channels/presence-cache-room?payloads=1", "</script><script>alert(10)</script>"},
		"connections": {"apps/1/connections", "<script>alert(8)</script>"},
		"groups":      {"apps/1/connections?by=origin", hostileOrigin},
		"silent":      {"apps/1/connections?unsubscribed=1", "It answers HTML"},
		"connection":  {"apps/1/connections/" + w.id, "Heard last"},
		"live":        {"apps/1/live", "Nothing that fits has happened"},
		"users":       {"apps/1/users", "signed in"},
		"user":        {"apps/1/users/" + url.PathEscape(hostileUser), "presence-cache-room"},
		"errors":      {"apps/1/errors?open=" + url.QueryEscape("client/channel_name/Invalid channel name"), "of which more is known"},
		"unknown":     {"errors", "Unknown key"},
		"explain":     {"apps/1/explain?channel=presence-cache-room&socket=" + w.id, "What this is concluded from"},
		"ask":         {"apps/1/explain", "Say which event"},
		"docs":        {"docs/protocol?at=4100", "Odd input"},
		"uses":        {"apps/1/keys?open=" + service.Key, "<script>alert(8)</script>"},
		"minutes":     {"apps/1/usage?range=1h", "nothing is known"},
		"deliveries":  {"apps/1/deliveries", "Nothing was sent"},
	}
}
