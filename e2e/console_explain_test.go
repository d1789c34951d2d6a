package e2e

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// triggered triggers an event as a backend of the app and returns its id. More are
// members of the body.
func triggered(t *testing.T, svc *service.Service, channel, name, data, more string) string {
	t.Helper()
	body := fmt.Appendf(nil, `{"name":%q,"channel":%q,"data":%q%s}`, name, channel, data, more)
	hash := md5.Sum(body)
	query := url.Values{"auth_key": {service.Key}, "auth_version": {"1.0"}, "auth_timestamp": {strconv.FormatInt(time.Now().Unix(), 10)}, "body_md5": {hex.EncodeToString(hash[:])}}
	query.Set("auth_signature", protocol.Sign(service.Secret, "POST\n/apps/1/events\n"+query.Encode()))
	response, err := http.Post("http://"+svc.Addr+"/apps/1/events?"+query.Encode(), "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("trigger = %s %s, %v", response.Status, text, err)
	}
	return response.Header.Get("X-Belfry-Event-Id")
}

// awaitVerdict asks the API until it has that verdict, because a node may have to
// do first what it is to tell.
func awaitVerdict(t *testing.T, svc *service.Service, app, verdict string, q url.Values) {
	t.Helper()
	var answer struct {
		Findings []struct{ Verdict, Text string }
	}
	for end := time.Now().Add(service.Patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		api(t, svc, "GET", "/api/v1/apps/"+app+"/explain?"+q.Encode(), "", http.StatusOK, &answer)
		if len(answer.Findings) == 1 && answer.Findings[0].Verdict == verdict {
			return
		}
	}
	t.Fatalf("explain?%s = %+v, want %s", q.Encode(), answer, verdict)
}

// A question is one to the page, and what it has to answer.
type question struct {
	app, verdict, title, text string
	query                     url.Values
}

// explained opens the page with a question in its address.
func (tb *tab) explained(t *testing.T, svc *service.Service, q question) {
	t.Helper()
	awaitVerdict(t, svc, q.app, q.verdict, q.query)
	tb.open("apps/" + q.app + "/explain?" + q.query.Encode())
	tb.see(q.title, q.text, "From when on each node knows something")
	tb.accessible(q.verdict)
}

