package backend_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/backend"
)

// Covers 36, 37.
func TestChannels(t *testing.T) {
	s := answers(answer{status: 200, body: `{"channels":{"presence-a":{"user_count":3},"presence-b":{}}}`}, answer{status: 200, body: `{"channels":{}}`}, answer{status: 200, body: `{}`})
	c := client(t, s)
	channels, err := c.Channels(t.Context(), backend.ChannelsQuery{Prefix: "presence-", Info: []backend.Attribute{backend.UserCount}})
	if err != nil {
		t.Fatal(err)
	}
	if len(channels) != 2 || *channels["presence-a"].UserCount != 3 || channels["presence-b"].UserCount != nil {
		t.Errorf("Channels = %+v", channels)
	}
	q := s.last(t).URL.Query()
	if q.Get("filter_by_prefix") != "presence-" || q.Get("info") != "user_count" {
		t.Errorf("query = %v", q)
	}
	for range 2 {
		if channels, err = c.Channels(t.Context(), backend.ChannelsQuery{}); err != nil || channels == nil || len(channels) != 0 {
			t.Errorf("Channels of nothing = %#v, %v, want an empty map", channels, err)
		}
	}
	if q = s.last(t).URL.Query(); q.Has("filter_by_prefix") || q.Has("info") {
		t.Errorf("query of everything = %v", q)
	}
	s = answers()
	for _, prefix := range []string{"", "private-"} {
		_, err := client(t, s).Channels(t.Context(), backend.ChannelsQuery{Prefix: prefix, Info: []backend.Attribute{backend.UserCount}})
		refuses(t, "user_count with prefix "+prefix, s, err, backend.ErrInvalidAttribute)
	}
}

// Covers 38, 39.
func TestChannel(t *testing.T) {
	s := answers(
		answer{status: 200, body: `{"occupied":false}`},
		answer{status: 200, body: `{"occupied":true,"user_count":0,"subscription_count":2}`},
		answer{status: 200, body: `{"occupied":true,"cache":{"data":"{\"usd\":12}","ttl":1740}}`},
		answer{status: 200, body: `{"occupied":true,"cache":null}`},
	)
	c := client(t, s)
	info, err := c.Channel(t.Context(), "c")
	if err != nil || info.Occupied || s.last(t).URL.Query().Has("info") {
		t.Errorf("Channel = %+v, %v, query %v", info, err, s.last(t).URL.Query())
	}
	info, err = c.Channel(t.Context(), "presence-c", backend.UserCount, backend.SubscriptionCount)
	if err != nil || !info.Occupied || *info.UserCount != 0 || *info.SubscriptionCount != 2 || info.Cache != nil {
		t.Errorf("Channel = %+v, %v", info, err)
	}
	info, err = c.Channel(t.Context(), "cache-c", backend.CachedEvent)
	if err != nil || *info.Cache != (backend.Cached{Data: `{"usd":12}`, TTL: 1740}) {
		t.Errorf("Channel = %+v, %v", info, err)
	}
	if info, err = c.Channel(t.Context(), "cache-c", backend.CachedEvent); err != nil || info.Cache != nil {
		t.Errorf("Channel = %+v, %v", info, err)
	}
	s = answers()
	for name, attr := range map[string]backend.Attribute{"c": backend.UserCount, "private-c": backend.CachedEvent} {
		_, err := client(t, s).Channel(t.Context(), name, attr)
		refuses(t, string(attr)+" of "+name, s, err, backend.ErrInvalidAttribute)
	}
	_, err = client(t, s).Channel(t.Context(), "a/b")
	refuses(t, "Channel(a/b)", s, err, backend.ErrInvalidChannel)
}

// Covers 40, 41.
func TestChannelUsers(t *testing.T) {
	s := answers(answer{status: 200, body: `{"users":[{"id":"a"},{"id":9007199254740993},{"id":"10"}]}`})
	users, err := client(t, s).ChannelUsers(t.Context(), "presence-c")
	if err != nil {
		t.Fatal(err)
	}
	if want := []backend.User{{"a"}, {"9007199254740993"}, {"10"}}; !slices.Equal(users, want) {
		t.Errorf("ChannelUsers = %v, want %v", users, want)
	}
	for name := range s.last(t).URL.Query() {
		if !slices.Contains([]string{"auth_key", "auth_timestamp", "auth_version", "auth_signature"}, name) {
			t.Errorf("a parameter %s was sent", name)
		}
	}
	s = answers()
	_, err = client(t, s).ChannelUsers(t.Context(), "private-c")
	refuses(t, "ChannelUsers(private-c)", s, err, backend.ErrInvalidChannel)
}

