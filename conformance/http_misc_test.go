package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// httpMisc is statements 86 to 100 of the HTTP API checklist.
func httpMisc() []statement {
	return []statement{
		{86, "terminate_signed_in", testTerminateSignedIn},
		{87, "terminate_spares_members", testTerminateSparesMembers},
		{88, "terminate_unknown_user", testTerminateUnknownUser},
		{89, "terminate_bodies", testTerminateBodies},
		{90, "terminate_decodes_user", testTerminateDecodesUser},
		{91, "deprecated_publish", testDeprecatedPublish},
		{92, "deprecated_publish_name", testDeprecatedPublishName},
		{93, "deprecated_stats", testDeprecatedStats},
		{94, "unknown_path", testUnknownPath},
		{95, "disabled_app", testDisabledApp},
		{96, "error_bodies", testErrorBodies},
		{97, "two_requests_on_a_connection", testTwoRequestsOnAConnection},
		{98, "http1_and_http2", testHTTP1AndHTTP2},
		{99, "body_limit", testBodyLimit},
		{100, "health", testHealth},
	}
}

func (a *app) terminate(t *testing.T, user string, body any) {
	t.Helper()
	a.post("/users/"+user+"/terminate_connections", body).do(t).expect(t, http.StatusOK, `{}`)
}

func testTerminateSignedIn(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, other := a.connect(t), a.connect(t), a.connect(t)
	id := unique("12345")
	c1.signin(userData(id))
	c2.signin(userData(id))
	other.signin(userData(unique("12345")))
	a.terminate(t, id, "{}")
	for _, c := range []*conn{c1, c2} {
		if got, want := c.ended(4009), "You got disconnected by the app."; got != want {
			t.Errorf("message = %q, want %q", got, want)
		}
	}
	other.open()
}

func testTerminateSparesMembers(t *testing.T) {
	a := fixture(t, plain)
	member, both := a.connect(t), a.connect(t)
	id, room := unique("12345"), unique("presence-r")
	member.join(room, `{"user_id":"`+id+`"}`)
	both.signin(userData(id))
	both.join(room, `{"user_id":"`+id+`"}`)
	a.terminate(t, id, "{}")
	both.ended(4009)
	member.open()
	member.nothing() // the user is still there, by this connection
}

func testTerminateUnknownUser(t *testing.T) {
	fixture(t, plain).terminate(t, unique("nobody"), "{}")
}

func testTerminateBodies(t *testing.T) {
	a := fixture(t, plain)
	for _, body := range []any{nil, "{}", `"{}"`, `{"unknown":1}`, "not json"} {
		c := a.connect(t)
		id := unique("12345")
		c.signin(userData(id))
		a.terminate(t, id, body)
		c.ended(4009)
	}
	id := unique("12345")
	a.post("/users/"+id+"/terminate_connections", "{}", "extra", "1").
		do(t).expect(t, http.StatusBadRequest, "The following query string parameters are extraneous: extra")
}

func testTerminateDecodesUser(t *testing.T) {
	a := fixture(t, plain)
	for _, id := range []string{
		unique("a@b.c"), unique("a/b"), unique("ą ?#%"), unique("a+b"),
	} {
		c := a.connect(t)
		c.signin(userData(id))
		a.terminate(t, percentEncoded(id), "{}")
		c.ended(4009)
	}
	for _, id := range []string{ // as they stand, which is what most libraries send
		unique("a/b"), unique("https://idp.test/u/1-"), unique("a@b,c;d=e"), unique("/a") + "/",
	} {
		c := a.connect(t)
		c.signin(userData(id))
		a.terminate(t, id, "{}")
		c.ended(4009)
	}
}

