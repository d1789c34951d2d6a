package ws

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/loop"
)

// Of many that are admitted to the last descriptors at once, those are refused
// whose connection would stay on one that is kept back from clients.
func TestClientOnADescriptorThatIsKeptBackIsRefused(t *testing.T) {
	s, h := serve(t, Config{})
	polled := loop.NewGroup(loop.Config{Loops: 1})
	t.Cleanup(func() {
		if err := polled.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	s.server.cfg.Loops = polled
	p, _ := dial(t, h, "/app/key?protocol=7", nil)
	p.expectEstablished()

	limitDescriptors(t)
	p, _ = dial(t, h, "/app/key?protocol=7", nil)
	p.expect(`text {"event":"pusher:error","data":{"code":4100,"message":"Over capacity"}}`, "close 4100 Over capacity")
}

// limitDescriptors leaves clients none until the test's end, and others some.
func limitDescriptors(t *testing.T) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	next := f.Fd()
	f.Close()
	for limit := (unix.Rlimit{Cur: uint64(next), Max: before.Max}); ; limit.Cur++ {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if accept.KeptBack(int(next)) && !accept.KeptBack(int(next)-1) {
			break
		}
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}
