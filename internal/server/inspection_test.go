package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

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