// percentEncoded escapes every byte that is not a letter, digit or dash.
func percentEncoded(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func testDeprecatedPublish(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("project")
	c1.subscribe(channel)
	c2.subscribe(channel)
	path := "/channels/" + channel + "/events"
	for _, body := range []string{`{"some":"data"}`, "not json <>&", `"quoted"`} {
		resp := a.post(path, body, "name", "foo").do(t)
		if resp.status != http.StatusAccepted || resp.body != "" {
			t.Errorf("%s = %d %q, want 202 and no body", resp.request, resp.status, resp.body)
		}
		c1.expect("foo", channel, body)
		c2.expect("foo", channel, body)
	}
	resp := a.post(path, "D", "name", "foo", "socket_id", c1.id).do(t)
	if resp.status != http.StatusAccepted || resp.body != "" {
		t.Errorf("%s = %d %q, want 202 and no body", resp.request, resp.status, resp.body)
	}
	c2.expect("foo", channel, "D")
	c1.nothing()
	a.post(path, strings.Repeat("x", 10241), "name", "foo").do(t).expect(t, http.StatusRequestEntityTooLarge, dataTooLarge)
	c1.nothing()
}

func testDeprecatedPublishName(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("project")
	c.subscribe(channel)
	path := "/channels/" + channel + "/events"
	a.post(path, `{"name":"foo","data":"D"}`).do(t).expect(t, http.StatusBadRequest, "…")
	a.post(path, `D`, "name", "pusher:x").do(t).expect(t, http.StatusBadRequest, "…")
	a.post("/channels/a%20b/events", `D`, "name", "foo").do(t).expect(t, http.StatusBadRequest, "Invalid channel name…")
	c.nothing()
}

func testDeprecatedStats(t *testing.T) {
	a := plainWithout(t, countsOn)
	c := a.connect(t)
	room, news := unique("presence-foobar"), unique("news")
	c.join(room, `{"user_id":"1"}`)
	c.subscribe(news)
	a.get("/channels/"+room+"/stats").do(t).expect(t, http.StatusOK, `{"occupied":true,"user_count":1}`)
	a.get("/channels/"+news+"/stats").do(t).expect(t, http.StatusOK, `{"occupied":true}`)
	a.get("/channels/"+unique("news")+"/stats").do(t).expect(t, http.StatusOK, `{"occupied":false}`)
}

func testUnknownPath(t *testing.T) {
	a := fixture(t, plain)
	for _, path := range []string{
		"/apps//events", "/apps/" + a.id + "/nothing", "/apps/" + a.id, "/apps/" + a.id + "/", "/apps/" + a.id + "/channels/news/nothing",
		"/apps/" + a.id + "/events/", "/apps/" + a.id + "/users/1", "/apps/" + a.id + "/channels//users", "/nothing/at/all", "/apps",
		"/apps/" + a.id + "/users//terminate_connections",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			resp := a.request(method, path, "").do(t)
			if resp.status != http.StatusNotFound || resp.body != "404 NOT FOUND\n" {
				t.Errorf("%s = %d %q, want 404 %q", resp.request, resp.status, short(resp.body), "404 NOT FOUND\n")
			}
		}
	}
}

func testDisabledApp(t *testing.T) {
	a := fixture(t, disabled)
	for _, r := range []*apiRequest{
		a.post("/events", event1("news", "e", "D")), a.get("/channels"), a.get("/channels/news"),
		a.post("/batch_events", batch(event1("news", "e", "D"))), a.post("/users/1/terminate_connections", "{}"),
	} {
		r.do(t).expect(t, http.StatusForbidden, "App disabled")
	}
	a.get("/channels").set("auth_version", "2").do(t).expect(t, http.StatusUnauthorized, "Version not supported")
}

// testErrorBodies looks at one error of every kind; expect holds all errors
// of all tests to the same.
func testErrorBodies(t *testing.T) {
	a := fixture(t, plain)
	for status, r := range map[int]*apiRequest{
		http.StatusBadRequest:            a.post("/events", "{}"),
		http.StatusUnauthorized:          a.get("/channels").set("auth_version", "2"),
		http.StatusNotFound:              a.get("/nothing"),
		http.StatusRequestEntityTooLarge: a.post("/events", event1("news", "e", strings.Repeat("x", 20_000))),
	} {
		r.do(t).expect(t, status, "…")
	}
	wrong := a.request(http.MethodDelete, "/apps/"+a.id+"/channels", "").do(t)
	if wrong.status != http.StatusMethodNotAllowed && wrong.status != http.StatusNotFound {
		t.Errorf("%s = %d, want 405 or 404", wrong.request, wrong.status)
	}
	wrong.checkError(t)
	if wrong.status == http.StatusMethodNotAllowed && wrong.header.Get("Allow") == "" {
		t.Errorf("%s = 405 without Allow", wrong.request)
	}
}

