package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
)

// While the disk is full, events wait and the app is held back; then
// everything comes, in order.
func TestFullDiskHoldsTheAppBack(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=33554432"); errors.Is(err, os.ErrPermission) {
		t.Skip("a file system of its own can only be mounted by root")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	e, err := engine.Open(t.Context(), engine.Config{DataDir: dir, MinFree: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the disk counts as full", func() bool { return e.Writable() != nil })

	const events = 2000
	g, y := &gate{}, newTally(t, events)
	r := receive(t, func(_ int, d arrival) int { y.take(d); return http.StatusOK })
	app := newApp("1", apps.Webhook{URL: r.url, Events: everything, Batch: true})
	s := start(t, Config{Apps: registry(t, app), Engine: e, Gate: g, MaxPending: 1000})
	for i := range events {
		s.Observe(app, clientEvent(fmt.Sprintf("private-%d", i%7), strconv.Itoa(i/7)))
	}
	if len(g.heldApps()) != 1 {
		t.Error("the app is not held back")
	}
	if pending := s.recorder.pending(); pending != events {
		t.Errorf("%d events wait, want all", pending)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	y.await()
	until(t, "the app is released", func() bool { return len(g.heldApps()) == 0 })
}
