package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

func clientTLS(transport http.RoundTripper) *tls.Config {
	return transport.(*http.Transport).TLSClientConfig
}

// cutUpgrade splits the answer to an upgrade from the frames behind it.
func cutUpgrade(b []byte) (head, rest []byte, ok bool) {
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 101")) {
		return b, nil, false
	}
	end := bytes.Index(b, []byte("\r\n\r\n")) + 4
	return bytes.Clone(b[:end]), b[end:], true
}

// short is a load that takes a moment.
func short(name string, target Target) Config {
	l := loadNamed(name)
	s := l.Defaults
	s.Connections = min(s.Connections, 40)
	s.Channels = min(s.Channels, 10)
	if s.Rate > 0 {
		s.Rate = 200
	}
	s.Warmup, s.Duration = min(s.Warmup, 50*time.Millisecond), 200*time.Millisecond
	if name == "connect" {
		s.Duration = time.Minute // it ends when all are there
	}
	return Config{Target: target, Load: l, Settings: s, settle: time.Millisecond, drainPause: time.Second}
}

func mustRun(t *testing.T, cfg Config) *Result {
	t.Helper()
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// exact checks what is true of every load on a service that loses nothing.
func exact(t *testing.T, r *Result) {
	t.Helper()
	c := r.Counted
	if c.Lost != 0 || c.Repeated != 0 || c.Disordered != 0 || c.Stray != 0 || c.Unconfirmed != 0 || c.Refused != 0 {
		t.Errorf("counted = %+v, want nothing lost, repeated, out of order, stray or refused", c)
	}
	if r.Connections.Subscribed != int64(r.Settings.Connections) || r.Connections.Failed != 0 || r.Connections.Closed != 0 {
		t.Errorf("connections = %+v, want %d, all there", r.Connections, r.Settings.Connections)
	}
	if len(r.Problems) > 0 {
		t.Errorf("problems = %v, want none", r.Problems)
	}
	if r.Interrupted {
		t.Error("the result says that it was interrupted")
	}
	if r.LatencyMs.Count > c.Expected {
		t.Errorf("%d latencies of %d deliveries", r.LatencyMs.Count, c.Expected)
	}
}

// perEvent is how many deliveries one event of a short load makes.
var perEvent = map[string]uint64{
	"fan-out":       40,
	"many-channels": 4,
	"publish":       0,
	"chat":          3,
	"presence":      2, // of four members, the two that stay
}

func TestEveryLoad(t *testing.T) {
	for _, portable := range []bool{false, true} {
		for _, load := range Loads() {
			for _, closed := range []bool{false, true} {
				if closed && !load.Uses.Has(UsesEvents) && load.Name != "presence" {
					continue
				}
				name := load.Name
				if closed {
					name += " as fast as answered"
				}
				if portable {
					name += " with goroutines"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					cfg := short(load.Name, startService(t))
					cfg.Portable = portable
					if closed {
						cfg.Settings.Rate = 0
					}
					result := mustRun(t, cfg)
					exact(t, result)
					checkEvents(t, load.Name, closed, result)
				})
			}
		}
	}
}

// checkEvents checks the events of a short load.
func checkEvents(t *testing.T, load string, closed bool, r *Result) {
	t.Helper()
	c := r.Counted
	each, sends := perEvent[load]
	if !sends {
		if c.Published != 0 || c.Expected != 0 {
			t.Errorf("counted = %+v, want no events", c)
		}
		return
	}
	if scheduled := int64(50); !closed && c.Published+c.Unsent != scheduled {
		t.Errorf("%d events published and %d unsent, want %d in a quarter of a second", c.Published, c.Unsent, scheduled)
	}
	if c.Published == 0 || c.Expected != uint64(c.Published)*each {
		t.Errorf("%d deliveries of %d events, want %d of each", c.Expected, c.Published, each)
	}
	if r.LatencyMs.Count == 0 && each > 0 {
		t.Error("no latency was measured")
	}
	if api := load != "chat" && load != "presence"; (r.RequestMs.Count > 0) != api {
		t.Errorf("%d requests were measured, want some: %t", r.RequestMs.Count, api)
	}
}

