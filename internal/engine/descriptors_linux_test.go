package engine

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A text is a log that is written and read by several goroutines.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// withoutDescriptors lets this process open nothing more until the returned
// function is called.
func withoutDescriptors(t *testing.T) (back func()) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := syscall.Rlimit{Cur: 3, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	back = sync.OnceFunc(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(back)
	return back
}

// soon is less than the server itself takes to find out that it has not
// started.
const soon = startTimeout / 2

func TestEngineIsBackAsSoonAsThereAreDescriptorsAgain(t *testing.T) {
	log := new(text)
	e := open(t, Config{DataDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil))})
	kv, err := e.KeyValue(t.Context(), "apps")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "1", "shop"); err != nil {
		t.Fatal(err)
	}

	back := withoutDescriptors(t)
	e.broken.Store(true) // as the server says after a write that failed
	until(t, "the log says what is missing", func() bool { return strings.Contains(log.String(), "too many open files") })
	if err := e.Err(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Err() without descriptors = %v, want %v", err, ErrUnavailable)
	}
	e.restart() // what a lack that begins in that moment comes to
	back()

	until(t, "the engine is back", func() bool { return e.Err() == nil })
	entry, err := kv.Get(t.Context(), "1")
	if err != nil || string(entry.Value()) != "shop" {
		t.Errorf("Get afterwards = %v, %v, want shop", entry, err)
	}
	if _, err := kv.PutString(t.Context(), "2", "shop"); err != nil {
		t.Errorf("Put afterwards: %v", err)
	}
	if strings.Contains(log.String(), `err="engine: the embedded server did not start: Can't start JetStream: storage directory is not writable"`) {
		t.Errorf("the log blames the directory:\n%s", log)
	}
}

// until waits for what takes a moment, and no longer than soon.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after %v: %s", soon, what)
		}
	}
}
