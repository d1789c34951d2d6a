package engine

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// BenchmarkOpen is the time that an engine adds to the start of a node, and
// to its end.
func BenchmarkOpen(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "disk": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e, err := Open(b.Context(), Config{DataDir: dir})
				if err != nil {
					b.Fatal(err)
				}
				if err := e.Close(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReplicatedPublish is how long it takes until three nodes have a
// message on disk, one after the other and many at once.
func BenchmarkReplicatedPublish(b *testing.B) {
	list := sites(b, 3)
	start(b, list...)
	ctx := b.Context()
	if _, err := list[0].engine.Stream(ctx, jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}}); err != nil {
		b.Fatal(err)
	}
	copiesOf(b, list[0], "s", 3)
	js, body := list[0].engine.JetStream(), make([]byte, 200)
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if _, err := js.Publish(ctx, "s", body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("many", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := js.Publish(ctx, "s", body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
