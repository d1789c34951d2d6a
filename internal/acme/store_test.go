package acme

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/natstest"
)

const patience = 30 * time.Second

// stores are those of nodes that share one stream.
func stores(t *testing.T, n int, lockExpiry time.Duration) []*store {
	t.Helper()
	server := natstest.Start(t, natstest.Kept(natstest.AnyPort, t.TempDir()))
	var list []*store
	for range n {
		conn, err := nats.Connect(server.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		js, err := jetstream.New(conn)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.CreateOrUpdateStream(t.Context(), StreamConfig())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, newStore(js, stream, lockExpiry, slog.New(slog.DiscardHandler)))
	}
	return list
}

func TestStoreIsOneForAllNodes(t *testing.T) {
	ctx := t.Context()
	nodes := stores(t, 2, lockExpiry)
	a, b := nodes[0], nodes[1]
	const crt = "certificates/ca.example-directory/realtime.example.com/realtime.example.com.crt"
	if _, err := b.Load(ctx, crt); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of nothing = %v, want %v", err, fs.ErrNotExist)
	}
	for _, value := range []string{"first", "second"} {
		if err := a.Store(ctx, crt, []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Load(ctx, crt); string(got) != value || err != nil {
			t.Errorf("Load = %q, %v, want %q", got, err, value)
		}
	}
	for _, key := range []string{"certificates/ca.example-directory/a@b/x", "acme/users/*.>/y"} {
		if err := a.Store(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
		if info, err := b.Stat(ctx, key); err != nil || info.Size != int64(len(key)) || !info.IsTerminal || info.Modified.IsZero() {
			t.Errorf("Stat(%q) = %+v, %v", key, info, err)
		}
	}
	expectList(t, b, "certificates/ca.example-directory", false, "certificates/ca.example-directory/a@b", "certificates/ca.example-directory/realtime.example.com")
	expectList(t, b, "acme", true, "acme/users", "acme/users/*.>", "acme/users/*.>/y")
	expectList(t, b, "", false, "acme", "certificates")
	for key, want := range map[string]bool{crt: true, "certificates": true, "certificates/ca": false, "nothing": false} {
		if got := b.Exists(ctx, key); got != want {
			t.Errorf("Exists(%q) = %t, want %t", key, got, want)
		}
	}
	for range 2 { // what is gone can be removed
		if err := b.Delete(ctx, "certificates"); err != nil {
			t.Fatal(err)
		}
	}
	expectList(t, a, "", false, "acme")
	if err := a.Store(ctx, crt, make([]byte, maxFile)); err == nil {
		t.Error("a file above the limit is kept")
	}
}

func expectList(t *testing.T, s *store, folder string, recursive bool, want ...string) {
	t.Helper()
	got, err := s.List(t.Context(), folder, recursive)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("List(%q, %t) (-want +got):\n%s", folder, recursive, diff)
	}
}

// Nodes have a lock one after the other, however many want it.
func TestLockIsHeldByOneNode(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	nodes := stores(t, 3, lockExpiry)
	inside := make(chan int, 1) // has room for one that holds the lock
	done := make(chan error)
	for i, s := range nodes {
		go func() {
			for range 5 {
				if err := s.Lock(ctx, "issue_cert_realtime.example.com"); err != nil {
					done <- err
					return
				}
				select {
				case inside <- i:
				default:
					done <- errors.New("two nodes hold the lock")
					return
				}
				<-inside
				if err := s.Unlock(ctx, "issue_cert_realtime.example.com"); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range nodes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := nodes[0].Unlock(ctx, "never held"); err == nil {
		t.Error("a lock that is not held is given back")
	}
}

// A holder that is gone is waited for until the lock expires; one that lives keeps
// the lock for as long as it wants.
func TestLockOfANodeThatIsGoneIsTaken(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const short = 300 * time.Millisecond
	nodes := stores(t, 2, short)
	a, b := nodes[0], nodes[1]
	if err := a.Lock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(ctx, 4*short)
	defer cancel()
	if err := b.Lock(soon, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of a lock that is renewed = %v, want %v", err, context.DeadlineExceeded)
	}
	if got, err := b.TryLock(ctx, "x"); got || err != nil {
		t.Errorf("TryLock of a lock that is held = %t, %v, want false", got, err)
	}
	a.held["x"].end() // as if the process had been killed
	<-a.held["x"].done
	if err := b.Lock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if err := b.Unlock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if got, err := a.TryLock(ctx, "x"); !got || err != nil {
		t.Errorf("TryLock of a lock that is free = %t, %v, want true", got, err)
	}
	a.close(ctx)
	if got, err := b.TryLock(ctx, "x"); !got || err != nil {
		t.Errorf("TryLock of a lock that was given back = %t, %v, want true", got, err)
	}
	b.close(ctx)
}
