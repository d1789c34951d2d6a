package backend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
)

// Covers 1.
func TestNewNeedsIDKeyAndSecret(t *testing.T) {
	whole := backend.Config{AppID: "1", Key: "k", Secret: "s", Host: "h"}
	for name, spoil := range map[string]func(*backend.Config){
		"no app id":     func(c *backend.Config) { c.AppID = "" },
		"no key":        func(c *backend.Config) { c.Key = "" },
		"no secret":     func(c *backend.Config) { c.Secret = "" },
		"app id":        func(c *backend.Config) { c.AppID = "1/../2" },
		"port":          func(c *backend.Config) { c.Port = 70000 },
		"host with URL": func(c *backend.Config) { c.Host = "https://h" },
		"base path":     func(c *backend.Config) { c.BasePath = "/a?b" },
		"cluster":       func(c *backend.Config) { c.Host, c.Cluster = "", "evil.com/" },
		"two transports": func(c *backend.Config) {
			c.HTTPClient, c.Proxy = http.DefaultClient, &url.URL{Scheme: "http", Host: "p"}
		},
	} {
		cfg := whole
		spoil(&cfg)
		if _, err := backend.New(cfg); !errors.Is(err, backend.ErrConfig) {
			t.Errorf("%s: New = %v, want ErrConfig", name, err)
		}
	}
	if _, err := backend.New(whole); err != nil {
		t.Errorf("New(whole) = %v", err)
	}
}

func TestNoHostIsEverAssumed(t *testing.T) {
	_, err := backend.New(backend.Config{AppID: "1", Key: "k", Secret: "s"})
	if !errors.Is(err, backend.ErrConfig) || !strings.Contains(err.Error(), "no host and no cluster") {
		t.Errorf("New without host = %v, want ErrConfig that says so", err)
	}
}

