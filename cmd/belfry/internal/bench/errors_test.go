package bench

import (
	"errors"
	"math"
	"net"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

func TestSettingsThatCanNotBeMeant(t *testing.T) {
	for name, test := range map[string]struct {
		load   string
		change func(*Config)
		want   []string
	}{
		"nothing wrong":                {"fan-out", func(*Config) {}, nil},
		"no connections":               {"idle", func(c *Config) { c.Settings.Connections = 0 }, []string{"connections must be at least 1"}},
		"no connections to publish to": {"publish", func(c *Config) { c.Settings.Connections = 0 }, nil},
		"several": {"fan-out", func(c *Config) { c.Settings.Channels, c.Settings.Rate, c.Settings.Inflight = 0, -1, 0 }, []string{
			"channels must be between 1 and 1000000",
			"subscriptions must be between 1 and the number of channels, 0",
			"rate must be between 0 (as fast as the service answers) and 10000000",
			"inflight must be between 1 and 4096",
		}},
		"too long":                 {"idle", func(c *Config) { c.Settings.Duration = 2 * time.Hour }, []string{"duration must be above 0 and at most 1h0m0s"}},
		"a rate that is no number": {"fan-out", func(c *Config) { c.Settings.Rate = math.NaN() }, []string{"rate must be between 0 (as fast as the service answers) and 10000000"}},
		"all slow":                 {"fan-out", func(c *Config) { c.Settings.Slow = 40 }, []string{"slow must be fewer than the connections, 40"}},
		"nobody to talk to": {"chat", func(c *Config) { c.Settings.Channels = 30 }, []string{
			"connections must be at least two for every channel, of which there are 30"}},
		"too much to account for": {"chat", func(c *Config) { c.Settings.Connections, c.Settings.Channels = 10000, 1 }, []string{
			"connections with 1 channels make 100000000 accounts of who got what from whom, and there is room for 20000000; take fewer connections, fewer publishers (--inflight) or more channels"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := short(test.load, Target{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}})
			test.change(&cfg)
			err := cfg.check()
			if err == nil {
				err = cfg.checkPlan(newPlan(cfg.Load, cfg.Settings))
			}
			got := ""
			if err != nil {
				got = err.Error()
				if _, ok := errors.AsType[*SettingError](err); !ok {
					t.Errorf("check = %v, which is no SettingError", err)
				}
			}
			if want := strings.Join(test.want, "\n"); got != want {
				t.Errorf("check = %q, want %q", got, want)
			}
		})
	}
}

func TestTooManyConnectionsForTheProcess(t *testing.T) {
	cfg := short("idle", Target{})
	cfg.Settings.Connections = 1 << 40
	err := cfg.checkPlan(&plan{work: holds, settings: cfg.Settings, names: []string{"x"}})
	limit, ok := errors.AsType[*DescriptorError](err)
	switch {
	case runtime.GOOS == "windows":
		t.Skip("Windows has no limit of open files to check")
	case !ok:
		t.Fatalf("checkPlan = %v, want a DescriptorError", err)
	case limit.Need <= 1<<40 || limit.Limit == 0 || !strings.Contains(err.Error(), "ulimit -n 10995"):
		t.Errorf("checkPlan = %v", err)
	}
}

func TestRefusesOtherMachines(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1:6001":        "",
		"localhost":             "",
		"[::1]:80":              "",
		"[::ffff:127.0.0.1]:80": "",
		"192.0.2.7:6001":        "192.0.2.7 is not this machine, and a load can take a service down; --allow-remote says that it is meant",
		"10.0.0.1":              "10.0.0.1 is not this machine, and a load can take a service down; --allow-remote says that it is meant",
		"[2001:db8::1]:80":      "2001:db8::1 is not this machine, and a load can take a service down; --allow-remote says that it is meant",
		"":                      "bench: there is no address to put the load on",
	} {
		t.Run(host, func(t *testing.T) {
			target := Target{URL: &url.URL{Scheme: "http", Host: host}}
			_, err := resolve(t.Context(), target, false)
			if got := errorText(err); got != want {
				t.Errorf("resolve = %q, want %q", got, want)
			}
			if _, remote := errors.AsType[*RemoteError](err); !remote {
				return
			}
			e, err := resolve(t.Context(), target, true)
			if err != nil || e.addr.Port() == 0 {
				t.Errorf("resolve with leave = %v, %v, want an address", e, err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What is wrong is told before there are connections, or by the first.
func TestRunsThatCanNotBegin(t *testing.T) {
	nobody := Target{URL: &url.URL{Scheme: "http", Host: unusedAddress(t)}, Key: "k", Secret: "s", AppID: "1"}
	for name, test := range map[string]struct {
		load   string
		change func(*Config)
		want   string
	}{
		"wrong secret, over the HTTP API": {"fan-out", func(c *Config) { c.Target.Secret = "x" }, "bench: the first event: the service answered 401 Unauthorized: Invalid signature"},
		"wrong secret, on a private channel": {"chat", func(c *Config) { c.Target.Secret = "x" },
			"bench: 0 of 40 connections are there, and the next was not to be had: refused by the service: Invalid signature"},
		"wrong key": {"idle", func(c *Config) { c.Target.Key = "x" },
			"bench: 0 of 40 connections are there, and the next was not to be had: refused by the service: App key x not in this cluster"},
		"no app there":                    {"idle", func(c *Config) { c.Target.URL.Path = "/elsewhere" }, "bench: 0 of 40 connections are there, and the next was not to be had: "},
		"nobody there, over the HTTP API": {"fan-out", func(c *Config) { c.Target = nobody }, "bench: the first event: dial tcp "},
		"nobody there":                    {"idle", func(c *Config) { c.Target = nobody }, "bench: 0 of 40 connections are there, and the next was not to be had: connect: "},
		"nobody there, with goroutines":   {"idle", func(c *Config) { c.Target, c.Portable = nobody, true }, "bench: 0 of 40 connections are there, and the next was not to be had: dial tcp "},
		"nobody there, in a storm":        {"connect", func(c *Config) { c.Target = nobody }, "bench: 0 of 40 connections are there, and the next was not to be had: "},
		"no such process":                 {"idle", func(c *Config) { c.PID = 1 << 30 }, "bench: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := short(test.load, startService(t))
			test.change(&cfg)
			result, err := Run(t.Context(), cfg)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("Run = %+v, %v, want %s…", result, err, test.want)
			}
		})
	}
}

// unusedAddress is one where nobody listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A storm that is not answered in full has a result all the same.
func TestStormThatIsNotTakenWhole(t *testing.T) {
	t.Parallel()
	r := mustRun(t, short("connect", startService(t, func(a *apps.App) { a.Limits.Connections = 25 })))
	c := r.Connections
	if c.Opened != 40 || c.Subscribed != 25 || c.Failed != 15 {
		t.Errorf("connections = %+v, want 25 of 40", c)
	}
	if r.Setup.JoinMs.Count != 25 || len(r.Problems) != 1 || r.Problems[0].Count != 15 {
		t.Errorf("%d were measured, problems = %v, want 25 and one that 15 had", r.Setup.JoinMs.Count, r.Problems)
	}
}
