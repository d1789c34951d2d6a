package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/journal"
	"github.com/belfryhq/belfry/internal/natstest"
	"github.com/belfryhq/belfry/protocol"
)

// explainingApps are two apps: in the second one clients have no events of their
// own.
func explainingApps() []*apps.App {
	second := testApp()
	second.ID, second.Keys, second.ClientEvents = "2", []apps.Key{{Key: "key2", Secret: "secret2"}}, false
	return []*apps.App{testApp(), second}
}

func explainingNode(t testing.TB, change func(*Config)) *testNode {
	cfg := Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken, Apps: explainingApps(), Journal: journal.DefaultSize}
	if change != nil {
		change(&cfg)
	}
	return start(t, cfg)
}

// explainingCluster is some nodes on one engine.
func explainingCluster(t *testing.T, names ...string) (nodes []*testNode) {
	server := natstest.Start(t, natstest.Kept(natstest.AnyPort, t.TempDir()))
	for _, name := range names {
		nodes = append(nodes, explainingNode(t, func(c *Config) { c.EngineURL, c.Cluster.Name = server.ClientURL(), name }))
	}
	for _, n := range nodes {
		within(t, "all nodes know each other", func() bool { return n.hub.Peers() == len(names)-1 && n.hub.Settled() })
	}
	return nodes
}

// within waits until something is so.
func within(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			t.Fatalf("it does not become so that %s", what)
		}
		time.Sleep(10 * time.Millisecond) // a look at another goroutine's state, for which there is no signal
	}
}

// ask asks a node about an event, and holds the answer against openapi.yaml.
func (n *testNode) ask(app string, q url.Values) (a explain.Explanation) {
	n.t.Helper()
	d := newDescribed(n.t.(*testing.T), n.Server)
	build := func() *http.Request {
		r, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, "http://"+n.AdminAddr().String()+"/api/v1/apps/"+app+"/explain?"+q.Encode(), nil)
		if err != nil {
			n.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+liveToken)
		return r
	}
	response, err := http.DefaultClient.Do(build())
	if err != nil {
		n.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		n.t.Fatalf("explain?%s = %s %s, %v", q.Encode(), response.Status, text, err)
	}
	if err := d.check(build(), response.StatusCode, response.Header, text); err != nil {
		n.t.Errorf("the answer is not as described: %v\n%s", err, text)
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&a); err != nil {
		n.t.Fatal(err)
	}
	return a
}

// expectVerdict asks until there is that verdict, because what a node tells it has
// to do first, and returns the finding.
func (n *testNode) expectVerdict(want explain.Verdict, words string, q url.Values) explain.Conclusion {
	n.t.Helper()
	return n.expectVerdictOf("1", want, words, q)
}

func (n *testNode) expectVerdictOf(app string, want explain.Verdict, words string, q url.Values) (f explain.Conclusion) {
	n.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; {
		a := n.ask(app, q)
		if len(a.Findings) != 1 {
			n.t.Fatalf("%d findings, want one: %+v", len(a.Findings), a)
		}
		f = a.Findings[0]
		if f.Verdict == want && strings.Contains(f.Text, words) {
			return f
		}
		if time.Now().After(end) {
			n.t.Errorf("explain %s = %s %q\n\t%+v\n\tunknown %q\nwant %s %q", q.Encode(), f.Verdict, f.Text, f.Evidence, f.Unsure, want, words)
			return f
		}
		time.Sleep(20 * time.Millisecond) // the loops run what was posted to them meanwhile
	}
}

// emit triggers an event and returns its id.
func (n *testNode) emit(channel string) string {
	n.t.Helper()
	return n.trigger(http.DefaultClient, "http://"+n.Addr().String(), channel, "x").Header.Get("X-Belfry-Event-Id")
}

// join connects a client and returns it with its socket id.
func (n *testNode) client(key string) (*conn, string) {
	n.t.Helper()
	c := dial(n.t, "ws://"+n.Addr().String()+"/app/"+key+"?protocol=7", nil)
	var hello struct{ Data string }
	var data struct {
		SocketID string `json:"socket_id"`
	}
	if json.Unmarshal([]byte(c.next()), &hello) != nil || json.Unmarshal([]byte(hello.Data), &data) != nil {
		n.t.Fatal("the first frame can not be read")
	}
	return c, data.SocketID
}

func about(event, socket string) url.Values {
	q := url.Values{"event": {event}}
	if socket != "" {
		q.Set("socket", socket)
	}
	return q
}

