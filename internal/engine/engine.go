package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/wakeup"
)

// Errors that callers can test for.
var (
	// ErrInUse says that another process has the data directory.
	ErrInUse = errors.New("engine: another process uses the data directory")
	// ErrDiskFull says that nothing should be written now.
	ErrDiskFull = errors.New("engine: the disk is full")
	// ErrUnavailable says that the engine can not be reached now.
	ErrUnavailable = errors.New("engine: not available")
	// ErrNoQuorum says that too few nodes of the cluster can be reached.
	ErrNoQuorum = errors.New("engine: too few nodes of the cluster can be reached")
	// ErrRemoved says that this node was removed from the cluster.
	ErrRemoved = errors.New("engine: this node was removed from the cluster")
	// ErrUnknownPeer says that no node of the cluster has that name.
	ErrUnknownPeer = errors.New("engine: the cluster has no node of that name")
)

// Config says what an engine stands on. The zero value is an embedded server
// in memory.
type Config struct {
	// DataDir is where the embedded server keeps what it has to remember, in
	// a directory named engine, or engine-cluster in a cluster. Empty means in
	// memory. It is not used with URL.
	DataDir string
	// Cluster is how the embedded server joins others. It is not used with URL.
	Cluster Cluster
	// URL is an external NATS server with JetStream; several addresses of one
	// cluster are separated by commas. Empty means embedded.
	URL string
	// MaxStore is how much the embedded server keeps on disk, in bytes; what
	// is more is refused. Zero means DefaultMaxStore.
	MaxStore int64
	// MaxMemory is the same for what is in memory. Zero means
	// DefaultMaxMemory.
	MaxMemory int64
	// MinFree is how much of the disk is left to others: with less than that
	// free, the engine is not [Engine.Writable]. Zero means DefaultMinFree.
	MinFree int64
	// Registerer is where the engine's metrics are registered. Nil means nowhere.
	Registerer prometheus.Registerer
	// Log may be nil.
	Log *slog.Logger
}

// The defaults of Config.
const (
	DefaultMaxStore  = 2 << 30
	DefaultMaxMemory = 256 << 20
	DefaultMinFree   = 64 << 20
)

const (
	connectTimeout = 5 * time.Second
	reconnectWait  = 50 * time.Millisecond
	closeTimeout   = 15 * time.Second // of an engine that could not be opened
)

// An Engine is a connection to JetStream and, if it is embedded, the server
// behind it. Its methods are safe for concurrent use.
type Engine struct {
	cfg       Config
	log       *slog.Logger
	conn      *nats.Conn
	system    *nats.Conn // to the system account of a cluster; nil without one
	js        jetstream.JetStream
	lock      *lock  // of the data directory; nil without
	temporary string // directory of a clustered server without a data directory

	streamsDue wakeup.Signal // streams are to be looked at now

	mu     sync.Mutex
	server *natsserver.Server // nil when external, or while it is started again
	kept   map[string]*kept   // the streams that were made, by name

	full    atomic.Bool // less than MinFree is free
	broken  atomic.Bool // the server said that it can not write any more
	removed atomic.Bool // this node was removed from the cluster
	alone   atomic.Bool // the cluster has no leader that this node knows

	waits bool // no file can be made; owned by look

	atMost atomic.Int64 // copies of a stream that the external cluster can hold; 0: not known

	loops sync.WaitGroup  // supervise, replicate, watchStreams
	life  context.Context // ends with Close: what the engine does by itself has no caller
	end   context.CancelFunc
}

// Open starts the embedded server, or connects to the external one. It
// returns when JetStream answers. In a cluster that is when more than half of
// the nodes are there, and it waits for them until ctx ends.
func Open(ctx context.Context, cfg Config) (_ *Engine, err error) {
	cfg.MaxStore = cmp.Or(cfg.MaxStore, DefaultMaxStore)
	cfg.MaxMemory = cmp.Or(cfg.MaxMemory, DefaultMaxMemory)
	cfg.MinFree = cmp.Or(cfg.MinFree, DefaultMinFree)
	e := &Engine{cfg: cfg, log: cfg.Log, kept: make(map[string]*kept), streamsDue: wakeup.New()}
	e.life, e.end = context.WithCancel(context.Background())
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
			defer cancel()
			err = errors.Join(err, e.Close(closing))
		}
	}()
	if err := e.connect(ctx); err != nil {
		return nil, err
	}
	if e.Clustered() {
		empty := !e.hasFounded()
		if err := e.awaitQuorum(ctx); err != nil {
			return nil, err
		}
		if empty {
			if err := e.startOver(ctx); err != nil {
				return nil, err
			}
		}
		if err := e.importAlone(ctx); err != nil {
			return nil, err
		}
	} else if _, err := e.js.AccountInfo(ctx); err != nil {
		return nil, fmt.Errorf("engine: JetStream does not answer: %w", err)
	}
	if e.onDisk() {
		e.look()
		e.loops.Go(e.supervise)
	}
	if e.Clustered() {
		e.loops.Go(e.replicate)
	}
	e.loops.Go(e.watchStreams)
	e.register(cfg.Registerer)
	return e, nil
}

