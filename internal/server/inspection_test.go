package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/sent"
	"github.com/belfryhq/belfry/protocol"
)

// established is the socket id of a client that has just connected.
func established(t testing.TB, c *conn) string {
	t.Helper()
	var f struct{ Data string }
	var data struct {
		SocketID string `json:"socket_id"`
	}
	if err := json.Unmarshal([]byte(c.next()), &f); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
		t.Fatal(err)
	}
	return data.SocketID
}

// TestInspectionIsDescribed is about the part of the admin API that package
// inspect serves: each answer is what openapi.yaml says.
func TestInspectionIsDescribed(t *testing.T) {
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken})
	c := dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7&client=js&version=8.4.0", http.Header{"Origin": {"https://shop.example"}})
	id := established(t, c)
	c.subscribe("news")
	user := `{"id":"ann@x"}`
	c.send(fmt.Sprintf(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`, "key:"+protocol.Sign("secret", id+"::user::"+user), user))
	c.next()
	member := `{"user_id":"ann@x","user_info":{"name":"Ann"}}`
	c.send(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"presence-cache-room","auth":%q,"channel_data":%q}}`,
		"key:"+protocol.Sign("secret", id+":presence-cache-room:"+member), member))
	c.next() // success
	c.next() // a cache miss
	n.trigger(http.DefaultClient, "http://"+n.Addr().String(), "presence-cache-room", "hello")
	c.next()

	d := newDescribed(t, n.Server)
	d.call("GET", "/api/v1/apps/1/channels", "", 200, `"name":"news","kind":"public","occupied":true,"subscriptions":1`)
	d.call("GET", "/api/v1/apps/1/channels?order=subscriptions&limit=1", "", 200, `"next":"1:news"`)
	d.call("GET", "/api/v1/apps/1/channels/presence-cache-room", "", 200, `"members":[{"user":"ann@x","sockets_here":1,"nodes":1}]`)
	d.call("GET", "/api/v1/apps/1/channels/presence-cache-room?payloads=true", "", 200, `"user_info":{"name":"Ann"}`)
	d.call("GET", "/api/v1/apps/1/channels/presence-cache-room?payloads=true", "", 200, `"data":"hello"`)
	d.call("GET", "/api/v1/apps/1/connections?limit=1", "", 200, `"origin":"https://shop.example","library":"js","version":"8.4.0","protocol":7,"address":"127.0.0.1"`)
	d.call("GET", "/api/v1/apps/1/connections?by=origin", "", 200, `{"value":"https://shop.example","connections":1}`)
	d.call("GET", "/api/v1/apps/1/connections?channel=news&library=js&address=127.0.0.0/8", "", 200, `"total":1`)
	d.call("GET", "/api/v1/apps/1/connections/"+id, "", 200, `"channels":[{"channel":"news"`)
	d.call("GET", "/api/v1/apps/1/users", "", 200, `{"id":"ann@x","online":true,"sockets":1,"watchers":0}`)
	d.call("GET", "/api/v1/apps/1/users/ann@x", "", 200, `"channels":["presence-cache-room"]`)
	d.call("GET", "/api/v1/apps/none/connections", "", 404, "no such app")
	d.call("DELETE", "/api/v1/apps/1/connections/1.1", "", 404, "no such connection")
	d.call("DELETE", "/api/v1/apps/1/connections/"+id+"?code=4200", "", 204, "")
	c.expectRefused(protocol.ErrReconnect)
	d.call("POST", "/api/v1/apps/1/users/ann@x/terminate", "", 200, `{}`)
}

// TestPollingClientIsListed: every transport says what it is.
func TestPollingClientIsListed(t *testing.T) {
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken})
	response, err := http.Post("http://"+n.Addr().String()+"/pusher/app/key/1/a/xhr?protocol=7&client=js&version=8.4.0", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if !strings.Contains(string(text), "connection_established") {
		t.Fatalf("the answer is %s", text)
	}
	newDescribed(t, n.Server).call("GET", "/api/v1/apps/1/connections", "", 200, `"transport":"xhr_polling","tls":false,"library":"js"`)
}