// Covers 2, 5, 6.
func TestWhereTheServiceIs(t *testing.T) {
	for name, test := range map[string]struct {
		url  string
		cfg  backend.Config
		want string
	}{
		"https":                {url: "https://k:s@h.example/apps/7", want: "https://h.example/apps/7"},
		"http, port":           {url: "http://k:s@h.example:6001/apps/a-b_C", want: "http://h.example:6001/apps/a-b_C"},
		"prefix":               {url: "https://k:s@h/real/time/apps/7", want: "https://h/real/time/apps/7"},
		"prefix that is /apps": {url: "https://k:s@h/apps/x/apps/7", want: "https://h/apps/x/apps/7"},
		"IPv6":                 {url: "http://k:s@[::1]:6001/apps/7", want: "http://[::1]:6001/apps/7"},
		"host over URL":        {url: "https://k:s@h/apps/7", cfg: backend.Config{Host: "other:1"}, want: "https://other:1/apps/7"},
		"cluster over URL":     {url: "https://k:s@h/apps/7", cfg: backend.Config{Cluster: "eu"}, want: "https://api-eu.pusher.com/apps/7"},
		"cluster":              {cfg: backend.Config{Cluster: "eu"}, want: "https://api-eu.pusher.com/apps/7"},
		"host beats cluster":   {cfg: backend.Config{Host: "h", Cluster: "eu"}, want: "https://h/apps/7"},
		"port":                 {cfg: backend.Config{Host: "h:1", Port: 2}, want: "https://h:2/apps/7"},
		"port of IPv6":         {cfg: backend.Config{Host: "[::1]", Port: 2}, want: "https://[::1]:2/apps/7"},
		"insecure":             {cfg: backend.Config{Host: "h", Insecure: true}, want: "http://h/apps/7"},
	} {
		var c *backend.Client
		var err error
		if test.url != "" {
			c, err = backend.NewFromURL(test.url, test.cfg)
		} else {
			test.cfg.AppID, test.cfg.Key, test.cfg.Secret = "7", "k", "s"
			c, err = backend.New(test.cfg)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := c.String(); got != test.want || c.Key() != "k" {
			t.Errorf("%s: client of %s, key %s; want %s", name, got, c.Key(), test.want)
		}
	}
}

// Covers 3.
func TestNewFromURLRefusesWithoutRepeatingTheURL(t *testing.T) {
	const secret = "hushhush"
	for _, text := range []string{
		"https://h/apps/7",
		"https://k@h/apps/7",
		"https://k:@h/apps/7",
		"https://:" + secret + "@h/apps/7",
		"https://k:" + secret + "@h",
		"https://k:" + secret + "@h/apps/",
		"https://k:" + secret + "@h/apps/7/",
		"https://k:" + secret + "@h/apps/7?x=1",
		"https://k:" + secret + "@h/apps/7#x",
		"https://k:" + secret + "@/apps/7",
		"ftp://k:" + secret + "@h/apps/7",
		"https://k:" + secret + "@h:port/apps/7",
		"://k:" + secret + "@h",
		secret,
	} {
		_, err := backend.NewFromURL(text, backend.Config{})
		if !errors.Is(err, backend.ErrConfig) {
			t.Errorf("NewFromURL(%q) = %v, want ErrConfig", text, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("NewFromURL(%q) repeats the secret: %v", text, err)
		}
	}
	c, err := backend.NewFromURL("https://k%2Fy:s%3At@h/apps/7", backend.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Key() != "k/y" {
		t.Errorf("key = %q, want it decoded", c.Key())
	}
}

// Covers 4.
func TestNewFromEnv(t *testing.T) {
	t.Setenv("PUSHER_URL", "")
	if _, err := backend.NewFromEnv(backend.Config{}); !errors.Is(err, backend.ErrConfig) {
		t.Errorf("NewFromEnv without PUSHER_URL = %v, want ErrConfig", err)
	}
	if _, err := backend.Default(); !errors.Is(err, backend.ErrConfig) {
		t.Errorf("Default without PUSHER_URL = %v, want ErrConfig", err)
	}
	t.Setenv("PUSHER_URL", "https://k:s@h/apps/7")
	t.Setenv("OTHER", "https://k:s@other/apps/8")
	c, err := backend.NewFromEnv(backend.Config{})
	if err != nil || c.String() != "https://h/apps/7" {
		t.Errorf("NewFromEnv = %v, %v", c, err)
	}
	if c, err = backend.NewFromEnvVar("OTHER", backend.Config{}); err != nil || c.AppID() != "8" {
		t.Errorf("NewFromEnvVar = %v, %v", c, err)
	}
	first, err := backend.Default()
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := backend.Default(); second != first {
		t.Error("Default made two clients")
	}
	backend.SetDefault(c)
	if got, _ := backend.Default(); got != c {
		t.Error("SetDefault had no effect")
	}
	backend.SetDefault(nil)
}

func TestNothingPrintsTheSecret(t *testing.T) {
	cfg := backend.Config{AppID: "1", Key: "k", Secret: "hushhush", Host: "h", WebhookTokens: []backend.Token{{Key: "a", Secret: "hushhush"}}}
	c, err := backend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{c, cfg, cfg.WebhookTokens, cfg.WebhookTokens[0]} {
			if text := fmt.Sprintf(format, v); strings.Contains(text, "hushhush") {
				t.Errorf("Sprintf(%q, %T) = %s", format, v, text)
			}
		}
	}
}

// Covers 7.
func TestAClientServesManyGoroutines(t *testing.T) {
	s := answers(answer{status: 200, body: `{}`})
	c := client(t, s)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := c.Trigger(t.Context(), "private-encrypted-a", "e", i); err != nil {
				t.Error(err)
			}
			if _, err := c.AuthorizeChannel("1.2", "private-a", nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.count() != 20 {
		t.Errorf("%d requests, want 20", s.count())
	}
}

// Covers 8.
func TestProxyWithCredentials(t *testing.T) {
	var seen string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.URL.Host + " " + r.Header.Get("Proxy-Authorization")
		io.WriteString(w, "{}")
	}))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("me", "pw")
	c, err := backend.New(backend.Config{AppID: "1", Key: "k", Secret: "s", Host: "nowhere.invalid", Insecure: true, Proxy: u})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	if _, err := c.Trigger(t.Context(), "c", "e", "d"); err != nil {
		t.Fatal(err)
	}
	if want := "nowhere.invalid Basic bWU6cHc="; seen != want {
		t.Errorf("the proxy saw %q, want %q", seen, want)
	}
}

// hanging is a service that takes requests and never answers.
func hanging(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// Covers 9.
func TestTimeoutOfACall(t *testing.T) {
	cfg := backend.Config{AppID: "1", Key: "k", Secret: "s", Host: hanging(t), Insecure: true, Timeout: 20 * time.Millisecond}
	c, err := backend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Trigger(t.Context(), "c", "e", "d")
	e, ok := errors.AsType[*backend.TransportError](err)
	if !ok || !e.Timeout() || !e.Temporary() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Trigger = %v, want a TransportError that is a timeout", err)
	}
	cfg.Timeout = 0
	if c, err = backend.New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err = c.Trigger(ctx, "c", "e", "d"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Trigger with a shorter context = %v, want its deadline", err)
	}
	if got := backend.TimeoutOf(c); got != 5*time.Second {
		t.Errorf("a call may take %v by default, want 5 s", got)
	}
}

// Covers 10.
func TestCancellationIsVisible(t *testing.T) {
	c := client(t, answers(answer{status: 200, body: "{}"}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Channels(ctx, backend.ChannelsQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Channels = %v, want context.Canceled", err)
	}
}
