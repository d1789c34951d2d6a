package local

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A host remembers what was decided. The roster calls it one at a time.
type host struct {
	t *testing.T
	r *Roster

	mu   sync.Mutex
	last roster.DecisionID
	list []string
}

func (h *host) Decide(d roster.Decision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.ID.Log == "" || h.last.Log != "" && d.ID.Log != h.last.Log || d.ID.Number <= h.last.Number {
		h.t.Errorf("decision %v follows %v", d.ID, h.last)
	}
	if d.Of != h.r.ID() {
		h.t.Errorf("decision is of %q, want %q", d.Of, h.r.ID())
	}
	h.last = d.ID
	h.r.Acknowledge(d.Order)
	h.list = append(h.list, strings.TrimSpace(fmt.Sprintln(roster.Kind(d.Member, d.Gone), d.Channel, d.User)))
}

func (h *host) TakeOver(dead node.ID) { h.t.Errorf("took over %q", dead) }
func (h *host) Evicted(next node.ID)  { h.t.Errorf("evicted") }

func (h *host) want(list ...string) {
	h.t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.list, list) {
		h.t.Errorf("decisions = %q, want %q", h.list, list)
	}
}

func (h *host) channel(name string, present bool) {
	h.r.Set(roster.Subject{App: "1", Channel: name}, present, false)
}

func (h *host) member(channel, user string, present bool) {
	h.r.Set(roster.Subject{App: "1", Channel: channel, User: user, Member: true}, present, false)
}

// alone runs a test with a clock of its own.
func alone(t *testing.T, cfg Config, test func(*host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, r: New(cfg)}
		if err := h.r.Start(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		defer h.r.Close(t.Context())
		test(h)
	})
}

func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

const grace = 3 * time.Second

func TestWhoComesBackWasNeverGone(t *testing.T) {
	reg := prometheus.NewRegistry()
	alone(t, Config{Grace: grace, Registerer: reg}, func(h *host) {
		h.channel("news", true)
		h.want("occupied news")
		h.channel("news", false)
		pass(grace - time.Millisecond)
		h.channel("news", true)
		pass(time.Minute)
		h.want("occupied news")
		h.channel("news", false)
		pass(grace - time.Millisecond)
		h.want("occupied news")
		pass(20 * time.Millisecond) // it does not look all the time
		h.want("occupied news", "vacated news")
		h.channel("news", true)
		h.want("occupied news", "vacated news", "occupied news")
	})
	if got := counted(t, reg, "belfry_roster_debounced_total"); got != 1 {
		t.Errorf("%v were debounced, want 1", got)
	}
	if got := counted(t, reg, "belfry_roster_decisions_total"); got != 3 {
		t.Errorf("%v decisions were counted, want 3", got)
	}
}

// counted returns the sum of a counter over its labels.
func counted(t *testing.T, g prometheus.Gatherer, name string) (sum float64) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestMembersGoBeforeTheirChannel(t *testing.T) {
	alone(t, Config{Grace: grace}, func(h *host) {
		h.channel("presence-a", true)
		h.member("presence-a", "1", true)
		h.member("presence-a", "", true) // a user whose id is empty
		came := []string{"occupied presence-a", "added presence-a 1", "added presence-a"}
		h.want(came...)
		h.member("presence-a", "", false)
		h.member("presence-a", "1", false)
		h.channel("presence-a", false)
		pass(time.Minute)
		h.want(append(came, "removed presence-a", "removed presence-a 1", "vacated presence-a")...)
	})
}

func TestWithoutGrace(t *testing.T) {
	alone(t, Config{}, func(h *host) {
		for range 2 {
			h.channel("news", true)
			h.channel("news", false)
		}
		h.want("occupied news", "vacated news", "occupied news", "vacated news")
	})
}

func TestQuietIsNoNews(t *testing.T) {
	alone(t, Config{Grace: grace}, func(h *host) {
		news := roster.Subject{App: "1", Channel: "news"}
		h.r.Set(news, true, true)
		h.want()
		h.r.Set(news, false, false)
		h.r.Set(news, false, true) // nobody asks about it any more
		pass(time.Minute)
		h.want()
		h.r.Set(news, true, true)
		h.r.Set(news, false, false)
		pass(time.Minute)
		h.want("vacated news")
	})
}

func TestDrainingNodeDecidesNoEnd(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want []string
	}{
		"forgotten":               {Config{Grace: grace}, nil},
		"told":                    {Config{Grace: grace, TellOnClose: true}, []string{"vacated before", "vacated after"}},
		"forgotten without grace": {Config{}, []string{"vacated before"}},
		"told without grace":      {Config{TellOnClose: true}, []string{"vacated before", "vacated after"}},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, c.cfg, func(h *host) {
				for _, name := range []string{"before", "back", "after"} {
					h.r.Set(roster.Subject{App: "1", Channel: name}, true, true)
				}
				h.channel("before", false)
				h.r.Drain()
				h.channel("back", false)
				h.channel("after", false)
				pass(time.Minute)
				h.channel("back", true)
				if c.cfg.Grace > 0 {
					h.want()
				}
				h.r.Close(t.Context())
				h.want(c.want...)
				h.channel("late", true)
				h.want(c.want...)
			})
		})
	}
}

// Many that come and go leave nothing behind.
func TestManyComeAndGo(t *testing.T) {
	alone(t, Config{Grace: grace}, func(h *host) {
		for i := range 5000 {
			name := fmt.Sprint("channel-", i)
			h.r.Set(roster.Subject{App: "1", Channel: name}, false, false)
			if i%3 > 0 {
				h.channel(name, true)
			}
			time.Sleep(time.Millisecond)
		}
		pass(time.Minute)
		if got, want := len(h.list), 1667; got != want {
			t.Errorf("%d decisions, want %d", got, want)
		}
		if n := h.r.waiting(); n != 0 {
			t.Errorf("%v waits are left", n)
		}
	})
}
