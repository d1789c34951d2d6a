package engine

import "time"

// lookInterval is how often the disk and the server are looked at, and
// brokenInterval how often while the server has to be started again.
const (
	lookInterval   = time.Second
	brokenInterval = 100 * time.Millisecond
)

// supervise looks after the disk, and starts a server again that could not
// write, until the engine is closed.
func (e *Engine) supervise() {
	timer := time.NewTimer(lookInterval)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			e.look()
		case <-e.life.Done():
			return
		}
		if e.broken.Load() {
			timer.Reset(brokenInterval)
		} else {
			timer.Reset(lookInterval)
		}
	}
}

// look finds out whether there is room, and repairs what can be repaired.
func (e *Engine) look() {
	free, err := freeSpace(e.dir())
	if err != nil {
		e.log.Warn("free space of the data directory is unknown", "err", err)
	} else if full := free < e.cfg.MinFree; full != e.full.Swap(full) {
		if full && e.Clustered() {
			e.log.Error("disk is nearly full; this node keeps no copies until there is room, and the other nodes go on", "dir", e.dir(), "free", free, "min_free", e.cfg.MinFree)
		} else if full {
			e.log.Error("disk is nearly full; nothing more is accepted for the engine", "dir", e.dir(), "free", free, "min_free", e.cfg.MinFree)
		} else {
			e.log.Info("disk has room again", "dir", e.dir(), "free", free)
		}
	}
	e.mu.Lock()
	s := e.server
	e.mu.Unlock()
	if e.full.Load() || e.removed.Load() || s != nil && s.JetStreamEnabled() && !e.broken.Load() {
		return
	}
	// Before a file can be made, a new server would not start either, and the
	// old one can at least be read.
	err = writable(e.dir())
	if waits := err != nil; waits != e.waits {
		e.waits = waits
		if waits {
			e.log.Error("the embedded engine can not write; it starts again when it can", "err", err)
		}
	}
	if err == nil {
		e.restart()
	}
}

// restart replaces the embedded server. JetStream does not write again after
// a write has failed, but what it acknowledged is on the disk.
func (e *Engine) restart() {
	e.log.Warn("starting the embedded engine again, because it could not write")
	if err := e.replaceServer(); err != nil {
		e.broken.Store(true)
		e.log.Error("the embedded engine does not start", "err", err)
	}
}
