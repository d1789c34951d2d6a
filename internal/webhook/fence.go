package webhook

import (
	"sync"
	"time"
)

// fencePoll is how often a node that may have been given up looks whether it
// is.
const fencePoll = 100 * time.Millisecond

// A fence keeps a node from acting while the others may have given it up: it
// was cut off from them, or has slept, and somebody else may do its work.
type fence struct {
	current func() bool // roster.Roster.Current

	mu      sync.Mutex
	open    chan struct{} // closed when the node may act again; nil while nobody waits
	quit    chan struct{}
	polling sync.WaitGroup
}

func newFence(current func() bool) *fence {
	return &fence{current: current, quit: make(chan struct{})}
}

// shut returns nil if the node may act, or else what to wait for. However many
// wait, one goroutine looks.
func (f *fence) shut() <-chan struct{} {
	if f.current() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open = make(chan struct{})
		f.polling.Go(f.poll)
	}
	return f.open
}

func (f *fence) poll() {
	ticker := time.NewTicker(fencePoll)
	defer ticker.Stop()
	for !f.current() {
		select {
		case <-ticker.C:
		case <-f.quit:
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.open)
	f.open = nil
}

// stop ends it when nobody asks any more.
func (f *fence) stop() {
	close(f.quit)
	f.polling.Wait()
}
