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

// maxPayload bounds a message: a full request of the HTTP API, and what nodes
// tell each other at once.
const maxPayload = 8 << 20

// dir is where the embedded server keeps what it has to remember.
func (e *Engine) dir() string {
	switch {
	case e.temporary != "":
		return e.temporary
	case e.Clustered():
		return filepath.Join(e.cfg.DataDir, clusterDirectory)
	}
	return filepath.Join(e.cfg.DataDir, directory)
}

// aloneOptions are those of a server that listens nowhere.
func (e *Engine) aloneOptions(dir string) *natsserver.Options {
	return &natsserver.Options{
		ServerName:             "belfry",
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		MaxPayload:             maxPayload,
		JetStream:              true,
		JetStreamMaxMemory:     e.cfg.MaxMemory,
		JetStreamMaxStore:      e.cfg.MaxStore,
		StoreDir:               dir,
		// Every acknowledged write is on the disk. What writes much has to
		// put much into each write.
		SyncAlways: true,
	}
}

// startServer starts the embedded server.
func (e *Engine) startServer() (*natsserver.Server, error) {
	options := e.aloneOptions(e.dir())
	inside := &insideOnly{}
	switch {
	case e.Clustered():
		if err := e.cfg.Cluster.join(options); err != nil {
			return nil, err
		}
		options.CustomClientAuthentication = inside
	case e.cfg.DataDir == "":
		// Streams in memory write nothing, but the server wants a place.
		dir, err := os.MkdirTemp("", "belfry-engine-")
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		defer os.RemoveAll(dir)
		options.StoreDir = dir
	}
	s, err := e.run(options, inside)
	if err != nil {
		return nil, err
	}
	e.broken.Store(false)
	return s, nil
}

// run starts a server with these options.
func (e *Engine) run(options *natsserver.Options, inside *insideOnly) (*natsserver.Server, error) {
	s, err := natsserver.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	inside.server = s
	l := &serverLog{engine: e}
	s.SetLoggerV2(l, false, false, false)
	s.Start()
	if !s.ReadyForConnections(startTimeout) || !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("engine: the embedded server did not start: %s", l.fatal())
	}
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