// connect starts the server if it is embedded, and connects to it.
func (e *Engine) connect(ctx context.Context) (err error) {
	options := e.options()
	if e.cfg.URL == "" {
		if err := e.embed(ctx); err != nil {
			return err
		}
		options = append(options, nats.InProcessServer(e))
	}
	if e.conn, err = nats.Connect(e.cfg.URL, options...); err != nil {
		return fmt.Errorf("engine: connect: %w", withoutURL(err))
	}
	if e.Clustered() {
		options = append(options, nats.UserInfo(systemUser, ""))
		if e.system, err = nats.Connect("", options...); err != nil {
			return fmt.Errorf("engine: connect to the system account: %w", err)
		}
	}
	if e.js, err = jetstream.New(e.conn); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// options are those of the connection, to whatever server.
func (e *Engine) options() []nats.Option {
	return []nats.Option{
		nats.Name("belfry"),
		nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				e.log.Warn("connection to the engine lost", "err", withoutURL(err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			e.log.Info("connected to the engine again")
			e.lookSoon()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			e.log.Warn("engine connection", "err", withoutURL(err))
		}),
	}
}

// withoutURL leaves out of an error the address that was dialed, which may
// have a password in it.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// embed starts the server in the process.
func (e *Engine) embed(ctx context.Context) error {
	var err error
	if err := e.wasClustered(); err != nil {
		return err
	}
	switch {
	case e.cfg.DataDir != "":
		e.lock, err = acquire(e.dir())
	case e.Clustered(): // what the nodes agree on is on the disk in any case
		e.temporary, err = os.MkdirTemp("", "belfry-engine-")
	}
	if err != nil {
		return err
	}
	s, err := e.startWithRoom(ctx)
	if err != nil {
		return err
	}
	e.server = s
	return nil
}

// wasClustered refuses to begin anew beside what a cluster has.
func (e *Engine) wasClustered() error {
	dir := filepath.Join(e.cfg.DataDir, clusterDirectory)
	if _, err := os.Stat(dir); err != nil || e.Clustered() || e.cfg.DataDir == "" {
		return nil
	}
	return fmt.Errorf("engine: the data directory is that of a node of a cluster; start it with cluster.listen, or move %s away to begin anew", dir)
}

// Clustered reports whether the embedded server is one of several.
func (e *Engine) Clustered() bool { return e.cfg.URL == "" && e.cfg.Cluster.Clustered() }

// onDisk reports whether there is a data directory to look after.
func (e *Engine) onDisk() bool { return e.cfg.URL == "" && e.cfg.DataDir != "" }

// JetStream is the way to streams and consumers. It stays usable until Close.
func (e *Engine) JetStream() jetstream.JetStream { return e.js }

// Conn is the connection itself, for plain subjects.
func (e *Engine) Conn() *nats.Conn { return e.conn }

// Storage is where new streams keep their messages: on disk, or in memory for
// an embedded server without a data directory.
func (e *Engine) Storage() jetstream.StorageType {
	if e.cfg.URL == "" && e.cfg.DataDir == "" {
		return jetstream.MemoryStorage
	}
	return jetstream.FileStorage
}

// Err returns why the engine can not be used now, or nil: ErrUnavailable,
// ErrDiskFull or ErrRemoved, for the health of the node. A cluster without a
// quorum is no reason: its nodes go on serving their clients.
func (e *Engine) Err() error {
	switch {
	case e.removed.Load():
		return ErrRemoved
	case e.conn == nil || !e.conn.IsConnected() || e.broken.Load():
		return ErrUnavailable
	case e.full.Load():
		return ErrDiskFull
	}
	return nil
}

// Writable returns why nothing should be written now, or nil: what Err
// returns, or ErrNoQuorum. Whoever writes much asks before, and waits: what is
// written to a disk that has no room left makes the server stop, and everybody
// else in this process with it.
//
// In a cluster the disk of this node is no reason. What is written goes to
// the nodes that have room, and its copies come to this one's disk whoever
// writes.
func (e *Engine) Writable() error {
	switch err := e.Err(); {
	case e.Clustered() && e.full.Load() && e.conn.IsConnected() && !e.removed.Load():
		return nil // this node's server may not even know now whether there is a quorum
	case err != nil:
		return err
	case e.alone.Load():
		return ErrNoQuorum
	}
	return nil
}

// Close ends the connection and the embedded server. What JetStream has
// acknowledged is kept. It waits until ctx ends; what has not ended by then,
// as on a disk that hangs, ends by itself, and the data directory stays in use
// until it has.
func (e *Engine) Close(ctx context.Context) error {
	e.end()
	closed := make(chan error, 1)
	go func() { closed <- e.close() }()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("engine: stop: %w", context.Cause(ctx))
	}
}

// close ends everything, however long that takes.
func (e *Engine) close() error {
	e.loops.Wait()
	if e.conn != nil {
		e.conn.Close()
	}
	if e.system != nil {
		e.system.Close()
	}
	e.mu.Lock()
	s := e.server
	e.server = nil
	e.mu.Unlock()
	if s != nil {
		shutdown(s)
	}
	var err error
	if e.lock != nil {
		err = e.lock.release()
		e.lock = nil
	}
	if e.temporary != "" {
		err = errors.Join(err, os.RemoveAll(e.temporary))
	}
	return err
}