// Covers 42.
func TestTerminate(t *testing.T) {
	s := answers()
	c := client(t, s)
	for _, id := range []string{"", "a/b", "a?b", "a#b", "a%b", "a\x00b", ".."} {
		refuses(t, fmt.Sprintf("Terminate(%q)", id), s, c.TerminateUserConnections(t.Context(), id), backend.ErrInvalidUserID)
	}
	if err := c.TerminateUserConnections(t.Context(), "zoë b"); err != nil {
		t.Fatal(err)
	}
	r := s.last(t)
	if r.URL.EscapedPath() != "/apps/3/users/zo%C3%AB%20b/terminate_connections" || r.body != "{}" || r.Method != http.MethodPost {
		t.Errorf("sent %s %s %s", r.Method, r.URL.EscapedPath(), r.body)
	}
}

// Covers 43.
func TestGetAndPost(t *testing.T) {
	s := answers(answer{status: 200, body: `{"n":1}`}, answer{status: 202, body: `x`})
	c := client(t, s)
	response, err := c.Get(t.Context(), "/connections", url.Values{"a": {"1"}})
	var v struct{ N int }
	if err != nil || response.Decode(&v) != nil || v.N != 1 || s.last(t).URL.Path != "/apps/3/connections" {
		t.Errorf("Get = %+v, %v, decoded %+v", response, err, v)
	}
	response, err = c.Post(t.Context(), "/x/y", map[string]int{"a": 1})
	if err != nil || response.Status != 202 || s.last(t).body != `{"a":1}` {
		t.Errorf("Post = %+v, %v, sent %s", response, err, s.last(t).body)
	}
	if e, ok := errors.AsType[*backend.DecodeError](response.Decode(&v)); !ok || string(e.Body) != "x" {
		t.Errorf("Decode = %v, want a DecodeError with the body", e)
	}
	for _, path := range []string{"x", "/x?y", "/x y", "/x#y"} {
		if _, err := c.Get(t.Context(), path, nil); !errors.Is(err, backend.ErrInvalidParameter) {
			t.Errorf("Get(%q) = %v, want ErrInvalidParameter", path, err)
		}
	}
}

func TestQueriesAreRepeatedWhileThatCanHelp(t *testing.T) {
	for name, test := range map[string]struct {
		answers []answer
		retries int
		want    int // requests
		status  int // of the error; 0 for none
	}{
		"server recovers":  {[]answer{{status: 503}, {status: 200, body: "{}"}}, 0, 2, 0},
		"network recovers": {[]answer{{err: errors.New("reset")}, {status: 200, body: "{}"}}, 0, 2, 0},
		"never recovers":   {[]answer{{status: 500}}, 0, 3, 500},
		"told how long":    {[]answer{{status: 429, header: http.Header{"Retry-After": {"1"}}}, {status: 200, body: "{}"}}, 0, 2, 0},
		"told too long":    {[]answer{{status: 429, header: http.Header{"Retry-After": {"60"}}}}, 0, 1, 429},
		"not temporary":    {[]answer{{status: 401}}, 0, 1, 401},
		"not implemented":  {[]answer{{status: 501}}, 0, 1, 501},
		"switched off":     {[]answer{{status: 503}}, -1, 1, 503},
		"five times":       {[]answer{{status: 503}}, 4, 5, 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := answers(test.answers...)
				c := client(t, s, func(cfg *backend.Config) { cfg.Retries, cfg.Timeout = test.retries, 10*time.Second })
				_, err := c.Channels(t.Context(), backend.ChannelsQuery{})
				e, _ := errors.AsType[*backend.APIError](err)
				if (test.status == 0) != (err == nil) || e != nil && e.Status != test.status {
					t.Errorf("Channels = %v, want status %d", err, test.status)
				}
				if s.count() != test.want {
					t.Errorf("%d requests, want %d", s.count(), test.want)
				}
			})
		})
	}
	s := answers(answer{status: 503}, answer{status: 200, body: "{}"})
	if err := client(t, s).TerminateUserConnections(t.Context(), "7"); err != nil || s.count() != 2 {
		t.Errorf("TerminateUserConnections = %v after %d requests, want success after 2", err, s.count())
	}
}
