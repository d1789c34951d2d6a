package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// jobsEach is how many jobs a node has when it stops being alone. It is more
// than two batches.
const jobsEach = 600

// lives fills a data directory as a node does that is alone, with one job that
// is done and a key that is deleted.
func lives(t *testing.T, s *site, own string) {
	t.Helper()
	alone := open(t, Config{DataDir: s.cfg.DataDir})
	kv, err := alone.KeyValue(t.Context(), "apps")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"shared", own, "gone"} {
		if _, err := kv.PutString(t.Context(), key, "value of "+own); err != nil {
			t.Fatal(err)
		}
	}
	if err := kv.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	jobs, err := alone.Stream(t.Context(), jetstream.StreamConfig{Name: "jobs", Subjects: []string{"jobs.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for range jobsEach {
		if _, err := alone.JetStream().Publish(t.Context(), "jobs."+own, []byte("do it")); err != nil {
			t.Fatal(err)
		}
	}
	if err := jobs.DeleteMsg(t.Context(), jobsEach/2); err != nil {
		t.Fatal(err)
	}
	if err := alone.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// has waits until a node has what both nodes have kept.
func has(t *testing.T, s *site) {
	t.Helper()
	reads(t, s, "first", "second")
	kv := bucket(t, s)
	if e, err := kv.Get(t.Context(), "shared"); err != nil || !strings.HasPrefix(string(e.Value()), "value of ") {
		t.Errorf("Get of a key that both nodes had = %v, %v", e, err)
	}
	if _, err := kv.Get(t.Context(), "gone"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("Get of a key that was deleted = %v", err)
	}
	jobs, err := s.engine.JetStream().Stream(t.Context(), "jobs")
	if err != nil {
		t.Fatal(err)
	}
	info, err := jobs.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"first", "second"} {
		if n := info.State.Subjects["jobs."+own]; n != jobsEach-1 {
			t.Errorf("%d jobs of the %s node are there, want %d", n, own, jobsEach-1)
		}
	}
}

// What nodes have kept while they were alone comes into the cluster.
func TestAloneBecomesClustered(t *testing.T) {
	list := sites(t, 2)
	lives(t, list[0], "first")
	lives(t, list[1], "second")
	start(t, list...)
	for _, s := range list {
		has(t, s)
		if _, err := os.Stat(filepath.Join(s.cfg.DataDir, directory)); err == nil {
			t.Error("the old directory is still there")
		}
	}

	// As if the process had ended when all was copied, or nearly.
	imported, old := filepath.Join(list[0].cfg.DataDir, takenOver), filepath.Join(list[0].cfg.DataDir, directory)
	for _, progress := range []string{"", `{"jobs": 400}`} {
		list[0].stop(t)
		if err := os.Rename(imported, old); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(old, progressFile), []byte(progress), 0o600); err != nil {
			t.Fatal(err)
		}
		if progress == "" {
			if err := os.Remove(filepath.Join(old, progressFile)); err != nil {
				t.Fatal(err)
			}
		}
		start(t, list[0])
		has(t, list[0])
	}
}

func TestClusteredDirectoryIsNotUsedAlone(t *testing.T) {
	list := sites(t, 2)
	start(t, list...)
	list[0].stop(t)
	alone := list[0].cfg
	alone.Cluster = Cluster{}
	e, err := Open(t.Context(), alone)
	if err == nil {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "a node of a cluster") {
		t.Errorf("Open = %v, want that it refuses", err)
	}
}
