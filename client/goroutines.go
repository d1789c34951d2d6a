package client

import (
	"sync"
	"sync/atomic"
)

// goroutines are those of a client. It waits for them before it says that it
// is done.
type goroutines struct {
	last func()        // immutable; called once all others have ended
	done chan struct{} // closed after that

	closed atomic.Bool // nothing is started any more; written under mu

	mu sync.Mutex
	// Guarded by mu.
	running int
}

// start runs f, unless the client is closed.
func (g *goroutines) start(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed.Load() {
		return false
	}
	g.running++
	go func() {
		defer g.ended()
		f()
	}()
	return true
}

// ended says that one of them has.
func (g *goroutines) ended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.finishLocked()
}

// close says that nothing is to be started any more.
func (g *goroutines) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed.Swap(true) {
		g.finishLocked()
	}
}

// finishLocked ends the last goroutine, if nothing else is left.
func (g *goroutines) finishLocked() {
	if g.closed.Load() && g.running == 0 {
		go func() {
			defer close(g.done)
			g.last()
		}()
	}
}
