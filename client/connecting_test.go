package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/client"
)

// Covers 2.
func TestNewRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*client.Config){
		"no host":              func(c *client.Config) { c.Endpoint.Host = "" },
		"port":                 func(c *client.Config) { c.Endpoint.Port = 65536 },
		"negative port":        func(c *client.Config) { c.Endpoint.HTTPPort = -1 },
		"URL as host":          func(c *client.Config) { c.Endpoint.Host = "wss://service.test" },
		"port in host":         func(c *client.Config) { c.Endpoint.Host = "service.test:80" },
		"cluster":              func(c *client.Config) { c.Endpoint = client.Endpoint{Cluster: "evil.com/"} },
		"path":                 func(c *client.Config) { c.Endpoint.Path = "/a?b" },
		"transport":            func(c *client.Config) { c.Transports = []client.Transport{"flash"} },
		"activity timeout":     func(c *client.Config) { c.ActivityTimeout = time.Millisecond },
		"pong timeout":         func(c *client.Config) { c.PongTimeout = time.Millisecond },
		"message size":         func(c *client.Config) { c.MaxMessageSize = -1 },
		"relative endpoint":    func(c *client.Config) { c.ChannelAuthorizer = &client.HTTPAuth{Endpoint: "/pusher/auth"} },
		"relative batch":       func(c *client.Config) { c.ChannelAuthorizer = &client.BatchHTTPAuth{} },
		"relative user":        func(c *client.Config) { c.UserAuthenticator = &client.HTTPAuth{Endpoint: "pusher.test/auth"} },
		"negative write limit": func(c *client.Config) { c.WriteTimeout = -1 },
	} {
		cfg := (&fake{}).config()
		spoil(&cfg)
		if _, err := client.New("key", cfg); !errors.Is(err, client.ErrConfig) {
			t.Errorf("%s: New = %v, want ErrConfig", name, err)
		}
	}
	if _, err := client.New("", (&fake{}).config()); !errors.Is(err, client.ErrConfig) {
		t.Errorf("New without key = %v, want ErrConfig", err)
	}
}

// Covers 3.
func TestConnectDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hold := make(chan struct{})
		f := &fake{onDial: func(context.Context, int) error { <-hold; return nil }}
		c := newClient(t, f)
		for range 3 {
			if err := c.Connect(); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		if c.State() != client.StateConnecting || f.count() != 1 {
			t.Errorf("state %v after %d dials, want connecting after 1", c.State(), f.count())
		}
		close(hold)
		connect(t, c)
		if err := c.Connect(); err != nil || f.count() != 1 {
			t.Errorf("Connect when connected = %v, %d dials", err, f.count())
		}
	})
}

// askedFor returns the URL and address that a client with this endpoint dials.
func askedFor(t *testing.T, e client.Endpoint, key string) (address, target string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		c, err := client.New(key, client.Config{
			Endpoint: e, Proxy: noProxy,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				address = addr
				return f.dial(ctx, network, addr)
			},
			Trace:     &client.Trace{DialStart: func(_ client.Transport, url string) { target = url }},
			TLSConfig: &tls.Config{InsecureSkipVerify: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Connect()
		settle()
		shutdown(t, c)
	})
	return address, target
}

