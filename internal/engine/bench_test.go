package engine

import (
	"context"
	"testing"
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
