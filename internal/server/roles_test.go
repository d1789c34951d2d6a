package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// as asks the admin API with a token.
func (n *testNode) as(ctx context.Context, token, method, path, body string) *http.Response {
	n.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+n.AdminAddr().String()+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { response.Body.Close() })
	return response
}

// tokenFor makes a named token for the app 1.
func (n *testNode) tokenFor(role string) string {
	n.t.Helper()
	response := n.as(n.t.Context(), liveToken, "POST", "/api/v1/tokens", fmt.Sprintf(`{"name":%q,"role":%[1]q,"apps":["1"]}`, role))
	var made struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil || made.Token == "" {
		n.t.Fatalf("token for a %s = %s, %v", role, response.Status, err)
	}
	return made.Token
}

// lived starts a node with two apps, each with all that the API tells of: the second
// has "theirs" in whatever names anything.
func lived(t *testing.T) (n *testNode, socket string) {
	mine, theirs := testApp(), testApp()
	mine.Name = "mine"
	theirs.ID, theirs.Name, theirs.Keys = "theirs-1", "theirs", []apps.Key{{Key: "theirs-key", Secret: "theirs-secret"}}
	for _, a := range []*apps.App{mine, theirs} {
		a.Webhooks = []apps.Webhook{{ID: a.Name, URL: "http://127.0.0.1:1/hunter2", Events: apps.EveryEvent}}
	}
	n = start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken, Apps: []*apps.App{mine, theirs}})
	for _, a := range []*apps.App{theirs, mine} {
		c := dial(t, "ws://"+n.Addr().String()+"/app/"+a.Keys[0].Key+"?protocol=7&client=js&version=8.4.0", nil)
		socket = established(t, c)
		channel := "presence-cache-" + a.Name
		member := `{"user_id":"` + a.Name + `","user_info":{"x":"payload"}}`
		c.send(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q,"channel_data":%q}}`,
			channel, a.Keys[0].Key+":"+protocol.Sign(a.Keys[0].Secret, socket+":"+channel+":"+member), member))
		c.next() // success
		c.next() // a cache miss
		response, err := http.Get("http://" + n.Addr().String() + "/apps/" + a.ID + "/channels?auth_version=1.0&auth_timestamp=1&auth_signature=" + a.Name + "&auth_key=" + a.Keys[0].Key)
		if err != nil || response.StatusCode != 401 {
			t.Fatal(response, err)
		}
		response.Body.Close()
		dial(t, "ws://"+n.Addr().String()+"/app/"+a.Keys[0].Key+"?protocol=99", nil).next() // refused
	}
	n.trigger(http.DefaultClient, "http://"+n.Addr().String(), "presence-cache-mine", "payload")
	return n, socket
}

// TestRolesSeeWhatIsTheirs asks all that can be asked for with GET, in each role that is
// bound to one of two apps.
func TestRolesSeeWhatIsTheirs(t *testing.T) {
	n, socket := lived(t)
	doc, err := openapi3.NewLoader().LoadFromData(admin.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("{channel}", "presence-cache-mine", "{socket}", socket, "{user}", "mine", "{delivery}", "x")
	queries := map[string]string{"explain": "?channel=presence-cache-mine", "snippets": "?url=http://x.example", "dead-letters": "?app=1", "{channel}": "?payloads=true", "{delivery}": "?payloads=true"}
	tokens := map[string]string{}
	for _, role := range []string{"viewer", "developer", "app-admin"} {
		token := n.tokenFor(role)
		tokens[role] = token
		for path, item := range doc.Paths.Map() {
			last := path[strings.LastIndex(path, "/")+1:]
			if item.Get == nil || last == "live" { // which has no end
				continue
			}
			for _, query := range []string{"", queries[last]} {
				for _, app := range []string{"1", "theirs-1"} {
					at := strings.ReplaceAll(values.Replace(path), "{id}", app) + query
					response := n.as(t.Context(), token, "GET", at, "")
					body, err := io.ReadAll(response.Body)
					if err != nil {
						t.Fatal(err)
					}
					text := string(body)
					if response.StatusCode >= 500 {
						t.Errorf("GET %s to a %s = %s %s", at, role, response.Status, text)
					}
					if strings.Contains(text, "theirs") {
						t.Errorf("GET %s tells a %s of another app: %s", at, role, text)
					}
					if app != "1" && strings.Contains(path, "{id}") && response.StatusCode != 404 && response.StatusCode != 403 {
						t.Errorf("GET %s to a %s = %s, want 404", at, role, response.Status)
					}
					if strings.Contains(text, `"address":"127.0.0.1`) && !strings.Contains(text, `"address":"127.0.0.0/24"`) {
						t.Errorf("GET %s tells a %s an address: %s", at, role, text)
					}
					if role == "viewer" && (strings.Contains(text, `"payload"`) || strings.Contains(text, "hunter2")) {
						t.Errorf("GET %s tells a viewer too much: %s", at, text)
					}
				}
			}
		}
	}
	for path, want := range map[string]string{
		"/api/v1/apps/1/connections":                                `"address":"127.0.0.0/24"`,
		"/api/v1/apps/1/connections?address=127.0.0.0/24":           `"total":1`,
		"/api/v1/apps/1/connections?address=127.0.0.1":              "no single addresses",
		"/api/v1/apps/1/connections?by=user&address=127.0.0.1":      "no single addresses",
		"/api/v1/apps/1/channels/presence-cache-mine":               `"user":"mine"`,
		"/api/v1/apps/1/errors":                                     `"address":"127.0.0.0/24"`,
		"/api/v1/now":                                               `"id":"1"`,
		"/api/v1/webhooks":                                          `"app":"1"`,
		"/api/v1/webhooks?app=theirs-1":                             "There is no such app.",
		"/api/v1/webhooks/dead-letters":                             "name one as app",
		"/api/v1/webhooks/dead-letters?app=theirs-1":                "There is no such app.",
		"/api/v1/apps/1/channels/presence-cache-mine?payloads=true": `"user_info":{"x":"payload"}`,
	} {
		response := n.as(t.Context(), tokens["developer"], "GET", path, "")
		if body, _ := io.ReadAll(response.Body); !strings.Contains(string(body), want) {
			t.Errorf("GET %s to a developer = %s %s, want %s", path, response.Status, body, want)
		}
	}
}

