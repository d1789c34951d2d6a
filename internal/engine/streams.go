package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxReplicas is how many copies of a stream there are when there are
	// enough nodes: one of them may be lost without anything being lost.
	maxReplicas = 3
	// attemptTimeout bounds one attempt to make a stream.
	attemptTimeout = 5 * time.Second
	retryWait      = 200 * time.Millisecond
)

// Replicas is how many copies a stream should have now: one alone, and as many
// as there are nodes in a cluster, but no more than three. Nodes that are away
// do not count, because they could not take a copy; when they are back, the
// engine makes more copies of all streams by itself. Of an external engine it
// is three if that is a cluster, or as many as it was able to make.
func (e *Engine) Replicas() int {
	switch {
	case e.Clustered():
		return min(maxReplicas, e.online())
	case e.cfg.URL == "" || e.conn.ConnectedClusterName() == "":
		return 1
	}
	if most := e.atMost.Load(); most > 0 {
		return int(most)
	}
	return maxReplicas
}

// online is how many members of the cluster are there, with this one.
func (e *Engine) online() int {
	n := 1
	if meta := e.ownView(); meta != nil {
		for _, r := range meta.Replicas {
			if !r.Offline && r.Name != e.cfg.Cluster.Name {
				n++
			}
		}
	}
	return n
}

// Stream makes a stream, or makes it what cfg says. The engine sets Storage
// and Replicas of a new one; one that is there never gets fewer copies. Nodes
// may do this at the same time, and it tries again until ctx ends.
func (e *Engine) Stream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	var stream jetstream.Stream
	err := e.insist(ctx, cfg.Name, func(ctx context.Context, replicas int) (err error) {
		cfg.Storage, cfg.Replicas = e.Storage(), replicas
		stream, err = e.js.CreateOrUpdateStream(ctx, cfg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("engine: stream %s: %w", cfg.Name, err)
	}
	return stream, nil
}

// Bucket is like [Engine.Stream] for a bucket of keys and values.
func (e *Engine) Bucket(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	var bucket jetstream.KeyValue
	err := e.insist(ctx, bucketStream+cfg.Bucket, func(ctx context.Context, replicas int) (err error) {
		cfg.Storage, cfg.Replicas = e.Storage(), replicas
		bucket, err = e.js.CreateOrUpdateKeyValue(ctx, cfg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("engine: bucket %s: %w", cfg.Bucket, err)
	}
	return bucket, nil
}

// bucketStream begins the names of streams that are buckets.
const bucketStream = "KV_"

// KeyValue returns the bucket of that name, which it makes if need be. It
// keeps the last value of each key.
func (e *Engine) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	return e.Bucket(ctx, jetstream.KeyValueConfig{Bucket: bucket, History: 1})
}

// insist makes a stream of that name, with the number of copies that it should
// have, until it is there or ctx ends.
func (e *Engine) insist(ctx context.Context, name string, create func(context.Context, int) error) error {
	for {
		err := e.attempt(ctx, name, create)
		if err == nil || !worthRetrying(err) {
			return err
		}
		select {
		case <-time.After(retryWait):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

func (e *Engine) attempt(ctx context.Context, name string, create func(context.Context, int) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	existing, err := e.copies(ctx, name)
	if err != nil {
		return err
	}
	replicas := e.Replicas()
	err = create(ctx, max(existing, replicas))
	for !e.Clustered() && existing < replicas && tooMany(err) {
		// The external cluster is smaller than it could be.
		replicas--
		if err = create(ctx, max(existing, replicas)); err == nil {
			e.atMost.Store(int64(replicas))
		}
	}
	return err
}

// copies is how many copies a stream has, or 0 if there is none of that name.
func (e *Engine) copies(ctx context.Context, name string) (int, error) {
	stream, err := e.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return stream.CachedInfo().Config.Replicas, nil
}

// tooMany reports whether there are fewer servers than copies were asked for.
func tooMany(err error) bool {
	return hasCode(err, natsserver.JSClusterNoPeersErrF, natsserver.JSStreamReplicasNotSupportedErr)
}

// worthRetrying reports whether the same may succeed later: nodes come and go,
// and another one may just be doing the same.
func worthRetrying(err error) bool {
	return hasCode(err, natsserver.JSClusterNoPeersErrF, natsserver.JSClusterNotAvailErr, natsserver.JSClusterNotLeaderErr,
		natsserver.JSStreamNameExistErr, natsserver.JSStreamMoveInProgressErr, natsserver.JSStreamOfflineErr, natsserver.JSStreamOfflineReasonErrF,
		natsserver.JSStreamNotFoundErr) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) || errors.Is(err, nats.ErrDisconnected)
}

func hasCode(err error, codes ...natsserver.ErrorIdentifier) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if uint16(api.ErrorCode) == uint16(code) {
			return true
		}
	}
	return false
}
