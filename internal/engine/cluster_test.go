package engine

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const testSecret = "correct-horse-battery-staple"

// A site is where a node of a test lives, whether it runs or not.
type site struct {
	cfg    Config
	engine *Engine // nil while it does not run
	log    journal
}

// sites makes n of them that join all of them.
func sites(t testing.TB, n int) []*site {
	t.Helper()
	var list []*site
	var join []string
	for i := range n {
		s := newSite(t, fmt.Sprintf("node-%d", i+1))
		list, join = append(list, s), append(join, s.cfg.Cluster.Listen)
	}
	for _, s := range list {
		s.cfg.Cluster.Join = join
	}
	return list
}

func newSite(t testing.TB, name string, join ...string) *site {
	s := &site{cfg: Config{
		DataDir: t.TempDir(),
		Cluster: Cluster{Name: name, Listen: freeAddress(t), Join: join, Secret: testSecret},
	}}
	s.cfg.Log = slog.New(slog.NewTextHandler(&s.log, nil)).With("site", name)
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() || testing.Verbose() {
			t.Logf("log of %s:\n%s", name, &s.log)
		}
		if strings.Contains(s.log.String(), testSecret) {
			t.Error("the log has the secret")
		}
	})
	return s
}

// freeAddress is one where nobody listens at the moment, and that is not one
// of those that connections get by themselves.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// patience is how long anything of a cluster may take on a busy machine.
const patience = 2 * time.Minute

// start starts nodes at the same time and waits until all are ready.
func start(t testing.TB, list ...*site) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range list {
		wg.Go(func() {
			e, err := Open(ctx, s.cfg)
			if err != nil {
				t.Errorf("Open of %s: %v", s.cfg.Cluster.Name, err)
				return
			}
			s.engine = e
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// stop ends a node that may run. It says nothing to the others before.
func (s *site) stop(t testing.TB) {
	t.Helper()
	if s.engine == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.engine.Close(ctx); err != nil {
		t.Errorf("Close of %s: %v", s.cfg.Cluster.Name, err)
	}
	s.engine = nil
}

func bucket(t testing.TB, s *site) jetstream.KeyValue {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	kv, err := s.engine.KeyValue(ctx, "apps")
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// put writes a key, which may take until there is a leader again.
func put(t testing.TB, s *site, key string) {
	t.Helper()
	kv := bucket(t, s)
	untilSo(t, s.cfg.Cluster.Name+" writes "+key, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := kv.PutString(ctx, key, "value of "+key)
		return err == nil
	})
}

// reads waits until a node reads what was written.
func reads(t *testing.T, s *site, keys ...string) {
	t.Helper()
	kv := bucket(t, s)
	for _, key := range keys {
		untilSo(t, s.cfg.Cluster.Name+" reads "+key, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			e, err := kv.Get(ctx, key)
			return err == nil && string(e.Value()) == "value of "+key
		})
	}
}

// members waits until a node sees exactly these, all of them current.
func members(t *testing.T, s *site, names ...string) {
	t.Helper()
	var last []Peer
	defer func() {
		if t.Failed() {
			t.Logf("last peers of %s: %+v", s.cfg.Cluster.Name, last)
		}
	}()
	untilSo(t, fmt.Sprintf("%s sees %v", s.cfg.Cluster.Name, names), func() bool {
		peers, err := s.engine.Peers(t.Context())
		if err != nil {
			return false
		}
		last = peers
		var got []string
		for _, p := range peers {
			if p.Current && !p.Offline && p.Self == (p.Name == s.cfg.Cluster.Name) {
				got = append(got, p.Name)
			}
		}
		return slices.Equal(got, names) && len(peers) == len(names)
	})
}

// copies waits until the bucket has so many copies that have everything,
// copiesOf a stream.
func copies(t testing.TB, s *site, want int) {
	t.Helper()
	copiesOf(t, s, bucketStream+"apps", want)
}

func copiesOf(t testing.TB, s *site, name string, want int) {
	t.Helper()
	untilSo(t, fmt.Sprintf("there are %d copies", want), func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		stream, err := s.engine.JetStream().Stream(ctx, name)
		if err != nil {
			return false
		}
		info := stream.CachedInfo()
		if info.Cluster == nil || info.Cluster.Leader == "" || info.Config.Replicas != want {
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				return false
			}
		}
		return len(info.Cluster.Replicas) == want-1
	})
}

func TestThreeNodesThatJoinEachOther(t *testing.T) {
	list := sites(t, 3)
	begun := time.Now()
	start(t, list...)
	t.Logf("ready after %v", time.Since(begun))
	for _, s := range list {
		members(t, s, "node-1", "node-2", "node-3")
	}
	put(t, list[0], "a")
	copies(t, list[1], 3)
	for _, s := range list {
		reads(t, s, "a")
	}
}

func TestThreeNodesThatJoinOneAfterTheOther(t *testing.T) {
	first := newSite(t, "node-1")
	second := newSite(t, "node-2", first.cfg.Cluster.Listen)
	third := newSite(t, "node-3", first.cfg.Cluster.Listen, second.cfg.Cluster.Listen)
	start(t, first, second)
	put(t, first, "a")
	copies(t, first, 2)
	stop, written := writing(t, second)
	start(t, third) // and the streams get a third copy by themselves
	copies(t, first, 3)
	stop()
	if n := len(*written); n == 0 {
		t.Error("nothing was written meanwhile")
	}
	reads(t, third, append(*written, "a")...)
	members(t, third, "node-1", "node-2", "node-3")
}

// writing writes keys until stop is called, and notes those that the engine
// has acknowledged.
func writing(t *testing.T, s *site) (stop func(), written *[]string) {
	t.Helper()
	kv := bucket(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	written = new([]string)
	go func() {
		defer close(done)
		for n := 0; ctx.Err() == nil; n++ {
			key := fmt.Sprintf("k%d", n)
			if _, err := kv.PutString(ctx, key, "value of "+key); err == nil {
				*written = append(*written, key)
			}
		}
	}()
	return func() { cancel(); <-done }, written
}

// TestWrongSecretIsNamedInTheLog, once and not with every attempt.
func TestWrongSecretIsNamedInTheLog(t *testing.T) {
	list := sites(t, 2)
	list[1].cfg.Cluster.Secret = "another-secret-of-the-cluster"
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	var opening sync.WaitGroup
	for _, s := range list {
		opening.Go(func() {
			if _, err := Open(ctx, s.cfg); err == nil {
				t.Errorf("%s has found a cluster of another secret", s.cfg.Cluster.Name)
			}
		})
	}
	opening.Wait()
	for _, s := range list {
		log := s.log.String()
		if n := strings.Count(log, "cluster.secret"); n == 0 || n > 2 {
			t.Errorf("%s names the setting in %d lines, want one or two:\n%s", s.cfg.Cluster.Name, n, log)
		}
		if strings.Contains(log, "uthoriz") || strings.Contains(log, "authentication") || strings.Contains(log, "another-secret") {
			t.Errorf("%s says it in the server's words as well, or the secret:\n%s", s.cfg.Cluster.Name, log)
		}
	}
}
