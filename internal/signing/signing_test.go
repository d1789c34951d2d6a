package signing

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

const socket = "1.2"

func newTestAPI(t *testing.T) (*API, *apps.Registry) {
	t.Helper()
	app := apps.New()
	app.ID, app.Keys = "1", []apps.Key{{Key: "old", Secret: "old secret"}, {Key: "key", Secret: "secret"}}
	registry, err := apps.NewRegistry([]*apps.App{app})
	if err != nil {
		t.Fatal(err)
	}
	return New(registry, nil), registry
}

func (a *API) ask(t *testing.T, path, app string, body any) *httptest.ResponseRecorder {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, strings.Replace(path, "{id}", app, 1), strings.NewReader(string(text)))
	r.Header.Set("Content-Type", "application/json")
	r.SetPathValue("id", app)
	w := httptest.NewRecorder()
	a.Handlers()[path].ServeHTTP(w, r)
	return w
}

// TestSignsForTestsAlone: a name of the application is never signed, however it is
// written.
func TestSignsForTestsAlone(t *testing.T) {
	a, _ := newTestAPI(t)
	id, _ := protocol.ParseSocketID(socket)
	for _, channel := range []string{"private-orders", "private-", "private-" + Prefix, Prefix + "x", "presence-room", "private-encrypted-x", "cache-" + Prefix + "x",
		"private-x-" + Prefix + "x", "Private-" + Prefix + "x", "private-" + Prefix + "a b", "private-private-" + Prefix + "x", "#server-to-user-" + Prefix + "x"} {
		if w := a.ask(t, SignPath, "1", wish{Socket: socket, Channel: channel}); w.Code != http.StatusForbidden {
			t.Errorf("sign %q = %d %s, want 403", channel, w.Code, w.Body)
		}
	}
	for _, user := range []string{"ann", " " + Prefix, strings.ToUpper(Prefix) + "x"} {
		if w := a.ask(t, SignPath, "1", wish{Socket: socket, User: user}); w.Code != http.StatusForbidden {
			t.Errorf("sign user %q = %d %s, want 403", user, w.Code, w.Body)
		}
	}
	for _, kind := range []string{"private", "private-cache", "private-encrypted", "private-encrypted-cache", "presence", "presence-cache"} {
		channel := kind + "-" + Prefix + "x"
		w := a.ask(t, SignPath, "1", wish{Socket: socket, Channel: channel})
		var g grant
		if err := json.Unmarshal(w.Body.Bytes(), &g); w.Code != http.StatusOK || err != nil {
			t.Fatalf("sign %s = %d %s", channel, w.Code, w.Body)
		}
		text := protocol.ChannelText(id, channel)
		if g.ChannelData != "" {
			text = protocol.ChannelDataText(id, channel, g.ChannelData)
		}
		if want := "key:" + protocol.Sign("secret", text); g.Auth != want {
			t.Errorf("sign %s = %s, want %s", channel, g.Auth, want)
		}
		if strings.HasPrefix(kind, "private-encrypted") != (g.SharedSecret != "") || strings.HasPrefix(kind, "presence") != (g.ChannelData != "") {
			t.Errorf("sign %s = %+v", channel, g)
		}
	}
	w := a.ask(t, SignPath, "1", wish{Socket: socket, User: Prefix + "7"})
	if want := "key:" + protocol.Sign("secret", protocol.UserText(id, `{"id":"`+Prefix+`7"}`)); !strings.Contains(w.Body.String(), want) {
		t.Errorf("sign a user = %s, want %s", w.Body, want)
	}
	if w := a.ask(t, SignPath, "2", wish{Socket: socket, User: Prefix + "7"}); w.Code != http.StatusNotFound {
		t.Errorf("another app = %d %s", w.Code, w.Body)
	}
}

