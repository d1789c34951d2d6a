package engine

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestNodesThatLostTheirDirectoriesTakeWhatTheSurvivorHas, also if one of them
// has led before.
func TestNodesThatLostTheirDirectoriesTakeWhatTheSurvivorHas(t *testing.T) {
	list := sites(t, 3)
	start(t, list...)
	const written = 50
	stream, err := list[0].engine.Stream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range written {
		if _, err := list[0].engine.JetStream().Publish(t.Context(), "s", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	var info *jetstream.StreamInfo
	untilSo(t, "all copies have everything", func() bool {
		info, err = stream.Info(t.Context())
		return err == nil && len(info.Cluster.Replicas) == 2 && !slices.ContainsFunc(info.Cluster.Replicas, func(r *jetstream.PeerInfo) bool {
			return !r.Current || r.Lag > 0
		})
	})
	if info.Config.Metadata[settledMark] == "" {
		t.Error("the server knows who was to lead the stream first")
	}
	var survivor *site
	var lost []*site
	for _, s := range list {
		if survivor == nil && s.cfg.Cluster.Name != info.Cluster.Leader {
			survivor = s
			continue
		}
		lost = append(lost, s)
	}
	for _, s := range lost {
		s.stop(t)
		if err := os.RemoveAll(s.cfg.DataDir); err != nil {
			t.Fatal(err)
		}
	}
	start(t, lost...)
	for _, s := range append(lost, survivor) {
		untilSo(t, s.cfg.Cluster.Name+" is led by one that has everything", func() bool {
			stream, err := s.engine.JetStream().Stream(t.Context(), "s")
			return err == nil && Led(stream.CachedInfo()) == nil && stream.CachedInfo().State.Msgs == written
		})
		if last, err := s.engine.Last(t.Context(), "s"); err != nil || last != written {
			t.Errorf("Last on %s = %d, %v, want %d", s.cfg.Cluster.Name, last, err, written)
		}
	}
}