// TestWatchingEndsWithTheToken and shows networks rather than addresses until then.
func TestWatchingEndsWithTheToken(t *testing.T) {
	n, _ := lived(t)
	token := n.tokenFor("developer")
	response := n.as(t.Context(), token, "GET", "/api/v1/apps/1/live", "")
	rows := bufio.NewScanner(response.Body)
	rows.Scan() // it has begun
	dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7", nil).next()
	for rows.Scan() && !strings.Contains(rows.Text(), `"type":"connection"`) {
	}
	if got := rows.Text(); !strings.Contains(got, `"address":"127.0.0.0/24"`) {
		t.Errorf("a developer is shown %s, want the network", got)
	}
	if r := n.as(t.Context(), token, "GET", "/api/v1/apps/1/live?addresses=all", ""); r.StatusCode != 400 {
		t.Errorf("what nodes tell each other is taken from a developer: %s", r.Status)
	}
	if r := n.as(t.Context(), liveToken, "DELETE", "/api/v1/tokens/developer", ""); r.StatusCode != 204 {
		t.Fatalf("revoke = %s", r.Status)
	}
	for rows.Scan() { // until the stream ends
	}
	if r := n.as(t.Context(), token, "GET", "/api/v1/apps", ""); r.StatusCode != 401 {
		t.Errorf("a revoked token = %s, want 401", r.Status)
	}
}

// TestPayloadsThatAreHidden are shown to nobody, not even to operators.
func TestPayloadsThatAreHidden(t *testing.T) {
	app := testApp()
	app.HidePayloads = true
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken, Apps: []*apps.App{app}})
	c := dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7", nil)
	socket := established(t, c)
	member := `{"user_id":"ann","user_info":{"x":"payload"}}`
	c.send(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"presence-cache-x","auth":%q,"channel_data":%q}}`,
		"key:"+protocol.Sign("secret", socket+":presence-cache-x:"+member), member))
	c.next() // success
	c.next() // a cache miss
	rows := bufio.NewScanner(n.as(t.Context(), liveToken, "GET", "/api/v1/apps/1/live?type=api_message", "").Body)
	rows.Scan() // it has begun
	n.trigger(http.DefaultClient, "http://"+n.Addr().String(), "presence-cache-x", "payload")
	for rows.Scan() && !strings.Contains(rows.Text(), `"type":"api_message"`) {
	}
	if got := rows.Text(); !strings.Contains(got, `"no_data":"hidden"`) || strings.Contains(got, `"data":"payload"`) {
		t.Errorf("an operator is shown %s, want no data", got)
	}
	for path, status := range map[string]int{"?payloads=true": 403, "": 200} {
		response := n.as(t.Context(), liveToken, "GET", "/api/v1/apps/1/channels/presence-cache-x"+path, "")
		if body, _ := io.ReadAll(response.Body); response.StatusCode != status || strings.Contains(string(body), `"payload"`) {
			t.Errorf("the channel%s = %s %s, want %d without what is sent", path, response.Status, body, status)
		}
	}
}
