package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// smallDisk returns a directory on a file system of its own.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		if errors.Is(err, os.ErrPermission) {
			t.Skip("a file system of its own can only be mounted by root")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// ballast takes space away until it is removed.
func ballast(t *testing.T, dir string, size int) (remove func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

func stream(t *testing.T, e *Engine) jetstream.Stream {
	t.Helper()
	s, err := e.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}, Storage: e.Storage()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNearlyFullDiskIsNotWritable(t *testing.T) {
	dir := smallDisk(t, 16<<20)
	e := open(t, Config{DataDir: dir, MinFree: 4 << 20})
	if err := e.Writable(); err != nil {
		t.Fatalf("Writable() = %v at first", err)
	}
	remove := ballast(t, dir, 14<<20)
	untilSo(t, "the disk counts as full", func() bool { return errors.Is(e.Writable(), ErrDiskFull) })
	remove()
	untilSo(t, "the disk has room again", func() bool { return e.Writable() == nil })
}

// A disk that is really full makes JetStream stop. Once there is room, the
// engine works again, with everything that was acknowledged.
func TestFullDiskIsRecoveredFrom(t *testing.T) {
	dir := smallDisk(t, 16<<20)
	e := open(t, Config{DataDir: dir, MinFree: 1 << 10})
	s := stream(t, e)
	remove := ballast(t, dir, 12<<20)
	body, acknowledged := make([]byte, 10<<10), uint64(0)
	publish := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.JetStream().Publish(ctx, "s", body)
		return err
	}
	refused := 0
	for range 1000 {
		if publish() != nil {
			if refused++; refused == 3 {
				break
			}
			continue
		}
		acknowledged++
	}
	if refused == 0 {
		t.Fatalf("%d messages of 10 KB went onto a disk with 4 MB", acknowledged)
	}
	untilSo(t, "the engine says that it can not be used", func() bool { return e.Err() != nil })
	remove()
	untilSo(t, "the engine can be used again", func() bool {
		return publish() == nil && e.Err() == nil
	})
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs < acknowledged+1 {
		t.Errorf("%d messages are there, want the %d that were acknowledged before and one after", info.State.Msgs, acknowledged)
	}
}

// A node whose disk is full does not take the others down, and has everything
// once there is room.
func TestFullDiskOfOneNode(t *testing.T) {
	list := sites(t, 3)
	list[0].cfg.DataDir = smallDisk(t, 48<<20)
	list[0].cfg.MinFree = 1 << 10
	start(t, list...)
	s := list[1].engine
	if _, err := s.Stream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	copiesOf(t, list[1], "s", 3)
	remove := ballast(t, list[0].cfg.DataDir, 44<<20)
	body, acknowledged := make([]byte, 10<<10), uint64(0)
	publish := func(from *site) bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := from.engine.JetStream().Publish(ctx, "s", body)
		if err == nil {
			acknowledged++
		}
		return err == nil
	}
	for range 1000 { // 10 MB, more than there is room for
		untilSo(t, "others write", func() bool { return publish(list[1]) })
	}
	untilSo(t, "the node says that it can not be used", func() bool { return list[0].engine.Err() != nil })
	for _, from := range list[1:] {
		if err := from.engine.Writable(); err != nil {
			t.Errorf("Writable() of %s = %v", from.cfg.Cluster.Name, err)
		}
		untilSo(t, "others write while it is full", func() bool { return publish(from) })
	}
	remove()
	untilSo(t, "the node can be used again", func() bool { return list[0].engine.Err() == nil })
	copiesOf(t, list[1], "s", 3)
	untilSo(t, "the node writes again", func() bool { return publish(list[0]) })
	stream, err := list[0].engine.JetStream().Stream(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n < acknowledged {
		t.Errorf("%d messages are there, want the %d that were acknowledged", n, acknowledged)
	}
}

// TestStartOnAFullDiskWaitsForRoom, and says why: a server that is alone, one
// of a cluster, and a stream that is made.
func TestStartOnAFullDiskWaitsForRoom(t *testing.T) {
	for name, cluster := range map[string]bool{"alone": false, "cluster": true} {
		t.Run(name, func(t *testing.T) {
			dir := smallDisk(t, 16<<20)
			list := sites(t, 2)
			s := list[0]
			s.cfg.DataDir, s.cfg.MinFree = dir, 4<<20
			if !cluster {
				s.cfg.Cluster, list = Cluster{}, list[:1]
			}
			start(t, list...)
			s.stop(t)
			remove := fill(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			e, err := Open(ctx, s.cfg)
			if err == nil { // a server that is alone may need to write nothing
				s.engine = e
				if _, err = e.Stream(ctx, jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}}); err == nil {
					t.Fatal("a stream was made on a full disk")
				}
				s.stop(t)
			}
			if !errors.Is(err, ErrDiskFull) || !strings.Contains(s.log.String(), "full") {
				t.Errorf("on a full disk the error is %v, want %v, and a word in the log", err, ErrDiskFull)
			}
			go func() {
				time.Sleep(time.Second) // the server starts meanwhile, and says nothing while it waits for room
				remove()
			}()
			start(t, s)
			if _, err := s.engine.Stream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}}); err != nil {
				t.Errorf("when there is room again: %v", err)
			}
		})
	}
}

// fill takes all space away until it is given back.
func fill(t *testing.T, dir string) (remove func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2]
		}
	}
	return func() { os.Remove(name) }
}