func TestOtherSettings(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"batches": func(c *Config) { c.Load = loadNamed("publish"); c.Settings.Batch = 7 },
		"batches at a rate that they do not divide": func(c *Config) { c.Settings.Batch, c.Settings.Rate = 3, 100 },
		"many subscriptions":                        func(c *Config) { c.Settings.Subscriptions = 5 },
		"connections that never read":               func(c *Config) { c.Settings.Slow = 10 },
		"the same with goroutines":                  func(c *Config) { c.Settings.Slow, c.Portable = 10, true },
		"several readers":                           func(c *Config) { c.Readers = 3 },
		"long events":                               func(c *Config) { c.Settings.Payload = 70000 },
		"more channels than connections":            func(c *Config) { c.Settings.Channels = 64 },
		"no warm-up":                                func(c *Config) { c.Settings.Warmup = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := short("many-channels", startService(t))
			change(&cfg)
			result := mustRun(t, cfg)
			exact(t, result)
			if result.Counted.Published == 0 || result.Counted.Expected == 0 {
				t.Errorf("counted = %+v, want events", result.Counted)
			}
		})
	}
}

func TestThroughTLS(t *testing.T) {
	for _, load := range []string{"fan-out", "chat"} {
		t.Run(load, func(t *testing.T) {
			t.Parallel()
			exact(t, mustRun(t, short(load, throughTLS(t, startService(t)))))
		})
	}
}

// A proxy loses some events and repeats others; the result says which number.
func TestCountsWhatIsLostAndRepeatedOnTheWay(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen, dropped, doubled uint64
	target := throughTamperer(t, startService(t), func(frame, payload []byte) []byte {
		if _, event := findStamp(payload); !event {
			return frame
		}
		mu.Lock()
		defer mu.Unlock()
		switch seen++; {
		case seen%7 == 0:
			dropped++
			return nil
		case seen%11 == 0:
			doubled++
			return slices.Concat(frame, frame)
		}
		return frame
	})
	cfg := short("many-channels", target)
	c := mustRun(t, cfg).Counted
	mu.Lock() // the proxy may still pass on
	defer mu.Unlock()
	if c.Expected != seen || c.Lost != dropped || c.Repeated != doubled || c.Disordered != 0 {
		t.Errorf("counted = %+v, want %d deliveries, %d lost and %d repeated", c, seen, dropped, doubled)
	}
	if dropped == 0 || doubled == 0 {
		t.Errorf("the proxy dropped %d and doubled %d, want some", dropped, doubled)
	}
}

// What the service refuses is no loss.
func TestCountsWhatIsRefused(t *testing.T) {
	t.Parallel()
	cfg := short("fan-out", startService(t, func(a *apps.App) { a.Limits.EventData = 50 }))
	r := mustRun(t, cfg)
	if c := r.Counted; c.Refused != 50 || c.Published != 0 || c.Lost != 0 || c.Expected != 0 {
		t.Errorf("counted = %+v, want 50 refused and nothing else", c)
	}
	if len(r.Problems) != 1 || r.Problems[0].Count != 50 || !strings.HasPrefix(r.Problems[0].Text, "the service answered 413") {
		t.Errorf("problems = %v, want the answer 413, 50 times", r.Problems)
	}
}

// Client events that the service does not relay are lost, and it says why.
func TestClientEventsOverTheLimit(t *testing.T) {
	t.Parallel()
	cfg := short("chat", startService(t, func(a *apps.App) { a.Limits.ClientEventsPerSecond = 1 }))
	cfg.Settings.Connections, cfg.Settings.Channels = 2, 1
	r := mustRun(t, cfg)
	refused := 0
	for _, p := range r.Problems {
		refused += p.Count
	}
	if refused == 0 || r.Counted.Lost != uint64(refused) {
		t.Errorf("%d lost and problems %v, want as many as were refused", r.Counted.Lost, r.Problems)
	}
}

func TestMeasuresTheProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a process uses, and the floor, can be measured on Linux only")
	}
	t.Parallel()
	cfg := short("fan-out", startService(t))
	cfg.PID, cfg.Floor = os.Getpid(), 20*time.Millisecond
	r := mustRun(t, cfg)
	exact(t, r)
	p, f := r.Process, r.Floor
	if p == nil || f == nil {
		t.Fatalf("process = %v, floor = %v, want both", p, f)
	}
	if p.PID != os.Getpid() || p.CPUCores <= 0 || p.CPUPerDelivery <= 0 || p.CPUPerPublish <= p.CPUPerDelivery || p.EndMB <= 0 || p.PeakMB < p.EndMB {
		t.Errorf("process = %+v", *p)
	}
	if f.Sockets != 40 || f.Bytes < 100 || f.BeforeUs <= 0 || f.AfterUs <= 0 || f.DeliveryRatio <= 0 || f.PublishRatio <= f.DeliveryRatio {
		t.Errorf("floor = %+v", *f)
	}
	if r.Generator.CPUCores <= 0 {
		t.Errorf("the load itself used %v cores", r.Generator.CPUCores)
	}
}

// Ctrl-C gives what there was until then.
func TestInterrupted(t *testing.T) {
	for _, load := range []string{"idle", "fan-out", "chat"} {
		t.Run(load, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := short(load, startService(t))
			cfg.Settings.Duration = time.Hour
			cfg.Progress = func(s Status) {
				if s.Phase == phaseMeasure && s.Done > 0.2 {
					cancel()
				}
			}
			r, err := Run(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Interrupted || r.MeasuredS <= 0 || r.MeasuredS >= time.Hour.Seconds() {
				t.Errorf("interrupted = %t after %v s measured", r.Interrupted, r.MeasuredS)
			}
			r.Interrupted = false
			exact(t, r)
			if load != "idle" && (r.Counted.Published == 0 || r.PublishedPerS == 0) {
				t.Errorf("published %d, %v a second, want some", r.Counted.Published, r.PublishedPerS)
			}
		})
	}
}

func TestInterruptedBeforeAnything(t *testing.T) {
	for _, phase := range []string{"connecting", phaseSettle, phaseWarm} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := short("fan-out", startService(t))
			cfg.Settings.Warmup = time.Hour
			cfg.Progress = func(s Status) {
				if s.Phase == phase {
					cancel()
				}
			}
			if _, err := Run(ctx, cfg); !errors.Is(err, ErrInterrupted) {
				t.Errorf("Run = %v, want %v", err, ErrInterrupted)
			}
		})
	}
}

// The service goes away under the load.
func TestConnectionsThatTheServiceCloses(t *testing.T) {
	t.Parallel()
	var once sync.Once
	broken := make(chan struct{})
	var seen int
	var mu sync.Mutex
	target := throughTamperer(t, startService(t), func(frame, payload []byte) []byte {
		if _, event := findStamp(payload); !event {
			return frame
		}
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == 500 {
			once.Do(func() { close(broken) })
			return append(frame, 0x88, 0x02, 0x10, 0x68) // close with 4200
		}
		return frame
	})
	cfg := short("fan-out", target)
	r := mustRun(t, cfg)
	<-broken
	if r.Connections.Closed != 1 || !slices.ContainsFunc(r.Problems, func(p Problem) bool {
		return p == Problem{"a connection ended: closed by the service with 4200", 1}
	}) {
		t.Errorf("connections = %+v, problems = %v, want one closed with 4200", r.Connections, r.Problems)
	}
	if r.Counted.Lost == 0 {
		t.Error("the connection that was closed has lost nothing")
	}
}
