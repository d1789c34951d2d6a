package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// directory is the name of the engine's part of the data directory.
const directory = "engine"

const startTimeout = 30 * time.Second

func (e *Engine) dir() string { return filepath.Join(e.cfg.DataDir, directory) }

// startServer starts the embedded server. It listens nowhere.
func (e *Engine) startServer() (*natsserver.Server, error) {
	options := &natsserver.Options{
		ServerName:             "belfry",
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		JetStreamMaxMemory:     e.cfg.MaxMemory,
		JetStreamMaxStore:      e.cfg.MaxStore,
		StoreDir:               e.dir(),
		// Every acknowledged write is on the disk. What writes much has to
		// put much into each write.
		SyncAlways: true,
	}
	if e.cfg.DataDir == "" {
		// Streams in memory write nothing, but the server wants a place.
		dir, err := os.MkdirTemp("", "belfry-engine-")
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		defer os.RemoveAll(dir)
		options.StoreDir = dir
	}
	s, err := natsserver.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	l := &serverLog{engine: e}
	s.SetLoggerV2(l, false, false, false)
	s.Start()
	if !s.ReadyForConnections(startTimeout) || !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("engine: the embedded server did not start: %s", l.fatal())
	}
	e.broken.Store(false)
	return s, nil
}

// InProcessConn is how the client library reaches the embedded server, at
// first and whenever it has to connect again.
func (e *Engine) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	s := e.server
	e.mu.Unlock()
	if s == nil {
		return nil, ErrUnavailable
	}
	return s.InProcessConn()
}

// shutdown stops a server and waits for it until ctx ends.
func shutdown(ctx context.Context, s *natsserver.Server) error {
	stopped := make(chan struct{})
	go func() {
		s.Shutdown()
		s.WaitForShutdown()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("engine: stop: %w", context.Cause(ctx))
	}
}
