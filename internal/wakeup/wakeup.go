// Package wakeup tells a goroutine that there is something to do. What there is
// to do stands elsewhere, under a lock of its own: a [Signal] only says look.
package wakeup

// A Signal is set by whoever has left something to do, and received from by
// the one goroutine that does it. Set while it is set already it stays as it
// is, because one look finds everything. Make one with [New].
type Signal chan struct{}

// New returns a signal that is not set.
func New() Signal { return make(Signal, 1) }

// Set sets the signal. It never blocks, and is safe for concurrent use.
func (s Signal) Set() {
	select {
	case s <- struct{}{}:
	default: // the goroutine will look anyway
	}
}