func TestSignaturesForTestsAreLimited(t *testing.T) {
	a, registry := newTestAPI(t)
	want := wish{Socket: socket, User: Prefix + "7"}
	refused := 0
	for range perMinute + 10 {
		w := a.ask(t, SignPath, "1", want)
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != "" {
			refused++
		}
	}
	if refused == 0 || refused > 10 {
		t.Errorf("%d of %d were refused", refused, perMinute+10)
	}
	if err := registry.Remove("1"); err != nil {
		t.Fatal(err)
	}
	a.limits.Range(func(key, _ any) bool {
		t.Errorf("%v is remembered after the app is gone", key)
		return true
	})
}

// TestWhatAnEndpointSaid: each mistake that applications make is told from the others.
func TestWhatAnEndpointSaid(t *testing.T) {
	a, _ := newTestAPI(t)
	id, _ := protocol.ParseSocketID(socket)
	sign := func(secret, text string) string { return protocol.Sign(secret, text) }
	plain, data := protocol.ChannelText(id, "private-x"), `{"user_id":"7"}`
	member := protocol.ChannelDataText(id, "presence-x", data)
	text := func(s string) *string { return &s }
	for name, tt := range map[string]struct {
		given         answer
		verdict, says string
	}{
		"right":           {answer{Channel: "private-x", Auth: "key:" + sign("secret", plain)}, "ok", "key key"},
		"older key":       {answer{Channel: "private-x", Auth: "old:" + sign("old secret", plain)}, "ok", "key old"},
		"no colon":        {answer{Channel: "private-x", Auth: "nonsense"}, "failed", "a colon"},
		"nothing":         {answer{Channel: "private-x"}, "failed", "a colon"},
		"foreign key":     {answer{Channel: "private-x", Auth: "k:" + sign("secret", plain)}, "failed", "does not have"},
		"other secret":    {answer{Channel: "private-x", Auth: "key:" + sign("old secret", plain)}, "failed", "other key old"},
		"unknown secret":  {answer{Channel: "private-x", Auth: "key:" + sign("x", plain)}, "failed", "another secret"},
		"member":          {answer{Channel: "presence-x", ChannelData: text(data), Auth: "key:" + sign("secret", member)}, "ok", "right"},
		"data not signed": {answer{Channel: "presence-x", ChannelData: text(data), Auth: "key:" + sign("secret", "1.2:presence-x")}, "failed", "not part"},
		"data again":      {answer{Channel: "presence-x", ChannelData: text(`{"user_id": "7"}`), Auth: "key:" + sign("secret", member)}, "failed", "once more"},
		"no data":         {answer{Channel: "presence-x", Auth: "key:" + sign("secret", "1.2:presence-x")}, "failed", "needs channel_data"},
		"no user":         {answer{Channel: "presence-x", ChannelData: text(`{}`), Auth: "key:" + sign("secret", "1.2:presence-x:{}")}, "failed", "user_id"},
		"no JSON":         {answer{Channel: "presence-x", ChannelData: text(``), Auth: "key:" + sign("secret", "1.2:presence-x:")}, "failed", "user_id"},
		"no secret":       {answer{Channel: "private-encrypted-x", Auth: "key:" + sign("secret", "1.2:private-encrypted-x")}, "failed", "shared_secret"},
		"encrypted":       {answer{Channel: "private-encrypted-x", SharedSecret: "s", Auth: "key:" + sign("secret", "1.2:private-encrypted-x")}, "ok", "right"},
	} {
		tt.given.Socket = socket
		w := a.ask(t, CheckPath, "1", tt.given)
		var o opinion
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		if o.Verdict != tt.verdict || !strings.Contains(o.Detail+" "+o.Advice, tt.says) || tt.verdict == "failed" && o.Advice == "" {
			t.Errorf("%s: %+v, want %s with %q", name, o, tt.verdict, tt.says)
		}
		if strings.Contains(w.Body.String(), "old secret") {
			t.Errorf("%s: the answer has a secret: %s", name, w.Body)
		}
	}
	for _, given := range []answer{{Socket: "x", Channel: "private-x"}, {Socket: socket, Channel: "news"}, {Socket: socket, Channel: "private-a b"}} {
		if w := a.ask(t, CheckPath, "1", given); w.Code != http.StatusBadRequest {
			t.Errorf("%+v = %d %s", given, w.Code, w.Body)
		}
	}
}