// TestErrorsAreToldByCause: what clients and backends get wrong is counted, with an
// example and advice, and each answer is what openapi.yaml says.
func TestErrorsAreToldByCause(t *testing.T) {
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken})
	base := n.Addr().String()
	c := n.connect()
	c.send(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"key:wrong"}}`)
	c.next()
	for range 2 {
		c.send(`{"event":"made-up","data":{}}`)
		c.next()
	}
	post := func(query string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+base+"/apps/1/events?"+query, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", "shop/1.0")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	post("auth_key=key&auth_version=1.0&auth_timestamp=1")
	post("auth_key=made-up&auth_version=1.0&auth_timestamp=1")
	stranger := dial(t, "ws://"+base+"/app/made-up?protocol=7", nil)
	stranger.expectRefused(protocol.UnknownApp("made-up"))
	old := dial(t, "ws://"+base+"/app/key?protocol=1", nil)
	old.expectRefused(protocol.ErrUnsupportedVersion)
	big := n.connect()
	big.send(`{"event":"x","data":"` + strings.Repeat("x", 200<<10) + `"}`)
	big.next()

	d := newDescribed(t, n.Server)
	for _, want := range []string{
		`"from":"client","cause":"unknown_event","detail":"Unsupported event received on socket","total":2`,
		`"cause":"wrong_signature"`, `"channel":"private-x"`, `"advice":"The auth endpoint of the application signs with another secret`,
		`"from":"backend","cause":"clock"`, `"key":"key","library":"shop/1.0"`, `"code":401`,
		`"cause":"protocol_version"`, `"cause":"message_too_large"`,
	} {
		d.call("GET", "/api/v1/apps/1/errors", "", 200, want)
	}
	d.call("GET", "/api/v1/errors", "", 200, `"from":"client","cause":"unknown_key"`)
	d.call("GET", "/api/v1/errors", "", 200, `"from":"backend","cause":"unknown_key"`)
	d.call("GET", "/api/v1/errors", "", 200, `"key":"made-up"`)
	d.call("GET", "/api/v1/apps/none/errors", "", 404, "no such app")
	d.call("GET", "/api/v1/apps/1/errors?limit=1", "", 400, "unknown")
}

// TestDeliveriesAreDescribed is about what was sent to an endpoint, whose answer wants
// to be more than text.
func TestDeliveriesAreDescribed(t *testing.T) {
	hostile := "<script>alert(1)</script>\u202e\xff" + strings.Repeat("x", 5000)
	taken := make(chan string, 10)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-<b>"] = []string{"\u202e\xff"}
		w.Header().Set("Set-Cookie", "session=hush")
		io.WriteString(w, hostile)
		taken <- r.Header.Get("X-Belfry-Event-Ids")
	}))
	t.Cleanup(endpoint.Close)
	app := testApp()
	app.Webhooks = []apps.Webhook{{ID: "main", URL: strings.Replace(endpoint.URL, "://", "://user:hush@", 1), Events: apps.EveryEvent}}
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken, Apps: []*apps.App{app},
		Webhooks: Webhooks{AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	c := dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7", nil)
	established(t, c)
	c.subscribe("news")
	ids := <-taken
	const path = "/api/v1/apps/1/webhooks/deliveries"
	d := newDescribed(t, n.Server)
	entry := func() string {
		list, _ := n.webhooks.History().List(sent.Filter{State: sent.Delivered}, 1)
		if len(list) == 0 {
			return ""
		}
		return list[0].ID
	}
	for deadline := time.Now().Add(10 * time.Second); entry() == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the request does not count as delivered")
		}
	}
	d.call("GET", path, "", 200, `"events":[{"id":"`+ids+`","name":"channel_occupied","channel":"news"}],"event_count":1,"attempts":1,"last":{"number":1`)
	d.call("GET", path+"?endpoint=main&state=delivered&event=channel_occupied&channel=news", "", 200, `"id":"`+entry())
	d.call("GET", path+"?state=waiting", "", 200, `"deliveries":[]`)
	d.call("GET", path+"?state=lost", "", 400, "state is none of")
	d.call("GET", path+"?after=x", "", 400, "after is not what")
	d.call("GET", path+"/"+entry(), "", 200, `{"name":"Set-Cookie","value":"","hidden":true}`)
	d.call("GET", path+"/"+entry()+"?payloads=true", "", 200, `"answer_cut":true`)
	d.call("GET", path+"/"+entry()+"?payloads=true", "", 200, `"answer":"<script>alert(1)`)
	d.call("GET", path+"/"+entry()+"?payloads=perhaps", "", 400, "payloads is neither")
	d.call("GET", path+"/none", "", 404, "No node remembers")
	d.call("POST", path+"/"+entry()+"/redeliver", "{}", 200, `"manual":true,"status":200`)
	if again := <-taken; again != ids {
		t.Errorf("the ids of what was sent again are %s, want %s", again, ids)
	}
	d.call("POST", path+"/none/redeliver", "{}", 404, "No node remembers")
	if list, _ := n.webhooks.History().List(sent.Filter{}, 10); strings.Contains(fmt.Sprint(list), "hush") {
		t.Error("what is remembered has a secret in it")
	}
}

