package config

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestNeedRestart(t *testing.T) {
	running := load(t, inFile(t, "drain_timeout: 30s\nlisten: 127.0.0.1:1\n"))
	for text, want := range map[string][]string{
		"drain_timeout: 30000ms\nlisten: 127.0.0.1:1\n":                                         nil,
		"drain_timeout: 1s\nlisten: 127.0.0.1:1\nlog: {level: debug}\nmax_connections: 5":       nil,
		"drain_timeout: 30s\nlisten: 127.0.0.1:1\napps: [{id: 1, keys: [{key: k, secret: s}]}]": nil,
		"listen: 127.0.0.1:2\ndata_dir: x\ntrusted_proxies: [10.0.0.0/8]\nadmin: {token: 0123456789abcdef}": {
			"listen", "data_dir", "trusted_proxies", "admin.token"},
	} {
		if got := running.NeedRestart(load(t, inFile(t, text))); !slices.Equal(got, want) {
			t.Errorf("%q: NeedRestart = %q, want %q", text, got, want)
		}
	}
	for _, name := range live {
		if !slices.ContainsFunc(running.given, func(g given) bool { return g.name == name }) {
			t.Errorf("%s is live and no setting", name)
		}
	}
}

func TestWatch(t *testing.T) {
	name := filepath.Join(t.TempDir(), "belfry.yaml")
	write := func(text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("1", time.Unix(1, 0))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var calls atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			Watch(ctx, name, func() { calls.Add(1) })
		}()
		expect := func(what string, want int64) {
			t.Helper()
			time.Sleep(3 * watchInterval)
			synctest.Wait()
			if calls := calls.Load(); calls != want {
				t.Errorf("%s: %d calls, want %d", what, calls, want)
			}
		}
		time.Sleep(watchInterval / 2) // change the file between looks at it, never during one
		expect("nothing happened", 0)
		write("2", time.Unix(2, 0))
		expect("another time", 1)
		write("22", time.Unix(2, 0))
		expect("another size", 2)
		for i := range 5 { // written all the time
			write("3", time.Unix(int64(3+i), 0))
			time.Sleep(watchInterval)
		}
		synctest.Wait()
		if calls := calls.Load(); calls != 2 {
			t.Errorf("a file that is being written: %d calls, want 2", calls)
		}
		expect("written at last", 3)
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		expect("gone", 3)
		write("4", time.Unix(8, 0))
		expect("there again", 4)
		cancel()
		<-done
	})
}

func TestReplacedFileIsAnother(t *testing.T) {
	dir := t.TempDir()
	name, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, file := range []string{name, other} {
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	before := stampOf(name)
	if !before.same(stampOf(name)) {
		t.Error("a file differs from itself")
	}
	if err := os.Rename(other, name); err != nil {
		t.Fatal(err)
	}
	if before.same(stampOf(name)) {
		t.Error("a file that was replaced is the same")
	}
	if before.same(stampOf(other)) || !stampOf(other).same(stampOf(other)) {
		t.Error("a file that is gone is the same")
	}
}