func TestExplainWhatWasNeverPublished(t *testing.T) {
	n := explainingNode(t, nil)
	n.emit("news") // the node knows that it is up
	from := time.Now().UTC()
	q := url.Values{"channel": {"orders"}, "name": {"created"}, "from": {from.Format(time.RFC3339Nano)}}
	n.expectVerdict(explain.NeverPublished, "Nobody has triggered", q)
	response, err := http.Post("http://"+n.Addr().String()+"/apps/1/events?auth_key=key&auth_version=1.0&auth_timestamp=1", "application/json",
		strings.NewReader(`{"name":"created","channel":"orders","data":""}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	n.expectVerdict(explain.NeverPublished, "refused with 401", q)
	n.expectVerdict(explain.NeverPublished, "no such event", about(string(n.id)+"-99", ""))
}

func TestExplainAnEventOfAnotherName(t *testing.T) {
	n := explainingNode(t, nil)
	n.emit("Orders")
	from := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	for _, asked := range []string{"orders", "private-orders", "order"} {
		n.expectVerdict(explain.OtherName, "on Orders", url.Values{"channel": {asked}, "name": {"e"}, "from": {from}})
	}
}

func TestExplainThatNobodyWasThere(t *testing.T) {
	n := explainingNode(t, nil)
	n.expectVerdict(explain.NobodySubscribed, "Nobody was subscribed", about(n.emit("news"), ""))
}

func TestExplainWhoWasNotSubscribed(t *testing.T) {
	n := explainingNode(t, nil)
	c, id := n.client("key")
	event := n.emit("news")
	n.expectVerdict(explain.NotSubscribed, "has never subscribed", about(event, id))
	c.subscribe("news")
	n.expectVerdict(explain.NotSubscribed, "after the event", about(event, id))
	c.send(`{"event":"pusher:unsubscribe","data":{"channel":"news"}}`)
	within(t, "the client has left", func() bool { return !n.hub.Channel(n.cfg.Apps[0], "news").Occupied })
	n.expectVerdict(explain.NotSubscribed, "had left", about(n.emit("news"), id))
	c.send(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"key:wrong"}}`)
	c.next()
	n.expectVerdict(explain.NotSubscribed, "was refused: Invalid signature", about(n.emit("private-x"), id))
}

func TestExplainThatTheClientIsElsewhere(t *testing.T) {
	n := explainingNode(t, nil)
	_, other := n.client("key2")
	event := n.emit("news")
	n.expectVerdict(explain.OtherApp, "connected to the app 2", about(event, other))
	n.expectVerdict(explain.OtherApp, "No node of this cluster", about(event, "1.2"))
}

func TestExplainThatTheSenderIsLeftOut(t *testing.T) {
	n := explainingNode(t, nil)
	c, id := n.client("key")
	c.subscribe("news")
	socket, _ := protocol.ParseSocketID(id)
	receipt, err := n.hub.Trigger(t.Context(), n.cfg.Apps[0], []string{"news"}, hubEvent("e"), socket)
	if err != nil {
		t.Fatal(err)
	}
	n.expectVerdict(explain.Excluded, "this socket_id", about(receipt.ID.String(), id))

	c.send(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"key:%s"}}`, protocol.Sign("secret", id+":private-x")))
	c.next()
	c.send(`{"event":"client-hi","channel":"private-x","data":"x"}`)
	from := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	n.expectVerdict(explain.Excluded, "has sent the event itself", url.Values{"channel": {"private-x"}, "name": {"client-hi"}, "from": {from}, "socket": {id}})
}

func TestExplainThatTheClientWasNotConnected(t *testing.T) {
	n := explainingNode(t, nil)
	early := n.emit("news")
	c, id := n.client("key")
	c.subscribe("news")
	n.expectVerdict(explain.Disconnected, "has connected", about(early, id))
	c.Close()
	within(t, "the client has gone", func() bool { return n.hub.Connections() == 0 })
	n.expectVerdict(explain.Disconnected, "had ended", about(n.emit("news"), id))
	n.expectVerdict(explain.Disconnected, "The user had no connection", url.Values{"event": {n.emit("news")}, "user": {"ann"}})
}

func TestExplainThatTheClientWasTooSlow(t *testing.T) {
	n := explainingNode(t, func(c *Config) { c.SendBuffer = 64 << 10 })
	c, id := n.client("key")
	c.subscribe("news") // and reads nothing from here on
	data := strings.Repeat("x", 8<<10)
	last := ""
	within(t, "the client is given up", func() bool {
		last = n.trigger(http.DefaultClient, "http://"+n.Addr().String(), "news", data).Header.Get("X-Belfry-Event-Id")
		return n.hub.Connections() == 0
	})
	n.expectVerdict(explain.TooSlow, "given up", about(n.emit("news"), id))
	f := n.ask("1", about(last, id)).Findings[0]
	if f.Verdict != explain.TooSlow {
		t.Errorf("the event with which it was given up: %s %s", f.Verdict, f.Text)
	}
}

func TestExplainWhatWasLostBetweenNodes(t *testing.T) {
	nodes := explainingCluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	c, id := b.client("key")
	c.subscribe("news")
	within(t, "a knows of the channel", func() bool { return a.hub.Channel(a.cfg.Apps[0], "news").Occupied })
	good := a.emit("news")
	if got := c.next(); got != event("news", "x") {
		t.Fatalf("the client got %s", got)
	}
	for _, n := range nodes { // whoever is asked
		f := n.expectVerdict(explain.HandedOver, "was handed to the socket", about(good, id))
		if len(f.Evidence) < 4 {
			t.Errorf("the evidence is %+v, want the event, its arrival, connection and subscription", f.Evidence)
		}
	}
	b.loops.Hold() // b has too much to do, and drops what peers send
	dropped := a.emit("news")
	a.expectVerdict(explain.LostBetweenNodes, "dropped it", about(dropped, id))
	b.loops.Release()

	a.expectVerdict(explain.NobodySubscribed, "", about(a.emit("nobody"), ""))
	answer := b.ask("1", about(good, ""))
	if e := answer.Event; e == nil || e.Node != "a" || e.Elsewhere != 1 || e.Handed != 1 {
		t.Errorf("the event is %+v, want one of a that was handed to one socket", e)
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	a.expectVerdict(explain.Unknown, "No node knows this socket", about(good, id))
}

func TestExplainThatAClientEventWasRefused(t *testing.T) {
	n := explainingNode(t, nil)
	c, id := n.client("key2")
	c.send(`{"event":"client-hi","channel":"private-x","data":"x"}`)
	c.next()
	from := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	for _, q := range []url.Values{
		{"channel": {"private-x"}, "name": {"client-hi"}, "from": {from}},
		{"channel": {"private-x"}, "name": {"client-hi"}, "from": {from}, "socket": {id}},
	} {
		n.expectVerdictOf("2", explain.EventRefused, "you must enable this feature", q)
	}
}

func TestExplainThatTheSocketWasHandedIt(t *testing.T) {
	n := explainingNode(t, nil)
	c, id := n.client("key")
	c.subscribe("news")
	event := n.emit("news")
	n.expectVerdict(explain.HandedOver, "was handed to the socket", about(event, id))
	n.expectVerdict(explain.HandedOver, "handed to 1 sockets", about(event, ""))
	token := protocol.Sign("secret", id+`::user::{"id":"ann"}`)
	c.next() // the event
	c.send(fmt.Sprintf(`{"event":"pusher:signin","data":{"auth":"key:%s","user_data":"{\"id\":\"ann\"}"}}`, token))
	c.next()
	event = n.emit("#server-to-user-ann")
	n.expectVerdict(explain.HandedOver, "was handed to the socket", url.Values{"event": {event}, "user": {"ann"}})
}

func TestExplainThatAPollingClientHasNotComeForIt(t *testing.T) {
	n := explainingNode(t, nil)
	session := "http://" + n.Addr().String() + "/pusher/app/key/123/abcdef"
	post := func(path, body string) string {
		t.Helper()
		response, err := http.Post(session+path, "application/json", strings.NewReader(body))
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
	id := strings.FieldsFunc(rest, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })[0]
	post("/xhr_send", `["{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"news\"}}"]`)
	within(t, "the client is subscribed", func() bool { return n.hub.Channel(n.cfg.Apps[0], "news").Occupied })
	n.expectVerdict(explain.Waits, "has not come for them", about(n.emit("news"), id))
}

func TestExplainSaysWhatIsForgotten(t *testing.T) {
	n := explainingNode(t, func(c *Config) { c.Journal = 1 }) // the smallest
	first := n.emit("news")
	for range 3000 {
		if _, err := n.hub.Trigger(t.Context(), n.cfg.Apps[0], []string{"other"}, hubEvent("e"), protocol.SocketID{}); err != nil {
			t.Fatal(err)
		}
	}
	n.expectVerdict(explain.Unknown, "does not know the event any more", about(first, ""))
	f := n.expectVerdict(explain.Unknown, "is not known", url.Values{"channel": {"news"}})
	if len(f.Unsure) == 0 {
		t.Error("it is not said what is not known")
	}
	n.expectVerdict(explain.Unknown, "is not here", about("AAAAAAAAAAAAAAAA-1", ""))
	off := explainingNode(t, func(c *Config) { c.Journal = 0 })
	off.expectVerdict(explain.Unknown, "", url.Values{"channel": {"news"}})
}

// TestTimelineIsOfAllNodes: a connection from its beginning to its end, and an event
// once, with the sockets of both nodes.
func TestTimelineIsOfAllNodes(t *testing.T) {
	nodes := explainingCluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	here, _ := a.client("key")
	here.subscribe("news")
	c, id := b.client("key")
	c.subscribe("news")
	within(t, "a knows of the channel", func() bool { return a.hub.Channel(a.cfg.Apps[0], "news").Subscriptions == 2 })
	a.emit("news")
	if got := c.next(); got != event("news", "x") {
		t.Fatalf("the client got %s", got)
	}
	here.next()
	a.emit("other")
	c.send(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"key:wrong"}}`)
	c.next()
	c.Close()
	within(t, "the client has gone", func() bool { return b.hub.Connections() == 0 })

	d := newDescribed(t, a.Server)
	look := func(q string) (t struct {
		Rows  []explain.Moment
		Nodes []explain.Node
	}) {
		d.t.Helper()
		if err := json.Unmarshal(d.call("GET", "/api/v1/apps/1/timeline"+q, "", 200, ""), &t); err != nil {
			d.t.Fatal(err)
		}
		return t
	}
	story := func(rows []explain.Moment) string {
		var list []string
		for _, m := range rows {
			list = append(list, m.Type.String()+" "+m.Channel)
		}
		return strings.Join(list, ", ")
	}
	life := look("?socket=" + id)
	if got, want := story(life.Rows), "unsubscribed news, disconnection , client_error private-x, subscribed news, connection "; got != want {
		t.Errorf("the connection's timeline is %s, want %s", got, want)
	}
	if len(life.Nodes) != 2 || !life.Nodes[1].Answered || life.Nodes[1].Events == nil {
		t.Errorf("nodes = %+v, want from when on both remember", life.Nodes)
	}
	news := look("?channel=news")
	if got, want := story(news.Rows), "unsubscribed news, api_message news, subscribed news, subscribed news"; got != want {
		t.Fatalf("the channel's timeline is %s, want %s", got, want)
	}
	if m := news.Rows[1]; m.Node != "a" || *m.Here != 1 || *m.Elsewhere != 1 || *m.Handed != 2 {
		t.Errorf("the event is %+v, want one of a that two sockets were handed", m)
	}
	if last := look("?limit=1").Rows; len(last) != 1 || last[0].Type.String() != "unsubscribed" {
		t.Errorf("the last thing of the app is %s, want the end of the subscription", story(last))
	}
	d.call("GET", "/api/v1/apps/1/timeline?socket=x", "", 400, "not a socket id")
	d.call("GET", "/api/v1/apps/9/timeline", "", 404, "There is no such app.")
	off := explainingNode(t, func(c *Config) { c.Journal = 0 })
	newDescribed(t, off.Server).call("GET", "/api/v1/apps/1/timeline", "", 200, "keeps no journal")
}

func TestMistakesInQuestionsAreExplained(t *testing.T) {
	n := explainingNode(t, nil)
	d := newDescribed(t, n.Server)
	d.call("GET", "/api/v1/apps/1/explain", "", 400, "Which event?")
	d.call("GET", "/api/v1/apps/1/explain?event=x", "", 400, "not the id of an event")
	d.call("GET", "/api/v1/apps/1/explain?channel=x&socket=1.2&user=u", "", 400, "either socket or user")
	d.call("GET", "/api/v1/apps/1/explain?channel=x&socket=y", "", 400, "not a socket id")
	d.call("GET", "/api/v1/apps/1/explain?channel=x&form=y", "", 400, "did you mean from?")
	d.call("GET", "/api/v1/apps/9/explain?channel=x", "", 404, "There is no such app.")
}

func hubEvent(name string) hub.Event { return hub.Event{Name: name, Data: []byte(`"x"`)} }