// TestFiguresOfNowAreDescribed: what an app uses, by whom its keys are used, and what
// was used in the last minutes.
func TestFiguresOfNowAreDescribed(t *testing.T) {
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken})
	c := dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7&client=js&version=8.4.0", nil)
	id := established(t, c)
	c.subscribe("news")
	c.send(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"private-a","auth":%q}}`, "key:"+protocol.Sign("secret", id+":private-a")))
	c.next()
	n.trigger(http.DefaultClient, "http://"+n.Addr().String(), "news", "hello")
	c.next()
	d := newDescribed(t, n.Server)
	d.call("GET", "/api/v1/apps/1/now", "", 200, `"channels":2,"subscriptions":2`)
	d.call("GET", "/api/v1/now", "", 200, `"apps":[{"id":"1","connections":1,`)
	d.call("GET", "/api/v1/now?after=1", "", 200, `"apps":[]`)
	d.call("GET", "/api/v1/apps/none/now", "", 404, "no such app")
	for _, step := range []string{"", "?step=1", "?step=5"} {
		d.call("GET", "/api/v1/apps/1/usage/minutes"+step, "", 200, `"peak_connections":1,"backend_events":1,"client_events":0,"deliveries":1,"requests":1`)
	}
	d.call("GET", "/api/v1/apps/1/usage/minutes?step=2", "", 400, "step is neither")
	d.call("GET", "/api/v1/apps/1/usage", "", 200, `"deliveries":1,"requests":1`)
	d.call("GET", "/api/v1/apps/1/key-uses", "", 200, `{"kind":"connection","by":"js 8.4.0"`)
	d.call("GET", "/api/v1/apps/1/key-uses", "", 200, `{"kind":"signature","by":""`)
	d.call("GET", "/api/v1/apps/1/key-uses", "", 200, `{"kind":"request","by":"Go-http-client/1.1"`)
	d.call("GET", "/api/v1/apps/1/key-uses", "", 200, `"last_hour":3`)
}

// TestEventsOfOperatorsAreDescribed and reach clients.
func TestEventsOfOperatorsAreDescribed(t *testing.T) {
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken})
	c := dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7", nil)
	established(t, c)
	c.subscribe("news")
	d := newDescribed(t, n.Server)
	d.call("POST", "/api/v1/apps/1/events", `{"name":"greeting","channels":["news","empty"],"data":{"a": 1}}`, 200, `"here":1,"elsewhere":0,"answer":{}`)
	if got, want := c.next(), `{"event":"greeting","channel":"news","data":"{\"a\":1}"}`; got != want {
		t.Errorf("the client got %s, want %s", got, want)
	}
	d.call("POST", "/api/v1/apps/1/batch_events", `{"batch":[{"name":"one","channel":"news","data":"1"},{"name":"two","channel":"news","data":"2"}]}`, 200, `"here":2`)
	for _, want := range []string{"one", "two"} {
		if got := c.next(); !strings.Contains(got, want) {
			t.Errorf("the client got %s, want %s", got, want)
		}
	}
	d.call("POST", "/api/v1/apps/1/events", `{"name":"e","channel":"a b","data":"x"}`, 400, "Invalid channel name: a b")
	d.call("POST", "/api/v1/apps/1/events", `{"name":"e","channel":"news","data":"`+strings.Repeat("x", 10<<10+1)+`"}`, 413, "exceeds the allowed maximum (10240 bytes)")
	d.call("POST", "/api/v1/apps/1/events?x=1", `{}`, 400, "unknown")
	d.call("POST", "/api/v1/apps/2/events", `{}`, 404, "no such app")
}

// TestDiagnosticsAreDescribed: a client subscribes with what was signed for it.
func TestDiagnosticsAreDescribed(t *testing.T) {
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken})
	c := dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7", nil)
	id := established(t, c)
	d := newDescribed(t, n.Server)
	const channel = "private-belfry-diagnostics-x"
	var signed struct{ Auth string }
	if err := json.Unmarshal(d.call("POST", "/api/v1/apps/1/diagnostics/sign", fmt.Sprintf(`{"socket_id":%q,"channel":%q}`, id, channel), 200, `"auth":"key:`), &signed); err != nil {
		t.Fatal(err)
	}
	c.send(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q}}`, channel, signed.Auth))
	if got := c.next(); !strings.Contains(got, "subscription_succeeded") {
		t.Errorf("with what was signed the client got %s", got)
	}
	d.call("POST", "/api/v1/apps/1/diagnostics/check", fmt.Sprintf(`{"socket_id":%q,"channel":%q,"auth":%q}`, id, channel, signed.Auth), 200, `"verdict":"ok"`)
	d.call("POST", "/api/v1/apps/1/diagnostics/check", fmt.Sprintf(`{"socket_id":%q,"channel":%q,"auth":"key:0"}`, id, channel), 200, `"verdict":"failed"`)
	d.call("POST", "/api/v1/apps/1/diagnostics/sign", fmt.Sprintf(`{"socket_id":%q,"channel":"private-orders"}`, id), 403, "Only names of tests")
	d.call("POST", "/api/v1/apps/none/diagnostics/check", `{}`, 404, "no such app")
}
