package apps

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func drawApp(t *rapid.T) *App {
	a := New()
	a.ID = rapid.StringMatching(`[a-z0-9_-]{1,12}`).Draw(t, "id")
	a.Name = rapid.String().Draw(t, "name")
	a.ClientEvents = rapid.Bool().Draw(t, "client_events")
	a.AllowedOrigins = rapid.SliceOfN(rapid.StringMatching(`[a-z*.]{1,9}`), 1, 4).Draw(t, "origins")
	a.ActivityTimeout = time.Duration(rapid.IntRange(1, 86400).Draw(t, "activity")) * time.Second
	a.AuthorizationTimeout = time.Duration(rapid.IntRange(1000, 86_400_000).Draw(t, "authorization")) * time.Millisecond
	a.Limits.Connections = rapid.IntRange(0, 1<<31-1).Draw(t, "connections")
	a.Limits.EventData = rapid.IntRange(0, 1<<30).Draw(t, "data")
	return a
}

func TestSettingsAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawApp(t)
		for _, all := range []bool{true, false} {
			text := append(a.AppendSettings([]byte("{"), all), '}')
			if !json.Valid(text) {
				t.Fatalf("not JSON: %s", text)
			}
			b := New()
			if err := b.Set(text, nil); err != nil {
				t.Fatalf("Set(%s): %v", text, err)
			}
			if diff := cmp.Diff(a, b, cmpopts.IgnoreUnexported(Key{})); diff != "" {
				t.Fatalf("%s is read as something else:\n%s", text, diff)
			}
		}
	})
}

func TestAppendSettings(t *testing.T) {
	a := New()
	a.ID, a.Limits.Watchlist, a.Limits.CacheTTL = "1", 5, time.Hour
	got := string(append(a.AppendSettings([]byte(`{"x":{}`), false), '}'))
	if want := `{"x":{},"id":"1","limits":{"watchlist":5,"cache_ttl":"1h"}}`; got != want {
		t.Errorf("AppendSettings = %s, want %s", got, want)
	}
}

func TestSetKeepsWhatIsNotGiven(t *testing.T) {
	a := New()
	a.ID, a.Name, a.ClientEvents, a.Limits.Connections, a.Limits.Watchlist = "1", "shop", true, 5, 6
	text := `{"name":null,"limits":{"connections":7},"allowed_origins":["a.test"],"activity_timeout":"30s"}`
	if err := a.Set([]byte(text), nil); err != nil {
		t.Fatal(err)
	}
	want := New()
	want.ID, want.ClientEvents, want.Limits.Connections, want.Limits.Watchlist = "1", true, 7, 6
	want.AllowedOrigins, want.ActivityTimeout = []string{"a.test"}, 30*time.Second
	if !a.Same(want) {
		t.Errorf("Set makes %+v, want %+v", a, want)
	}
	if err := a.Set([]byte(`{"limits":null}`), nil); err != nil || a.Limits != DefaultLimits() {
		t.Errorf("Set of no limits = %+v, %v, want the defaults", a.Limits, err)
	}
}

func TestSetTellsEveryMistake(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"unknown": {`{"nam":"x","limits":{"conections":1},"xyzzy":1}`, []string{
			"nam: unknown setting; did you mean name?",
			"limits.conections: unknown setting; did you mean connections?",
			"xyzzy: unknown setting; known here: id, name, disabled, tls_only, client_events, subscription_count, watchlist_events, authorized_connections, hide_payloads, authorization_timeout, activity_timeout, allowed_origins, limits, history, push, webhooks",
		}},
		"types": {`{"id":5,"name":true,"disabled":"true","limits":{"connections":"5","event_data":true},"activity_timeout":30,"allowed_origins":"*"}`, []string{
			"id: is not a string", "name: is not a string", "disabled: is neither true nor false", "limits.connections: is not a number",
			`limits.event_data: is not a number of bytes, or a text such as "10KiB"`, "activity_timeout: is not a string", "allowed_origins: is not a list",
		}},
		"values": {`{"id":"a/b","limits":{"connections":1.5,"watchlist":-1,"cache_ttl":"0s"},"allowed_origins":[1]}`, []string{
			`id: "a/b" can not stand in a URL; use letters, digits, dashes and underscores`, `limits.connections: "1.5" is not a whole number`,
			"limits.watchlist: -1 is below 0; 0 is no limit", "limits.cache_ttl: 0s is below 1s", "allowed_origins: has an element that is not a string",
		}},
		"full names":     {`{"limits.watchlist":1}`, []string{"limits.watchlist: unknown setting; known here: id, name, disabled, tls_only, client_events, subscription_count, watchlist_events, authorized_connections, hide_payloads, authorization_timeout, activity_timeout, allowed_origins, limits, history, push, webhooks"}},
		"required":       {`{"id":null}`, []string{"id: is required"}},
		"limits as text": {`{"limits":[]}`, []string{"limits: is not an object of settings"}},
	}
	for name, tt := range tests {
		err := New().Set([]byte(tt.text), nil)
		m, ok := errors.AsType[Mistakes](err)
		if !ok {
			t.Errorf("%s: Set = %v, want Mistakes", name, err)
			continue
		}
		var got []string
		for _, mistake := range m {
			got = append(got, mistake.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: Set says %q, want %q", name, got, tt.want)
		}
	}
	for _, text := range []string{"", "null", "[]", `"x"`, "{", `{"name":"x"}}`} {
		if err := New().Set([]byte(text), nil); !errors.Is(err, ErrNotObject) {
			t.Errorf("Set(%s) = %v, want %v", text, err, ErrNotObject)
		}
	}
}

func TestSetHandsOnWhatIsNoSetting(t *testing.T) {
	var got []string
	err := New().Set([]byte(`{"keys":[1],"name":"x","limits":{"keys":2}}`), func(name string, value []byte) bool {
		got = append(got, name+" "+string(value))
		return name == "keys"
	})
	if want := []string{"keys [1]", "limits.keys 2"}; !slices.Equal(got, want) {
		t.Errorf("handed on %q, want %q", got, want)
	}
	if m, ok := errors.AsType[Mistakes](err); !ok || len(m) != 1 || m[0].Setting != "limits.keys" {
		t.Errorf("Set = %v, want a mistake at limits.keys", err)
	}
}

func TestCheckKey(t *testing.T) {
	for want, k := range map[string]Key{
		"": {Key: "abc", Secret: "def"},
		"key: is empty\nsecret: is empty; make one with: openssl rand -hex 20": {},
		"secret: begins or ends with white space":                              {Key: "abc", Secret: " hunter2"},
	} {
		got := ""
		if err := CheckKey(k); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("CheckKey(%+v) = %q, want %q", k, got, want)
		}
	}
}

func TestNewKeysAndIDsDiffer(t *testing.T) {
	now := time.Unix(1e9, 5)
	k, l := NewKey(now), NewKey(now)
	if k.Key == l.Key || k.Secret == l.Secret || len(k.Key) != 20 || len(k.Secret) != 40 || CheckKey(k) != nil || !k.Created.Equal(time.Unix(1e9, 0)) {
		t.Errorf("NewKey = %+v and %+v", k, l)
	}
	if id, other := NewID(), NewID(); id == other || len(id) != 7 {
		t.Errorf("NewID = %q and %q", id, other)
	}
}