func testTwoRequestsOnAConnection(t *testing.T) {
	a := fixture(t, plain)
	client := newAPIClient(&http.Transport{MaxConnsPerHost: 1})
	defer client.CloseIdleConnections()
	for i, r := range []*apiRequest{
		a.post("/events", event1(unique("news"), "e", "D")),
		a.get("/channels", "filter_by_prefix", "none-"),
		a.post("/events", "not json"),
		a.get("/channels").set("auth_version", "2"),
		a.post("/events", event1(unique("news"), "e", strings.Repeat("x", 20_000))),
		a.get("/nothing"),
		a.post("/nothing", strings.Repeat("x", 1000)),
		a.post("/events", event1(unique("news"), "e", "D")),
	} {
		r.client = client
		resp := r.do(t)
		if resp.reused != (i > 0) {
			t.Errorf("%s = %d: connection used again: %v, want %v", resp.request, resp.status, resp.reused, i > 0)
		}
		if i == 0 && resp.status != http.StatusOK || i == 7 && resp.status != http.StatusOK {
			t.Errorf("%s = %d %q, want 200", resp.request, resp.status, resp.body)
		}
	}
}

func testHTTP1AndHTTP2(t *testing.T) {
	a := fixture(t, plain)
	if a.tlsAddr == "" {
		skip(t, "needs a plain and a TLS address of one server: the suite must start the service itself")
	}
	client := newAPIClient(&http.Transport{ForceAttemptHTTP2: true})
	defer client.CloseIdleConnections()
	secure := *a
	secure.addr, secure.secure = a.tlsAddr, true
	for _, request := range []func(*app) *apiRequest{
		func(a *app) *apiRequest { return a.get("/channels", "filter_by_prefix", "none-") },
		func(a *app) *apiRequest { return a.post("/events", event1("news", "e", "D")) },
		func(a *app) *apiRequest { return a.post("/events", "not json") },
		func(a *app) *apiRequest { return a.get("/channels/news", "info", "user_count") },
		func(a *app) *apiRequest { return a.get("/channels").set("auth_version", "2") },
		func(a *app) *apiRequest { return a.get("/nothing") },
	} {
		plainText := request(a).do(t)
		over := request(&secure)
		over.client = client
		got := over.do(t)
		if plainText.proto != "HTTP/1.1" || got.proto != "HTTP/2.0" {
			t.Errorf("%s over %s and %s, want HTTP/1.1 and HTTP/2.0", plainText.request, plainText.proto, got.proto)
		}
		if got.status != plainText.status || got.body != plainText.body || got.header.Get("Content-Type") != plainText.header.Get("Content-Type") {
			t.Errorf("%s = %d %q over HTTP/2, %d %q over HTTP/1.1", plainText.request, got.status, got.body, plainText.status, plainText.body)
		}
	}
}

// testBodyLimit sends more than the limit, in a way that shows that the
// answer does not wait for the whole of it.
func testBodyLimit(t *testing.T) {
	a := fixture(t, smallBodies)
	fits := event1(unique("news"), "e", "D")
	fits["padding"] = strings.Repeat("x", smallBodySize-len(encode(fits))-len(`,"padding":""`))
	if got := len(encode(fits)); got != smallBodySize {
		t.Fatalf("the suite makes a body of %d bytes, want %d", got, smallBodySize)
	}
	a.post("/events", fits).do(t).expect(t, http.StatusOK, `{}`)
	a.post("/events", encode(fits)+" ").do(t).expect(t, http.StatusRequestEntityTooLarge, "…")

	path := fmt.Sprintf("/apps/%s/events?%s", a.id, escapedQuery(a.post("/events", "{}").sign().params))
	announced := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", path, 1<<40)
	expectTooLarge(t, a, announced)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", smallBodySize+1, strings.Repeat("x", smallBodySize+1))
	expectTooLarge(t, a, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s", path, chunk))
}

func expectTooLarge(t *testing.T, a *app, raw string) {
	t.Helper()
	nc, err := a.open(dialing{})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, raw); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatalf("answer to %s: %v, want 413 before the body is complete", short(raw), err)
	}
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answer to %s = %s, want 413", short(raw), resp.Status)
	}
}

func testHealth(t *testing.T) {
	s := target.private(t, draining)
	a := s.app(draining)
	for _, url := range []string{
		"http://" + s.addr + "/", "http://" + s.addr + "/up", "http://" + s.addr + "/ready",
		"http://" + s.adminAddr + "/healthz", "http://" + s.adminAddr + "/readyz", "http://" + s.adminAddr + "/metrics",
	} {
		if status, body := get(t, url); status != http.StatusOK || body == "" {
			t.Errorf("GET %s = %d %q, want 200", url, status, short(body))
		}
	}
	var conns []*conn
	for range 100 { // which it takes a while to send away
		conns = append(conns, a.connect(t))
	}
	if err := s.terminate(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness is 503", func() bool {
		status, _ := get(t, "http://"+s.adminAddr+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	for _, c := range conns {
		c.ended(4200)
	}
	if err := s.awaitExit(); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := apiClient.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
