package service

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// An Output is what a process writes, as far as it has. It is safe for concurrent
// use. Its zero value is empty.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed when there is more; nil: nobody waits
}

// Write implements [io.Writer].
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(b)
}

// String returns all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Await waits until a text was written. The test fails if that takes longer than
// Patience.
func (o *Output) Await(t testing.TB, want string) {
	t.Helper()
	late := time.After(Patience)
	for {
		text, more := o.look()
		if strings.Contains(text, want) {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("the program did not write %q, but\n%s", want, text)
		}
	}
}

func (o *Output) look() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

// AwaitListening waits until connections are taken at all TCP addresses. The test
// fails if that takes longer than Patience.
func AwaitListening(t testing.TB, addresses ...string) {
	t.Helper()
	late := time.After(Patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for _, address := range addresses {
		for {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case <-again.C:
			case <-late:
				t.Fatalf("nobody listens on %s: %v", address, err)
			}
		}
	}
}
