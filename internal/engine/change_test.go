package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ends reports whether a write is refused or not answered.
func ends(t *testing.T, s *site, kv jetstream.KeyValue) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := kv.PutString(ctx, "nothing", "")
	return err != nil
}

func TestOneOfThreeMayBeAway(t *testing.T) {
	list := sites(t, 3)
	start(t, list...)
	put(t, list[0], "a")
	copies(t, list[0], 3)

	for _, away := range list {
		name := away.cfg.Cluster.Name
		away.stop(t)
		for _, s := range list {
			if s != away {
				put(t, s, "without-"+name+"-on-"+s.cfg.Cluster.Name)
			}
		}
		start(t, away)
		for _, s := range list {
			if s != away {
				reads(t, away, "a", "without-"+name+"-on-"+s.cfg.Cluster.Name)
			}
		}
		copies(t, away, 3)
	}
	members(t, list[0], "node-1", "node-2", "node-3")
}

func TestTwoOfThreeAwayIsNoQuorum(t *testing.T) {
	list := sites(t, 3)
	start(t, list...)
	put(t, list[0], "a")
	copies(t, list[0], 3)
	kv := bucket(t, list[2])
	list[0].stop(t)
	list[1].stop(t)
	untilSo(t, "the last one does not write", func() bool { return ends(t, list[2], kv) })
	untilSo(t, "the last one says so", func() bool { return errors.Is(list[2].engine.Writable(), ErrNoQuorum) })
	if err := list[2].engine.Err(); err != nil {
		t.Errorf("Err() = %v, want nil: clients are served", err)
	}
	if peers, err := list[2].engine.Peers(t.Context()); err != nil || len(peers) != 3 {
		t.Errorf("Peers() = %+v, %v, want all three", peers, err)
	}
	start(t, list[0])
	untilSo(t, "the last one writes again", func() bool { return list[2].engine.Writable() == nil })
	put(t, list[2], "b")
	start(t, list[1])
	for _, s := range list {
		reads(t, s, "a", "b")
	}
}

func TestAllStartAgain(t *testing.T) {
	list := sites(t, 3)
	start(t, list...)
	put(t, list[0], "a")
	copies(t, list[0], 3)
	for _, s := range list {
		s.stop(t)
	}
	start(t, list[2], list[0])
	reads(t, list[0], "a")
	put(t, list[2], "b")
	start(t, list[1])
	reads(t, list[1], "a", "b")
}

func TestAllNodesAreReplaced(t *testing.T) {
	old := sites(t, 3)
	start(t, old...)
	put(t, old[0], "a")
	copies(t, old[0], 3)
	var fresh []*site
	for i, name := range []string{"node-4", "node-5", "node-6"} {
		s := newSite(t, name, old[0].cfg.Cluster.Listen, old[1].cfg.Cluster.Listen, old[2].cfg.Cluster.Listen)
		if i == 2 { // of the first, nothing is left
			s.cfg.Cluster.Join = []string{fresh[0].cfg.Cluster.Listen, old[2].cfg.Cluster.Listen}
		}
		fresh = append(fresh, s)
		start(t, s)
		old[i].stop(t)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := s.engine.Remove(ctx, old[i].cfg.Cluster.Name); err != nil {
			t.Fatal(err)
		}
		cancel()
		put(t, s, "from-"+name)
		copies(t, s, 3)
	}
	for _, s := range fresh {
		members(t, s, "node-4", "node-5", "node-6")
		reads(t, s, "a", "from-node-4", "from-node-5", "from-node-6")
	}
	if err := fresh[0].engine.Remove(t.Context(), "node-1"); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("Remove of a node that is not there = %v, want ErrUnknownPeer", err)
	}
}

func TestNodeThatIsRemovedSaysSo(t *testing.T) {
	list := sites(t, 3)
	start(t, list...)
	if err := list[0].engine.Remove(t.Context(), "node-3"); err != nil {
		t.Fatal(err)
	}
	untilSo(t, "the node knows", func() bool { return errors.Is(list[2].engine.Err(), ErrRemoved) })
	members(t, list[0], "node-1", "node-2")
}

func TestWrongSecretIsRefused(t *testing.T) {
	list := sites(t, 2)
	start(t, list...)
	third := newSite(t, "node-3", list[0].cfg.Cluster.Listen, list[1].cfg.Cluster.Listen)
	third.cfg.Cluster.Secret = "something-else-altogether"
	refused(t, third)
	members(t, list[0], "node-1", "node-2")
}

// refused opens a node that is not let into the cluster of three.
func refused(t *testing.T, s *site) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	e, err := Open(ctx, s.cfg)
	if err == nil {
		s.engine = e
		t.Fatal("the node is part of the cluster")
	}
	if !strings.Contains(err.Error(), "1 of 3 nodes are here and 3 are needed") || strings.Contains(err.Error(), s.cfg.Cluster.Secret) {
		t.Errorf("Open = %v", err)
	}
}

func TestNobodyElseGetsIn(t *testing.T) {
	list := sites(t, 2)
	start(t, list...)
	list[0].engine.mu.Lock()
	url := list[0].engine.server.ClientURL()
	list[0].engine.mu.Unlock()
	for _, option := range []nats.Option{nats.Name("x"), nats.UserInfo(systemUser, ""), nats.UserInfo(clusterUser, testSecret)} {
		if conn, err := nats.Connect(url, option); err == nil {
			conn.Close()
			t.Error("a client from outside is let in")
		}
	}
}

func TestListenerThatIsTaken(t *testing.T) {
	list := sites(t, 2)
	start(t, list...)
	third := newSite(t, "node-3", list[0].cfg.Cluster.Listen)
	third.cfg.Cluster.Listen = list[1].cfg.Cluster.Listen
	if e, err := Open(t.Context(), third.cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		third.engine = e
		t.Errorf("Open = %v, want that the address is in use", err)
	}
}
