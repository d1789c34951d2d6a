package acme

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A lock that nobody renews for lockExpiry is free: its holder is gone. It is
// renewed three times as often.
const lockExpiry = 15 * time.Second

// locks are the locks that nodes have one at a time, such as for ordering a
// certificate. The last message of a lock's subject names who holds it. A node
// writes it only if it saw the message before, so that of two nodes one fails.
//
// mu guards held. It is not held while the engine is asked.
type locks struct {
	js         jetstream.JetStream
	stream     jetstream.Stream
	node       string // of this process, and of no other
	lockExpiry time.Duration
	log        *slog.Logger

	mu   sync.Mutex
	held map[string]*hold
}

// A hold is a lock that this node has.
type hold struct {
	end  context.CancelFunc
	done chan struct{} // closed when it is not renewed any more
}

// Lock waits until this node has the lock of that name.
func (l *locks) Lock(ctx context.Context, name string) error {
	// What is written while this node looks wakes it up.
	changes := make(chan *nats.Msg, 8)
	sub, err := l.js.Conn().ChanSubscribe(lockSubject(name), changes)
	if err != nil {
		return wrap("lock", name, err)
	}
	defer sub.Unsubscribe()
	var seen uint64 // the message that named another node
	var since time.Time
	for {
		at, free, err := l.look(ctx, name)
		if err != nil {
			return err
		}
		if at != seen {
			seen, since = at, time.Now()
		}
		if free || time.Since(since) >= l.lockExpiry {
			got, err := l.take(ctx, name, at)
			if got || err != nil {
				return err
			}
			continue
		}
		expiry := time.NewTimer(time.Until(since.Add(l.lockExpiry)))
		select {
		case <-changes:
		case <-expiry.C:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		expiry.Stop()
		if err != nil {
			return wrap("lock", name, err)
		}
	}
}

// TryLock reports whether this node got the lock of that name at once.
func (l *locks) TryLock(ctx context.Context, name string) (bool, error) {
	at, free, err := l.look(ctx, name)
	if err != nil || !free {
		return false, err
	}
	return l.take(ctx, name, at)
}

// Unlock gives a lock back.
func (l *locks) Unlock(ctx context.Context, name string) error {
	l.mu.Lock()
	h := l.held[name]
	delete(l.held, name)
	l.mu.Unlock()
	if h == nil {
		return fmt.Errorf("acme: the lock %s is not held", name)
	}
	h.end()
	<-h.done
	at, _, err := l.look(ctx, name)
	if err != nil {
		return err
	}
	_, err = l.write(ctx, name, "", at)
	return err
}

// look returns the sequence of a lock's last message, and whether nobody has
// the lock.
func (l *locks) look(ctx context.Context, name string) (at uint64, free bool, err error) {
	m, err := l.stream.GetLastMsgForSubject(ctx, lockSubject(name))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, true, nil
	}
	if err != nil {
		return 0, false, wrap("lock", name, err)
	}
	return m.Sequence, len(m.Data) == 0, nil
}

// take makes this node the holder, if the lock is as it was at that message.
func (l *locks) take(ctx context.Context, name string, at uint64) (got bool, err error) {
	at, err = l.write(ctx, name, l.node, at)
	if at == 0 || err != nil {
		return false, err
	}
	renewing, end := context.WithCancel(context.WithoutCancel(ctx))
	h := &hold{end: end, done: make(chan struct{})}
	l.mu.Lock()
	l.held[name] = h
	l.mu.Unlock()
	go func() {
		defer close(h.done)
		l.renew(renewing, name, at)
	}()
	return true, nil
}

// renew keeps a lock until ctx ends, or another node has it.
func (l *locks) renew(ctx context.Context, name string, at uint64) {
	every := time.NewTicker(l.lockExpiry / 3)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		next, err := l.write(ctx, name, l.node, at)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.log.Debug("a lock was not renewed; it is tried again", "lock", name, "err", err)
		case next == 0:
			if at = l.own(ctx, name); at == 0 {
				l.log.Warn("another node took a lock that this one could not renew in time; both may order a certificate", "lock", name)
				return
			}
		default:
			at = next
		}
	}
}

// own returns the sequence of a lock's last message if this node wrote it: the
// answer to a write may get lost. It is 0 if another did.
func (l *locks) own(ctx context.Context, name string) uint64 {
	m, err := l.stream.GetLastMsgForSubject(ctx, lockSubject(name))
	if err != nil || string(m.Data) != l.node {
		return 0
	}
	return m.Sequence
}

// close gives back what is still held, so that others need not wait for the
// expiry.
func (l *locks) close(ctx context.Context) {
	l.mu.Lock()
	names := slices.Collect(maps.Keys(l.held))
	l.mu.Unlock()
	for _, name := range names {
		if err := l.Unlock(ctx, name); err != nil {
			l.log.Debug("a lock was not given back; others wait until it expires", "lock", name, "err", err)
		}
	}
}

// write names a holder, if the message before is that one. It returns 0 if it
// is not.
func (l *locks) write(ctx context.Context, name, holder string, before uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.lockExpiry)
	defer cancel()
	ack, err := l.js.Publish(ctx, lockSubject(name), []byte(holder), jetstream.WithExpectLastSequencePerSubject(before))
	if api, ok := errors.AsType[*jetstream.APIError](err); ok &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return 0, nil
	}
	if err != nil {
		return 0, wrap("lock", name, err)
	}
	return ack.Sequence, nil
}

func lockSubject(name string) string { return lockPrefix + "." + subjectOf(name) }
