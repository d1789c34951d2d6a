package alerts

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a small disk for the service needs root")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("belfry-test", dir, "tmpfs", 0, "mode=0700,size=192m"); err != nil {
		t.Skipf("no small disk for the service: mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := service.Start(t, service.Config{DataDir: dir})
	l := one(t, s)
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for chunk := make([]byte, 1<<20); ; {
		if _, err := filler.Write(chunk); err != nil {
			break // it is full
		}
	}
	l.Await("belfry_engine_disk_full", Above(0))
	l.Expect("BelfryDiskFull node-1")
}

func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	l := one(t, s)
	s.LimitDescriptors(200)
	for range 170 {
		connect(t, s)
	}
	l.Await("belfry_connections", Above(169))
	l.Expect("BelfryFewDescriptors node-1")
}
