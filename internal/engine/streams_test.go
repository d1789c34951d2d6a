package engine

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestStreamThatIsThereIsKnownAgain(t *testing.T) {
	e := open(t, Config{DataDir: t.TempDir()})
	for name, cfg := range map[string]jetstream.StreamConfig{
		"little": {Name: "little", Subjects: []string{"a"}},
		"much": {
			Name: "much", Description: "d", Subjects: []string{"b.>", "c"}, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
			DiscardNewPerSubject: true, MaxMsgsPerSubject: 1, MaxBytes: 1 << 20, MaxAge: time.Hour, Duplicates: time.Minute,
			AllowRollup: true, AllowDirect: true, DenyDelete: true, AllowMsgTTL: true, Compression: jetstream.S2Compression,
		},
	} {
		s, err := e.Stream(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		have := s.CachedInfo().Config
		if !sameStream(have, cfg) {
			t.Errorf("%s: %+v is not taken for %+v", name, have, cfg)
		}
		for what, change := range map[string]func(*jetstream.StreamConfig){
			"subjects": func(c *jetstream.StreamConfig) { c.Subjects = []string{"z"} },
			"age":      func(c *jetstream.StreamConfig) { c.MaxAge += time.Hour },
			"bytes":    func(c *jetstream.StreamConfig) { c.MaxBytes += 1 << 20 },
			"direct":   func(c *jetstream.StreamConfig) { c.AllowDirect = !c.AllowDirect },
		} {
			other := cfg
			change(&other)
			if sameStream(have, other) {
				t.Errorf("%s: other %s are not noticed", name, what)
			}
		}
	}
}

func TestStreamBecomesWhatIsAskedFor(t *testing.T) {
	e := open(t, Config{DataDir: t.TempDir()})
	cfg := jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}}
	for _, subjects := range [][]string{{"s"}, {"s", "t"}} {
		cfg.Subjects = subjects
		s, err := e.Stream(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo().Config.Subjects; len(got) != len(subjects) {
			t.Errorf("subjects = %v, want %v", got, subjects)
		}
	}
	if _, err := e.Stream(t.Context(), jetstream.StreamConfig{Name: "other", Subjects: []string{"s"}}); err == nil {
		t.Error("a stream takes the subjects of another")
	}
}

func TestBucketThatIsThereIsKnownAgain(t *testing.T) {
	e := open(t, Config{DataDir: t.TempDir()})
	for name, cfg := range map[string]jetstream.KeyValueConfig{
		"little": {Bucket: "little"},
		"much":   {Bucket: "much", Description: "d", History: 3, TTL: time.Hour, MaxBytes: 1 << 20, MaxValueSize: 1 << 10, Compression: true, LimitMarkerTTL: time.Minute},
	} {
		if _, err := e.Bucket(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		s, err := e.JetStream().Stream(t.Context(), bucketStream+cfg.Bucket)
		if err != nil {
			t.Fatal(err)
		}
		have := s.CachedInfo().Config
		if !sameBucket(have, cfg) {
			t.Errorf("%s: %+v is not taken for %+v", name, have, cfg)
		}
		cfg.TTL += time.Hour
		if sameBucket(have, cfg) {
			t.Errorf("%s: another age is not noticed", name)
		}
	}
}

// All nodes make their streams when they start.
func TestNodesMakeStreamsAtOnce(t *testing.T) {
	list := sites(t, 3)
	start(t, list...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := make(chan error)
	names := []string{"a", "b", "c", "d"}
	for _, s := range list {
		go func() {
			for _, name := range names {
				stream, err := s.engine.Stream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}})
				if err == nil {
					_, err = stream.GetMsg(ctx, 1)
				}
				errs <- err
			}
		}()
	}
	for range len(list) * len(names) {
		if err := <-errs; err != jetstream.ErrMsgNotFound {
			t.Errorf("Stream and GetMsg of an empty stream = %v", err)
		}
	}
	for _, name := range names {
		copiesOf(t, list[0], name, 3)
	}
}
