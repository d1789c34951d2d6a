package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// find asks the first relay, and returns who has the session and how long it
// took to know.
func (c *cluster) find(session string) (node.ID, time.Duration) {
	c.t.Helper()
	start := time.Now()
	to, ok := c.front().Find(c.t.Context(), session)
	if ok != (to != "") {
		c.t.Errorf("Find = %q, %t", to, ok)
	}
	return to, time.Since(start)
}

func (f *finds) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.questions)
}

func TestFind(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		run(t, n, nil, func(c *cluster) {
			for session, want := range map[string]node.ID{has: c.ids[n-1], "gone": "", "": ""} {
				if n == 1 {
					want = "" // who has it does not ask others
				}
				if got, took := c.find(session); got != want || took != 0 {
					t.Errorf("Find(%q) = %s after %v, want %s at once", session, got, took, want)
				}
			}
			if n := c.front().finds.count(); n != 0 {
				t.Errorf("%d questions are left", n)
			}
		})
	}
}

// TestSilentPeers: a peer that does not answer delays the question during which
// it fell silent, and no other; it counts again as soon as it answers.
func TestSilentPeers(t *testing.T) {
	run(t, 3, nil, func(c *cluster) {
		c.network.Cut(name(0), name(1))
		if got, took := c.find(has); got != c.ids[2] || took != 0 {
			t.Errorf("Find = %s after %v, want the peer that has it at once", got, took)
		}
		if got, took := c.find("gone"); got != "" || took != DefaultFindWait {
			t.Errorf("Find = %s after %v, want nobody after %v", got, took, DefaultFindWait)
		}
		if got, took := c.find("gone"); got != "" || took != muteWait {
			t.Errorf("Find = %s after %v, want nobody after %v", got, took, muteWait)
		}
		// It answers again, although too late for any question.
		c.network.Heal(name(0), name(1))
		time.Sleep(2 * beat)
		c.network.Cut(name(0), name(1))
		if _, took := c.find("gone"); took != DefaultFindWait {
			t.Errorf("Find took %v, want %v", took, DefaultFindWait)
		}
	})
}

// TestSuspectedPeersAreNotAsked: nor is one waited for that dies meanwhile.
func TestSuspectedPeersAreNotAsked(t *testing.T) {
	patient := func(cfg *Config) { cfg.FindWait = time.Minute }
	run(t, 3, patient, func(c *cluster) {
		c.cut(1)
		time.Sleep(lease + beat)
		if got, took := c.find("gone"); got != "" || took != 0 {
			t.Errorf("Find = %s after %v, want nobody at once", got, took)
		}
		for j := range 3 {
			c.network.Heal(name(1), name(j))
		}
		time.Sleep(2 * beat)
		if got := len(c.front().reachable()); got != 2 {
			t.Errorf("%d peers are asked after the one is heard again, want 2", got)
		}
		c.cut(1)
		if got, took := c.find("gone"); got != "" || took == 0 || took > lease+2*beat {
			t.Errorf("Find = %s after %v, want nobody when the peer is suspected", got, took)
		}
	})
}

func TestFindIsBounded(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.cut(1)
		for range maxQuestions {
			go c.front().Find(c.t.Context(), "gone")
		}
		synctest.Wait()
		if got, took := c.find("gone"); got != "" || took != 0 {
			t.Errorf("Find = %s after %v, want nobody at once", got, took)
		}
		time.Sleep(2 * DefaultFindWait)
		if n := c.front().finds.count(); n != 0 {
			t.Errorf("%d questions are left", n)
		}
	})
}

func TestLongSessionsAreNotAskedFor(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.cut(1)
		if got, took := c.find(string(make([]byte, maxSession+1))); got != "" || took != 0 {
			t.Errorf("Find = %s after %v, want nobody at once", got, took)
		}
	})
}
