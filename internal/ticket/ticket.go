// Package ticket keeps the keys of TLS session tickets. With a ticket a client
// that comes back is spared most of a handshake, and so is the node, if it has
// the key that the ticket was made with.
//
// A node that is alone leaves keys to crypto/tls: they are random and change
// every day. The nodes of a cluster find theirs in a bucket of the engine, one
// for every [Rotation]. Whoever needs a key first makes it, of chance, and the
// others take that one. A node that can not ask the engine goes on with the keys
// that it has; tickets that it can not read cost a whole handshake, and nothing
// else.
//
// # Locks
//
// [Keys.Follow] starts one goroutine, which alone changes the keys. The lock
// under which others read them is that of [tls.Config].
package ticket

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
)

// Bucket is the name of the bucket of keys.
const Bucket = "belfry_tls_tickets"

const (
	// Rotation is how long tickets are made with one key.
	Rotation = 12 * time.Hour
	// former is how many keys before that are still read with.
	former = 2
	// interval is how often the bucket is asked, and again how soon when it did
	// not answer.
	interval = time.Minute
	again    = 2 * time.Second
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
)

// BucketConfig is the bucket as it has to be.
func BucketConfig() jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: Bucket, Description: "keys of TLS session tickets", History: 1, TTL: (former + 2) * Rotation,
	}
}

// Keys are those of one node. They are safe for concurrent use.
type Keys struct {
	own    tls.Config // has the keys; nothing else of it is used
	bucket jetstream.KeyValue
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{}
}

// New returns keys of the node's own.
func New(log *slog.Logger) *Keys { return &Keys{log: log} }

// Use makes the connections of a configuration use the keys.
func (k *Keys) Use(config *tls.Config) {
	config.WrapSession = k.own.EncryptTicket
	config.UnwrapSession = k.own.DecryptTicket
}

// Follow makes the keys those of the bucket, from now on until Close.
func (k *Keys) Follow(bucket jetstream.KeyValue) {
	ctx, cancel := context.WithCancel(context.Background())
	k.bucket, k.cancel, k.done = bucket, cancel, make(chan struct{})
	go func() {
		defer close(k.done)
		for backoff.Sleep(ctx, k.look(ctx)) {
		}
	}()
}

// Close ends Follow, if it has begun.
func (k *Keys) Close() {
	if k.cancel != nil {
		k.cancel()
		<-k.done
	}
}

// look takes the keys of the bucket over, if it answers, and returns when to look
// again.
func (k *Keys) look(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	keys, err := k.read(ctx, time.Now())
	if err != nil {
		k.log.Debug("keys of TLS tickets stay what they were", "err", err)
		return again
	}
	k.own.SetSessionTicketKeys(keys)
	return interval
}

// read returns the keys for a time, that with which tickets are made first.
func (k *Keys) read(ctx context.Context, now time.Time) (keys [][32]byte, err error) {
	period := now.UnixNano() / int64(Rotation)
	newest, err := k.take(ctx, period)
	if err != nil {
		return nil, err
	}
	keys = append(keys, newest)
	for p := period - 1; p >= period-former; p-- {
		key, err := k.get(ctx, p)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue // nobody had a use for it
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// take returns the key of a period, and makes it if there is none.
func (k *Keys) take(ctx context.Context, period int64) (key [32]byte, err error) {
	if key, err = k.get(ctx, period); !errors.Is(err, jetstream.ErrKeyNotFound) {
		return key, err
	}
	rand.Read(key[:])
	if _, err = k.bucket.Create(ctx, name(period), key[:]); errors.Is(err, jetstream.ErrKeyExists) {
		return k.get(ctx, period) // another node was faster
	}
	return key, err
}

func (k *Keys) get(ctx context.Context, period int64) (key [32]byte, err error) {
	e, err := k.bucket.Get(ctx, name(period))
	if err != nil {
		return key, err
	}
	if len(e.Value()) != len(key) {
		return key, fmt.Errorf("ticket: the key of period %d has %d bytes, want %d", period, len(e.Value()), len(key))
	}
	copy(key[:], e.Value())
	return key, nil
}

func name(period int64) string { return "key." + strconv.FormatInt(period, 10) }
