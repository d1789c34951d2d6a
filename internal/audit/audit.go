// Package audit writes down who changed what by the admin API, when and from where:
// changes, logins, refusals, and that somebody looked at what an app sends. Entries are in a
// stream of the engine, the same for all nodes, and each is in the log of its node as well.
//
// Nobody waits for the engine. What waits to be written is in memory, [maxWaiting]
// entries; if there are more they are in the log of the node only, which says so.
// Entries can not be changed, and go when they are 90 days old or there are too many.
//
// Who tries in vain must not push out what others did. So there is room for a bounded
// number of refusals a minute, and those that are left out are counted.
//
// # Locks
//
// Log.mu guards what was seen lately and what is refused. Nothing is called under it.
package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/rate"
)

const (
	// StreamName is the stream of entries. subjects begins its subjects, which go on
	// with the app.
	StreamName = "belfry-audit"
	subjects   = "belfry.audit."

	keptFor    = 90 * 24 * time.Hour
	keptBytes  = 64 << 20
	keptOfApp  = 10_000 // entries, so that one app can not push out what was done to others
	maxWaiting = 1024

	writeTimeout = 5 * time.Second
	lastTimeout  = 2 * time.Second // for what waits when the node ends
	againAfter   = time.Second

	seenEvery = time.Hour
	maxSeen   = 4096
)

// refusals is how many of them are written down in a minute.
var refusals = rate.PerMinute(60)

// ErrUnavailable says that the engine does not answer.
var ErrUnavailable = errors.New("audit: the engine does not answer")

// Stream is how the stream is to be.
var Stream = jetstream.StreamConfig{
	Name:              StreamName,
	Description:       "who changed what by the admin API",
	Subjects:          []string{subjects + ">"},
	Discard:           jetstream.DiscardOld,
	MaxAge:            keptFor,
	MaxBytes:          keptBytes,
	MaxMsgsPerSubject: keptOfApp,
	DenyDelete:        true,
}

// Config is what a log stands on. Open and JetStream are required.
type Config struct {
	// Open returns [Stream], which it makes if need be.
	Open      func(context.Context) (jetstream.Stream, error)
	JetStream jetstream.JetStream
	// Writable returns why nothing should be written now, or nil. It may be nil.
	Writable func() error
	Node     string // the name of this node

	Registerer prometheus.Registerer // nil: no metrics
	Log        *slog.Logger          // nil: no log
	Now        func() time.Time      // nil: time.Now
}

// A Log is what was done. It is safe for concurrent use.
type Log struct {
	cfg     Config
	log     *slog.Logger
	ctx     context.Context // until Close
	cancel  context.CancelFunc
	done    chan struct{}
	waiting chan message
	opened  chan struct{} // closed when stream is there
	stream  jetstream.Stream
	lost    prometheus.Counter

	mu      sync.Mutex
	refused rate.Limiter
	left    int // refusals that were not written down since the last that was
	seen    map[seeing]time.Time
}

// A seeing is who looked at what which app sends.
type seeing struct{ who, address, app string }

// A message is an entry on its way.
type message struct {
	subject, id string
	body        []byte
}

// Open begins to write entries down, until Close. It does not wait for the engine.
func Open(cfg Config) *Log {
	l := &Log{
		cfg: cfg, log: cfg.Log, done: make(chan struct{}), waiting: make(chan message, maxWaiting), opened: make(chan struct{}),
		seen: map[seeing]time.Time{},
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_audit_lost_total",
			Help: "Entries of the audit log that are only in the log of the node, because the engine took none for too long.",
		}),
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.cfg.Now == nil {
		l.cfg.Now = time.Now
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(l.lost)
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	go l.run()
	return l
}

// Close writes what waits, if the engine takes it soon.
func (l *Log) Close() {
	l.cancel()
	<-l.done
}

// Write writes an entry down, with the time and the node. It does not block.
func (l *Log) Write(e Entry) {
	e.At, e.Node = l.cfg.Now().UTC().Truncate(time.Millisecond), l.cfg.Node
	if !l.admit(&e) {
		return
	}
	e.cut()
	l.log.Info("audit", "who", e.Who, "role", e.Role, "via", e.Via, "address", e.Address, "action", e.Action, "app", e.App, "target", e.Target, "detail", e.Detail, "status", e.Status, "left_out", e.Left)
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // there is nothing in it that can not be written
	}
	select {
	case l.waiting <- message{subjectOf(e.App), rand.Text(), body}:
	default:
		l.lost.Inc()
		l.log.Error("an entry of the audit log is only here: the engine takes none", "action", e.Action, "who", e.Who)
	}
}

// admit reports whether there is room for an entry.
func (l *Log) admit(e *Entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.Action == Payloads:
		return l.firstLocked(seeing{e.Who, e.Address, e.App}, e.At)
	case e.Status < 400:
		return true
	}
	if _, ok := l.refused.Take(e.At, 1, refusals); !ok {
		l.left++
		return false
	}
	e.Left, l.left = l.left, 0
	return true
}

// firstLocked reports whether nobody looked at the same lately. l.mu is held.
func (l *Log) firstLocked(s seeing, now time.Time) bool {
	if last, ok := l.seen[s]; ok && now.Sub(last) < seenEvery {
		return false
	}
	if len(l.seen) >= maxSeen {
		clear(l.seen) // they are written down once more
	}
	l.seen[s] = now
	return true
}

// subjectOf is where entries about an app are; those about none have a subject too.
func subjectOf(app string) string {
	if app == "" {
		return subjects + "service"
	}
	return subjects + "app." + hex.EncodeToString([]byte(app))
}

// run writes what waits, until Close and then what is left.
func (l *Log) run() {
	defer close(l.done)
	for l.stream == nil {
		stream, err := l.cfg.Open(l.ctx)
		if err == nil {
			l.stream = stream
			close(l.opened)
			break
		}
		if !backoff.Sleep(l.ctx, againAfter) {
			return // they are in the log of the node
		}
	}
	for {
		select {
		case m := <-l.waiting:
			l.insist(m)
		case <-l.ctx.Done():
			l.flush()
			return
		}
	}
}

// insist writes an entry when the engine takes it, or the node ends.
func (l *Log) insist(m message) {
	for told := false; ; told = true {
		err := l.put(l.ctx, m)
		if err == nil {
			return
		}
		if l.ctx.Err() != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), lastTimeout)
			defer cancel()
			if l.put(ctx, m) != nil {
				l.lost.Inc()
			}
			return
		}
		if !told {
			l.log.Warn("the audit log can not be written at the moment", "err", err)
		}
		backoff.Sleep(l.ctx, againAfter)
	}
}

// flush writes what is left when the node ends.
func (l *Log) flush() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), lastTimeout)
	defer cancel()
	for {
		select {
		case m := <-l.waiting:
			if l.put(ctx, m) != nil {
				l.lost.Inc()
			}
		default:
			return
		}
	}
}

func (l *Log) put(ctx context.Context, m message) error {
	if l.cfg.Writable != nil {
		if err := l.cfg.Writable(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if _, err := l.cfg.JetStream.Publish(ctx, m.subject, m.body, jetstream.WithMsgID(m.id)); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}
