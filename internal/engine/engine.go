package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// Errors that callers can test for.
var (
	// ErrInUse says that another process has the data directory.
	ErrInUse = errors.New("engine: another process uses the data directory")
	// ErrDiskFull says that nothing should be written now.
	ErrDiskFull = errors.New("engine: the disk is full")
	// ErrUnavailable says that the engine can not be reached now.
	ErrUnavailable = errors.New("engine: not available")
)

// Config says what an engine stands on. The zero value is an embedded server
// in memory.
type Config struct {
	// DataDir is where the embedded server keeps what it has to remember, in
	// a directory named engine. Empty means in memory. It is not used with URL.
	DataDir string
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
)

// An Engine is a connection to JetStream and, if it is embedded, the server
// behind it. Its methods are safe for concurrent use.
type Engine struct {
	cfg  Config
	log  *slog.Logger
	conn *nats.Conn
	js   jetstream.JetStream
	lock *lock // of the data directory; nil without

	mu     sync.Mutex
	server *natsserver.Server // nil when external, or while it is started again

	full   atomic.Bool // less than MinFree is free
	broken atomic.Bool // the server said that it can not write any more

	stop chan struct{}
	done chan struct{} // closed when the supervisor has ended; nil without one
}

// Open starts the embedded server, or connects to the external one. It
// returns when JetStream answers.
func Open(ctx context.Context, cfg Config) (_ *Engine, err error) {
	cfg.MaxStore = cmp.Or(cfg.MaxStore, DefaultMaxStore)
	cfg.MaxMemory = cmp.Or(cfg.MaxMemory, DefaultMaxMemory)
	cfg.MinFree = cmp.Or(cfg.MinFree, DefaultMinFree)
	e := &Engine{cfg: cfg, log: cfg.Log, stop: make(chan struct{})}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close(context.WithoutCancel(ctx)))
		}
	}()
	address := cfg.URL
	options := e.options()
	if cfg.URL == "" {
		if err := e.embed(); err != nil {
			return nil, err
		}
		address, options = "", append(options, nats.InProcessServer(e))
	}
	if e.conn, err = nats.Connect(address, options...); err != nil {
		return nil, fmt.Errorf("engine: connect: %w", withoutURL(err))
	}
	if e.js, err = jetstream.New(e.conn); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if _, err := e.js.AccountInfo(ctx); err != nil {
		return nil, fmt.Errorf("engine: JetStream does not answer: %w", err)
	}
	if e.onDisk() {
		e.look()
		e.done = make(chan struct{})
		go e.supervise()
	}
	e.register(cfg.Registerer)
	return e, nil
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
		nats.ReconnectHandler(func(*nats.Conn) { e.log.Info("connected to the engine again") }),
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
func (e *Engine) embed() error {
	if e.cfg.DataDir != "" {
		l, err := acquire(e.dir())
		if err != nil {
			return err
		}
		e.lock = l
	}
	s, err := e.startServer()
	if err != nil {
		return err
	}
	e.server = s
	return nil
}

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

// KeyValue returns the bucket of that name, which it makes if need be. It
// keeps the last value of each key.
func (e *Engine) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	kv, err := e.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:  bucket,
		History: 1,
		Storage: e.Storage(),
	})
	if err != nil {
		return nil, fmt.Errorf("engine: bucket %s: %w", bucket, err)
	}
	return kv, nil
}

// Err returns why the engine can not be used now, or nil: ErrUnavailable or
// ErrDiskFull, for the health of the node.
func (e *Engine) Err() error {
	switch {
	case e.conn == nil || !e.conn.IsConnected() || e.broken.Load():
		return ErrUnavailable
	case e.full.Load():
		return ErrDiskFull
	}
	return nil
}

// Writable returns why nothing should be written now, or nil. Whoever writes
// much asks before, and waits: what is written to a disk that has no room left
// makes the server stop, and everybody else with it.
func (e *Engine) Writable() error { return e.Err() }

// Close ends the connection and the embedded server. What JetStream has
// acknowledged is kept. It waits for the server until ctx ends.
func (e *Engine) Close(ctx context.Context) error {
	if e.done != nil {
		close(e.stop)
		<-e.done
		e.done = nil
	}
	if e.conn != nil {
		e.conn.Close()
	}
	e.mu.Lock()
	s := e.server
	e.server = nil
	e.mu.Unlock()
	var err error
	if s != nil {
		err = shutdown(ctx, s)
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.release())
		e.lock = nil
	}
	return err
}
