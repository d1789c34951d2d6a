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
// it fell silent, and no other; it counts again as soon as it is heard.
func TestSilentPeers(t *testing.T) {
	var c *cluster
	paused := node.NewID()
	peers := func(cfg *Config) {
		own := cfg.Peers
		cfg.Peers = func() []node.ID { return append([]node.ID{paused}, own()...) }
	}
	run(t, 3, peers, func(of *cluster) {
		c = of
		if got, took := c.find(has); got != c.ids[2] || took != 0 {
			t.Errorf("Find = %s after %v, want the peer that has it at once", got, took)
		}
		if got, took := c.find("gone"); got != "" || took != DefaultFindWait {
			t.Errorf("Find = %s after %v, want nobody after %v", got, took, DefaultFindWait)
		}
		if got, took := c.find("gone"); got != "" || took != muteWait {
			t.Errorf("Find = %s after %v, want nobody after %v", got, took, muteWait)
		}
		// It speaks again, although too late for any question.
		if err := c.conns[1].Publish(c.front().subject("found", c.ids[0]), appendFound(nil, paused, 1, true)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, took := c.find("gone"); took != DefaultFindWait {
			t.Errorf("Find took %v, want %v", took, DefaultFindWait)
		}
	})
}

func TestFindIsBounded(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.conns[1].Close()
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
		c.conns[1].Close()
		if got, took := c.find(string(make([]byte, maxSession+1))); got != "" || took != 0 {
			t.Errorf("Find = %s after %v, want nobody at once", got, took)
		}
	})
}
