package engine

import (
	"context"
	"fmt"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// sayFull is how often it is said that a start waits for room.
const sayFull = 30 * time.Second

// startWithRoom starts the embedded server. While it can not because the disk is
// full, it says so, and tries again when there is room, until ctx ends.
func (e *Engine) startWithRoom(ctx context.Context) (*natsserver.Server, error) {
	for {
		s, err := e.startServer()
		if _, full := e.lacksRoom(); err == nil || !full {
			return s, err
		}
		if err := e.awaitRoom(ctx, err); err != nil {
			return nil, err
		}
	}
}

// awaitRoom waits until there is room, or ctx ends. The cause is what went
// wrong without.
func (e *Engine) awaitRoom(ctx context.Context, cause error) error {
	look, say := time.NewTicker(lookInterval), time.NewTicker(sayFull)
	defer look.Stop()
	defer say.Stop()
	for tell := true; ; {
		free, full := e.lacksRoom()
		if !full {
			return nil
		}
		if tell {
			e.log.Error("the disk is full, and the engine waits for room", "dir", e.dir(), "free", free, "min_free", e.cfg.MinFree, "err", cause)
		}
		select {
		case <-look.C:
			tell = false
		case <-say.C:
			tell = true
		case <-ctx.Done():
			return fmt.Errorf("%w: %s has %d bytes free, and %d are wanted: %w", ErrDiskFull, e.dir(), free, e.cfg.MinFree, cause)
		}
	}
}

// lacksRoom reports how much is free where the engine keeps its data, and
// whether that is too little.
func (e *Engine) lacksRoom() (free int64, full bool) {
	if !e.onDisk() {
		return 0, false
	}
	free, err := freeSpace(e.dir())
	return free, err == nil && free < e.cfg.MinFree
}
