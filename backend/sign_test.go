package backend_test

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
)

// Covers 11.
func TestSignaturesOfThePublishedVectors(t *testing.T) {
	ran := 0
	for _, v := range vectors(t, "requests.json") {
		below, ok := strings.CutPrefix(v.Path, "/apps/3")
		if !ok {
			continue // of libraries that sign any path; package protocol has them
		}
		query := url.Values{}
		var key, at, given string
		hashed := false
		for _, p := range v.Params {
			switch p[0] {
			case "auth_key":
				key = p[1]
			case "auth_timestamp":
				at = p[1]
			case "auth_version":
			case "body_md5":
				hashed = true
			default:
				query.Add(p[0], p[1])
			}
		}
		if hashed && v.Body == "" {
			continue // the hash of nothing, which this package never sends
		}
		seconds, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		c := client(t, answers(), func(cfg *backend.Config) {
			cfg.Key, cfg.Secret = key, v.Secret
			cfg.Now = func() time.Time { return time.Unix(seconds, 0) }
		})
		signed, err := c.SignQuery(v.Method, below, query, []byte(v.Body))
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		ran++
		if given = signed.Get("auth_signature"); given != v.Signature {
			t.Errorf("%s: signature %s, want %s", v.Name, given, v.Signature)
		}
	}
	if ran < 20 {
		t.Errorf("%d vectors ran", ran)
	}
}

// TestRequestsOfTheVectors has the methods send what the vectors sign.
func TestRequestsOfTheVectors(t *testing.T) {
	calls := map[string]func(*backend.Client) error{
		"A1": func(c *backend.Client) error {
			_, err := c.Trigger(t.Context(), "project-3", "foo", map[string]string{"some": "data"})
			return err
		},
		"A2": func(c *backend.Client) error {
			_, err := c.Channels(t.Context(), backend.ChannelsQuery{})
			return err
		},
		"A3": func(c *backend.Client) error {
			_, err := c.Channels(t.Context(), backend.ChannelsQuery{Prefix: "presence-", Info: []backend.Attribute{backend.UserCount}})
			return err
		},
		"A4": func(c *backend.Client) error {
			_, err := c.Channel(t.Context(), "presence-foobar", backend.UserCount, backend.SubscriptionCount)
			return err
		},
		"A5": func(c *backend.Client) error {
			_, err := c.ChannelUsers(t.Context(), "presence-foobar")
			return err
		},
		"A7": func(c *backend.Client) error {
			_, err := c.TriggerBatch(t.Context(), []backend.Event{
				{Channel: "project-3", Name: "foo", Data: map[string]string{"some": "data"}},
				{Channel: "presence-foobar", Name: "bar", Data: "hi", Info: []backend.Attribute{backend.UserCount}},
			})
			return err
		},
		"A8": func(c *backend.Client) error {
			return c.SendToUser(t.Context(), "12345", "alert", map[string]string{"hello": "world"})
		},
		"A9":  func(c *backend.Client) error { return c.TerminateUserConnections(t.Context(), "12345") },
		"A12": func(c *backend.Client) error { _, err := c.Channel(t.Context(), "presence-a@b,c.d;e=f_1"); return err },
		"A15": func(c *backend.Client) error { return c.TerminateUserConnections(t.Context(), "a@b.c") },
		"A18": func(c *backend.Client) error {
			_, err := c.TriggerMulti(t.Context(), []string{"presence-foobar", "project-3"}, "foo", map[string]string{"some": "data"},
				backend.ExcludeSocket("1234.1234"), backend.WantInfo(backend.UserCount, backend.SubscriptionCount))
			return err
		},
	}
	for _, v := range vectors(t, "requests.json") {
		call, ok := calls[v.Name]
		if !ok {
			continue
		}
		delete(calls, v.Name)
		s := answers(answer{status: 200, body: "{}"})
		if err := call(client(t, s)); err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		r := s.last(t)
		if r.Method != v.Method || r.URL.EscapedPath() != v.Path || r.body != v.Body {
			t.Errorf("%s: sent %s %s %s, want %s %s %s", v.Name, r.Method, r.URL.EscapedPath(), r.body, v.Method, v.Path, v.Body)
		}
		if got := r.URL.Query().Get("auth_signature"); got != v.Signature {
			t.Errorf("%s: signature %s, want %s", v.Name, got, v.Signature)
		}
	}
	for name := range calls {
		t.Errorf("there is no vector %s", name)
	}
}