// Covers 4.
func TestWhereToConnect(t *testing.T) {
	const query = "?client=belfry-go&protocol=7&version=" + client.Version
	for name, test := range map[string]struct {
		endpoint        client.Endpoint
		key             string
		address, target string
	}{
		"cluster":            {client.Endpoint{Cluster: "eu"}, "key", "ws-eu.pusher.com:443", "wss://ws-eu.pusher.com:443/app/key"},
		"host":               {client.Endpoint{Host: "h"}, "key", "h:443", "wss://h:443/app/key"},
		"host beats cluster": {client.Endpoint{Host: "h", Cluster: "eu"}, "key", "h:443", "wss://h:443/app/key"},
		"insecure":           {client.Endpoint{Host: "h", Insecure: true}, "key", "h:80", "ws://h:80/app/key"},
		"port":               {client.Endpoint{Host: "h", Port: 6001, Insecure: true}, "key", "h:6001", "ws://h:6001/app/key"},
		"IPv6":               {client.Endpoint{Host: "::1", Port: 6001, Insecure: true}, "key", "[::1]:6001", "ws://[::1]:6001/app/key"},
		"IPv6 in brackets":   {client.Endpoint{Host: "[::1]"}, "key", "[::1]:443", "wss://[::1]:443/app/key"},
		"path":               {client.Endpoint{Host: "h", Path: "real/time/"}, "key", "h:443", "wss://h:443/real/time/app/key"},
		"escaped key":        {client.Endpoint{Host: "h"}, "a/../b?c", "h:443", "wss://h:443/app/a%2F..%2Fb%3Fc"},
	} {
		address, target := askedFor(t, test.endpoint, test.key)
		if address != test.address || target != test.target+query {
			t.Errorf("%s: dials %s for %s, want %s for %s", name, address, target, test.address, test.target+query)
		}
	}
}

// Covers 5.
func TestUpgradeRequestHasWhatIsConfigured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		jar, _ := cookiejar.New(nil)
		jar.SetCookies(&url.URL{Scheme: "http", Host: "service.test"}, []*http.Cookie{{Name: "session", Value: "7"}})
		var seen []*http.Request
		f := &fake{onUpgrade: func(n int, r *http.Request) *http.Response {
			if seen = append(seen, r); n == 1 {
				return &http.Response{StatusCode: 503, Header: http.Header{"Set-Cookie": {"route=b"}}}
			}
			return nil
		}}
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.Header = http.Header{"Origin": {"https://page.test"}, "Host": {"other.test"}, "X-A": {"1", "2"}}
			cfg.CookieJar = jar
			cfg.ClientName, cfg.ClientVersion = "shop", "2.0"
		})
		connect(t, c)
		r := seen[1]
		if r.Header.Get("Origin") != "https://page.test" || r.Host != "other.test" || len(r.Header["X-A"]) != 2 ||
			r.Header.Get("User-Agent") != "shop/2.0" || r.URL.Query().Get("client") != "shop" || r.URL.Query().Get("version") != "2.0" {
			t.Errorf("request for %s at %s: %v", r.URL, r.Host, r.Header)
		}
		if got := r.Header.Get("Cookie"); !strings.Contains(got, "session=7") || !strings.Contains(got, "route=b") {
			t.Errorf("cookies = %q, want those of the jar and of the answer before", got)
		}
	})
}

// Covers 6.
func TestBeforeConnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seen []*http.Request
		f := &fake{onUpgrade: func(_ int, r *http.Request) *http.Response { seen = append(seen, r); return nil }}
		calls := 0
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.Reconnect.StableAfter = time.Hour
			cfg.BeforeConnect = func(_ context.Context, a *client.ConnectAttempt) error {
				calls++
				if calls == 1 {
					a.Header.Set("Authorization", "once")
					a.URL.RawQuery += "&extra=1"
				}
				if calls == 3 {
					return errors.New("not yet")
				}
				if calls == 4 {
					return client.ErrAbort
				}
				if a.Transport != client.WebSocket || a.Number != calls {
					t.Errorf("attempt %+v, want number %d", a, calls)
				}
				return nil
			}
		})
		r := record(c)
		connect(t, c)
		f.last(t).close(4200, "")
		settle()
		if seen[0].Header.Get("Authorization") != "once" || seen[0].URL.Query().Get("extra") != "1" ||
			seen[1].Header.Get("Authorization") != "" || seen[1].URL.Query().Has("extra") {
			t.Errorf("requests: %v %v, then %v %v", seen[0].URL, seen[0].Header, seen[1].URL, seen[1].Header)
		}
		r.take()
		f.last(t).close(4200, "")
		pass(time.Hour)
		r.expect(t, "veto", "0s connected→connecting", "0s disconnected immediate 4200", "0s in 10s",
			"10s connecting→unavailable", "10s disconnected backoff", "10s in 15s", "25s unavailable→disconnected")
		if c.Err() != nil || f.count() != 2 {
			t.Errorf("Err = %v after %d dials", c.Err(), f.count())
		}
	})
}