// TestConsoleExplains causes each verdict that a node alone can have, and finds it on
// the page with its evidence.
func TestConsoleExplains(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Settings: "websocket: {send_buffer: 64KiB}", Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    client_events: true
  - id: "2"
    keys: [{key: other-key, secret: other-secret}]
`})
	w := dialWire(t, svc)
	early := triggered(t, svc, "Orders", "created", "x", "")
	w.subscribe("news", "")
	got := triggered(t, svc, "news", "e", "x", "")
	own := triggered(t, svc, "news", "e", "x", fmt.Sprintf(`,"socket_id":%q`, w.id))
	other := dialWireAs(t, svc, "other-key")
	if err := other.write(`{"event":"client-hi","channel":"private-x","data":"x"}`); err != nil {
		t.Fatal(err)
	}
	late := dialWire(t, svc)
	slow := dialWire(t, svc)
	slow.subscribe("flood", "") // and reads nothing from here on
	tb := openConsole(t, svc)
	about := func(event, socket string) url.Values { return url.Values{"event": {event}, "socket": {socket}} }
	poller := pollingClient(t, svc, "polled") // which is given up if it does not ask for long
	polled := triggered(t, svc, "polled", "e", "x", "")
	from := []string{time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)}
	questions := []question{
		{"1", "other_name", "Triggered under another name", "letter by letter", url.Values{"channel": {"private-orders"}, "name": {"created"}, "from": from}},
		{"1", "nobody_subscribed", "Nobody was subscribed", "Compare the name", url.Values{"event": {early}}},
		{"1", "not_subscribed", "Not subscribed then", "has never subscribed", about(early, w.id)},
		{"1", "other_app", "Connected to another app", "connected to the app 2", about(got, other.id)},
		{"1", "excluded", "Excluded as its sender", "this socket_id", about(own, w.id)},
		{"1", "disconnected", "Not connected then", "has connected", about(got, late.id)},
		{"1", "handed_over", "Handed over", "What is not known", about(got, w.id)},
		{"2", "client_event_refused", "The client event was refused", "you must enable this feature", url.Values{"channel": {"private-x"}, "name": {"client-hi"}, "from": from}},
		{"1", "unknown", "Not known", "The node that this id is of is not here", url.Values{"event": {"AAAAAAAAAAAAAAAA-1"}}},
		{"1", "never_published", "Never triggered", "Nobody has triggered", url.Values{"channel": {"shipments"}, "name": {"left"}, "from": {time.Now().UTC().Format(time.RFC3339Nano)}}},
		{"1", "waiting", "Waiting for the client", "A client that polls must ask again", about(polled, poller)},
	}
	for _, q := range questions {
		tb.explained(t, svc, q)
	}
	data := strings.Repeat("x", 8<<10)
	for isThere(t, svc, slow.id) {
		triggered(t, svc, "flood", "e", data, "")
	}
	tb.explained(t, svc, question{"1", "too_slow", "Closed because it was too slow", "given up", about(triggered(t, svc, "flood", "e", "x", ""), slow.id)})
}

// TestConsoleShowsEveryVerdict, also the one that takes two nodes and bad luck. Its
// texts are those of strangers here.
func TestConsoleShowsEveryVerdict(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	for verdict, title := range map[string]string{"lost_between_nodes": "Lost between nodes", "unknown": "Not known", "of another version": "of another version"} {
		answer, err := json.Marshal(map[string]any{
			"findings": []any{map[string]any{"verdict": verdict, "text": hostileUser, "advice": hostileLibrary, "socket": "1.2", "user": hostileUser,
				"evidence": []any{map[string]string{"time": "2026-01-31T15:00:00.123Z", "node": hostileLibrary, "text": hostileUser}}, "unknown": []string{hostileOrigin}}},
			"nodes": []any{map[string]any{"name": "node-b", "answered": false, "detail": "has not answered within 2s"}, map[string]any{"name": "node-a", "answered": true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		tb.open("apps/1/explain")
		tb.see("Say which event")
		tb.evaluate(fmt.Sprintf(`{
			const ask = fetch
			window.fetch = (url, options) => (url.pathname.endsWith("/explain") ? Promise.resolve(new Response(%q)) : ask(url, options))
		} 0`, answer), nil)
		tb.fill("Channel", "news")
		tb.press("Find out why")
		tb.see(title, `<img src=x onerror=alert(7)>\u{202e}/../%2e`, `What to do: <script>alert(8)</script>\u{2066}`, "<script>alert(9)</script>",
			"This is of 1 of 2 nodes.", "What node-b has is missing: has not answered within 2s")
		tb.accessible(verdict)
	}
}

// isThere reports whether a connection is listed.
func isThere(t *testing.T, svc *service.Service, socket string) bool {
	t.Helper()
	var page struct {
		Connections []struct{ Socket string }
	}
	api(t, svc, "GET", "/api/v1/apps/1/connections", "", http.StatusOK, &page)
	for _, c := range page.Connections {
		if c.Socket == socket {
			return true
		}
	}
	return false
}

// pollingClient is a client that has subscribed over HTTP and does not come again. It
// returns its socket id.
func pollingClient(t *testing.T, svc *service.Service, channel string) string {
	t.Helper()
	post := func(path, body string) string {
		t.Helper()
		response, err := http.Post("http://"+svc.Addr+"/pusher/app/"+service.Key+"/123/abcdef"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode/100 != 2 {
			t.Fatalf("%s = %s %s, %v", path, response.Status, text, err)
		}
		return string(text)
	}
	hello := post("/xhr?protocol=7", "")
	for !strings.Contains(hello, "socket_id") {
		hello += post("/xhr?protocol=7", "")
	}
	_, rest, _ := strings.Cut(hello, "socket_id")
	post("/xhr_send", fmt.Sprintf(`["{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}"]`, channel))
	return strings.FieldsFunc(rest, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })[0]
}

// TestConsoleAsksWhatStandsInTheForm and puts the question into the address.
func TestConsoleAsksWhatStandsInTheForm(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	w := dialWire(t, svc)
	w.subscribe("news", "")
	id := triggered(t, svc, "news", "e", "x", "")
	second := triggered(t, svc, "news", "e", "x", "")
	awaitVerdict(t, svc, "1", "handed_over", url.Values{"event": {second}, "socket": {w.id}})
	tb := openConsole(t, svc)
	tb.open("apps/1/connections/" + w.id)
	tb.press("Find out why") // of its subscription
	tb.see("Handed over", "Other events that fit")
	tb.await(`field("Connection").value + " " + field("Channel").value`, w.id+" news")
	tb.press(id)
	tb.await("location.search", "?event="+id+"&socket="+url.QueryEscape(w.id))
	tb.see("Handed over", id)
	tb.press("Clear")
	tb.see("X-Belfry-Event-Id")
	tb.fill("Event id", "no id")
	tb.press("Find out why")
	tb.see("event is not the id of an event")
	tb.fill("Event id", "")
	tb.fill("Channel", "news")
	tb.fill("Event name", "other")
	tb.press("Find out why")
	tb.see("Not known", "was started at") // which is within the ten minutes
	triggered(t, svc, "news", "other", "x", "")
	tb.press("Find out why") // the same question has another answer now
	tb.see("Handed over")
}

// TestConsoleTellsWhatWentWrong by its cause, with what to do and where to look.
func TestConsoleTellsWhatWentWrong(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("apps/1/errors")
	tb.see("Nothing went wrong.")
	w := dialWire(t, svc)
	for range 3 {
		if err := w.write(`{"event":"pusher:subscribe","data":{"channel":"private-orders","auth":"app-key:0000"}}`); err != nil {
			t.Fatal(err)
		}
		if got := string(w.read()); !strings.Contains(got, "Invalid signature") {
			t.Fatalf("the client got %s", got)
		}
		w.read() // pusher:subscription_error
	}
	wrong := startGoBackend(t, svc, credential{service.AppID, service.Key, "wrong"})
	if _, err := wrong.Trigger([]string{"news"}, "e", "", triggerParams{}); err == nil {
		t.Fatal("a wrong secret was taken")
	}
	tb.press("Refresh")
	tb.see("2 causes.", "The auth endpoint of the application signs with another secret", "The backend signs with another secret")
	tb.fill("Of", "client")
	tb.gone("The backend signs with another secret")
	tb.press("Show details")
	tb.see("Expected HMAC SHA256 hex digest of "+w.id+":private-orders", "Explain a missing event")
	tb.gone(service.Secret)
	tb.await("new URLSearchParams(location.search).get('open').startsWith('client/wrong_signature/')", true)
	tb.accessible("errors")
	tb.press(w.id)
	tb.see("Heard last")
	tb.evaluate("history.back()", nil)
	tb.press("Errors without an app")
	tb.see("Nothing went wrong without an app.")
	nobody := startGoBackend(t, svc, credential{service.AppID, "no-such-key", "wrong"})
	if _, err := nobody.Trigger([]string{"news"}, "e", "", triggerParams{}); err == nil {
		t.Fatal("a key that no app has was taken")
	}
	tb.press("Refresh")
	tb.see("Unknown key", "Compare it with belfry apps list")
	tb.press("Show details")
	tb.see("no-such-key")
	tb.press("400")
	tb.see("Odd input") // of the page about the protocol
}

// TestConsoleEndsAllConnectionsOfAUser when the id is typed.
func TestConsoleEndsAllConnectionsOfAUser(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("apps/1/users")
	tb.see("Nobody is signed in.")
	var clients []*wire
	for range 2 {
		w := dialWire(t, svc)
		w.signIn("a/b")
		clients = append(clients, w)
	}
	clients[0].subscribe("presence-room", memberData(t, "a/b", `{}`))
	dialWire(t, svc).signIn("bob")
	tb.press("Refresh")
	tb.see("2 users on this page.")
	tb.fill("Id begins with", "a")
	tb.see("1 user on this page.")
	tb.press("a/b")
	tb.await("location.pathname", "/console/apps/1/users/a%2Fb")
	tb.see("presence-room", clients[0].id, clients[1].id, "signed in")
	tb.press("Terminate…")
	tb.see("2 connections of this user, on every node, are closed with 4009", "belfry users a/b --app 1 --terminate")
	tb.fill("Type", "a/b")
	tb.press("Terminate")
	tb.see("All nodes were told", "offline", "No connection is signed in as this user.")
	for _, w := range clients {
		for !strings.Contains(string(w.read()), "4009") {
			continue
		}
	}
}

// TestConsoleShowsTheDocumentation beside what it explains, from the binary.
func TestConsoleShowsTheDocumentation(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("docs/protocol?at=4100")
	tb.await(`document.querySelector("tr.meant td").innerText`, "4100")
	tb.await(`{ const r = document.querySelector("tr.meant").getBoundingClientRect(); r.top >= 0 && r.bottom <= innerHeight }`, true)
	tb.open("docs/console")
	tb.press("admin API")
	tb.see("JSON over HTTP under")
	tb.open("docs/nothing")
	tb.see("There is no such page.")
	tb.accessible("documentation")
}