// Covers 12.
func TestQueryIsEscapedOnTheWireAndSignedDecoded(t *testing.T) {
	for _, v := range vectors(t, "requests.json") {
		if v.Name != "A6" {
			continue
		}
		s := answers(answer{status: 200, body: "{}"})
		if _, err := client(t, s).Channels(t.Context(), backend.ChannelsQuery{Prefix: "a b+c%"}); err != nil {
			t.Fatal(err)
		}
		r := s.last(t)
		if !strings.Contains(r.URL.RawQuery, "filter_by_prefix=a+b%2Bc%25") {
			t.Errorf("query on the wire: %s", r.URL.RawQuery)
		}
		if got := r.URL.Query().Get("auth_signature"); got != v.Signature {
			t.Errorf("signature %s, want %s", got, v.Signature)
		}
		return
	}
	t.Error("there is no vector A6")
}

// Covers 13, 14.
func TestHashAndHeaders(t *testing.T) {
	s := answers(answer{status: 200, body: "{}"})
	c := client(t, s)
	if _, err := c.Trigger(t.Context(), "c", "e", "d"); err != nil {
		t.Fatal(err)
	}
	post := s.last(t)
	if _, err := c.Channels(t.Context(), backend.ChannelsQuery{}); err != nil {
		t.Fatal(err)
	}
	get := s.last(t)
	if !post.URL.Query().Has("body_md5") || get.URL.Query().Has("body_md5") {
		t.Errorf("body_md5: POST %v, GET %v", post.URL.Query(), get.URL.Query())
	}
	if got := post.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type of a body = %q", got)
	}
	if get.Header.Get("Content-Type") != "" {
		t.Errorf("a request without body has Content-Type %q", get.Header.Get("Content-Type"))
	}
	for _, r := range []request{post, get} {
		if got, want := r.Header.Get("X-Pusher-Library"), "belfry-go "+backend.Version; got != want {
			t.Errorf("X-Pusher-Library = %q, want %q", got, want)
		}
	}
	named := client(t, s, func(cfg *backend.Config) { cfg.LibraryName = "shop 2" })
	if _, err := named.Channels(t.Context(), backend.ChannelsQuery{}); err != nil {
		t.Fatal(err)
	}
	if got := s.last(t).Header.Get("X-Pusher-Library"); got != "shop 2" {
		t.Errorf("X-Pusher-Library = %q, want the configured one", got)
	}
}

// Covers 15.
func TestSignQueryRefusesReservedParameters(t *testing.T) {
	c := client(t, answers())
	for _, name := range []string{"auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5", "Auth_Key"} {
		if _, err := c.SignQuery("GET", "/channels", url.Values{name: {"x"}}, nil); !errors.Is(err, backend.ErrInvalidParameter) {
			t.Errorf("SignQuery with %s = %v, want ErrInvalidParameter", name, err)
		}
	}
	query := url.Values{"a": {"1"}}
	if _, err := c.SignQuery("GET", "/channels", query, nil); err != nil || len(query) != 1 {
		t.Errorf("SignQuery = %v, and the query is %v", err, query)
	}
}

// Covers 16.
func TestPrefixIsSignedOnlyIfAsked(t *testing.T) {
	signature := func(change func(*backend.Config)) (path, signature string) {
		s := answers(answer{status: 200, body: "{}"})
		if _, err := client(t, s, change).Channels(t.Context(), backend.ChannelsQuery{}); err != nil {
			t.Fatal(err)
		}
		r := s.last(t)
		return r.URL.Path, r.URL.Query().Get("auth_signature")
	}
	_, plain := signature(func(*backend.Config) {})
	path, unsigned := signature(func(c *backend.Config) { c.BasePath = "real/time/" })
	if path != "/real/time/apps/3/channels" || unsigned != plain {
		t.Errorf("prefix: path %s, signature %s, want that of no prefix, %s", path, unsigned, plain)
	}
	if path, signed := signature(func(c *backend.Config) { c.BasePath, c.SignBasePath = "/real/time", true }); path != "/real/time/apps/3/channels" || signed == plain {
		t.Errorf("signed prefix: path %s, signature %s, want another than without, %s", path, signed, plain)
	}
}

func TestSignedURL(t *testing.T) {
	got, err := client(t, answers()).SignedURL(http.MethodGet, "/channels", url.Values{"info": {"a,b"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	if u.Host != "service.test" || u.Path != "/apps/3/channels" || u.Query().Get("info") != "a,b" || u.Query().Get("auth_signature") == "" {
		t.Errorf("SignedURL = %s", got)
	}
}
