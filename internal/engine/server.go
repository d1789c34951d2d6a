package engine

import (
	"errors"
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
		if err := e.cfg.Cluster.join(options, e.log); err != nil {
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
	e.broken.Store(false) // the new one says whether it is
	return e.run(options, inside)
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
	if !started(s, l) || !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		if err := writable(options.StoreDir); err != nil {
			return nil, fmt.Errorf("engine: the embedded server did not start: %w", err)
		}
		return nil, fmt.Errorf("engine: the embedded server did not start: %s", l.lastError())
	}
	return s, nil
}

// started waits until the server is there or has given up, and reports which.
func started(s *natsserver.Server, l *serverLog) bool {
	const step = 50 * time.Millisecond
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		if l.gaveUp.Load() {
			return false // it would never be ready, and says so nowhere else
		}
		if s.ReadyForConnections(step) {
			return true
		}
	}
	return false
}

// writable returns why no file can be made in dir, or nil. The server itself
// says no more than that it is so, be the reason a lack of descriptors or a
// lack of permission.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
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

// shutdown stops a server and waits for it.
func shutdown(s *natsserver.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}
