package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
)

const (
	// maxReplicas is how many copies of a stream there are when there are
	// enough nodes: one of them may be lost without anything being lost.
	maxReplicas = 3
	// attemptTimeout bounds one attempt to make a stream, firstTimeout the
	// first one.
	attemptTimeout = 5 * time.Second
	firstTimeout   = time.Second
	// leaderFirst is how long others leave it to the leader to make a stream.
	leaderFirst = 2 * time.Second
	retryWait   = 200 * time.Millisecond
)

// retry is how it is asked again what got lost: until there is an answer.
var retry = backoff.Every(retryWait)

// Replicas is how many copies a stream should have now. A node that is alone
// has one. A cluster has as many as there are nodes, but no less than two
// and no more than three. Nodes that are away do not count, because they
// could not take a copy; when they are back, the engine makes more copies of
// all streams by itself. Of an external engine it is three if that is a
// cluster, or as many as it was able to make.
func (e *Engine) Replicas() int {
	switch {
	case e.Clustered():
		return min(maxReplicas, max(2, e.online()))
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
// and Replicas of a new one; one that is there keeps its copies, and gets more
// when there are more nodes. Any number of nodes may ask for it at the same
// time. It returns when the stream can be read, and tries until ctx ends. From
// then on the engine makes it again whenever it is gone; see [Engine.OnLoss].
func (e *Engine) Stream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	w := wish{
		name: cfg.Name,
		is:   func(have jetstream.StreamConfig) bool { return sameStream(have, cfg) },
		make: func(ctx context.Context, replicas int) error {
			cfg.Storage, cfg.Replicas = e.Storage(), replicas
			_, err := e.js.CreateOrUpdateStream(ctx, cfg)
			return err
		},
	}
	stream, err := e.grant(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("engine: stream %s: %w", cfg.Name, err)
	}
	e.keep(w, stream.CachedInfo().Created)
	return stream, nil
}

// Bucket is like [Engine.Stream] for a bucket of keys and values.
func (e *Engine) Bucket(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	w := wish{
		name: BucketStream(cfg.Bucket),
		is:   func(have jetstream.StreamConfig) bool { return sameBucket(have, cfg) },
		make: func(ctx context.Context, replicas int) error {
			cfg.Storage, cfg.Replicas = e.Storage(), replicas
			_, err := e.js.CreateOrUpdateKeyValue(ctx, cfg)
			return err
		},
	}
	stream, err := e.grant(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("engine: bucket %s: %w", cfg.Bucket, err)
	}
	e.keep(w, stream.CachedInfo().Created)
	var bucket jetstream.KeyValue
	err = e.insist(ctx, func(ctx context.Context) (err error) {
		bucket, err = e.js.KeyValue(ctx, cfg.Bucket)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("engine: bucket %s: %w", cfg.Bucket, err)
	}
	return bucket, nil
}

// insist asks until there is an answer or ctx ends: while leaders change,
// requests get lost.
func (e *Engine) insist(ctx context.Context, ask func(context.Context) error) error {
	return retry.Retry(ctx, func() (again bool, err error) {
		once, cancel := context.WithTimeout(ctx, firstTimeout)
		defer cancel()
		err = ask(once)
		return err != nil && worthRetrying(err), err
	})
}

// bucketStream begins the names of streams that are buckets.
const bucketStream = "KV_"

// BucketStream is the name of the stream behind a bucket.
func BucketStream(bucket string) string { return bucketStream + bucket }

// KeyValue returns the bucket of that name, which it makes if need be. It
// keeps the last value of each key.
func (e *Engine) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	return e.Bucket(ctx, jetstream.KeyValueConfig{Bucket: bucket, History: 1})
}

// A wish is a stream as it should be.
type wish struct {
	name string
	is   func(have jetstream.StreamConfig) bool
	make func(ctx context.Context, replicas int) error
}

// grant makes a wish true. JetStream in a cluster answers only one of
// several nodes that make the same stream at the same time. So the node that
// leads makes it, the others do after a while, and nobody waits for long for
// the answer to one attempt.
func (e *Engine) grant(ctx context.Context, w wish) (jetstream.Stream, error) {
	begun, timeout := time.Now(), firstTimeout
	for {
		late := time.Since(begun) > leaderFirst
		mayMake := !e.Clustered() || e.leads() || late
		replicas := e.Replicas()
		if e.Clustered() && !late {
			replicas = min(maxReplicas, e.members()) // who is away may be about to come
		}
		stream, err := e.attempt(ctx, w, replicas, timeout, mayMake)
		if err == nil {
			return stream, nil
		}
		if !worthRetrying(err) {
			if _, full := e.lacksRoom(); !full {
				return nil, err
			}
			if err = e.awaitRoom(ctx, err); err != nil {
				return nil, err
			}
			continue
		}
		wait := pollInterval
		if mayMake {
			e.log.Debug("stream is not there yet", "stream", w.name, "err", err)
			timeout, wait = min(2*timeout, attemptTimeout), retryWait
		}
		if !backoff.Sleep(ctx, wait) {
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

// members is how many there are, wherever they may be.
func (e *Engine) members() int {
	if meta := e.ownView(); meta != nil {
		return max(2, meta.Size)
	}
	return 2
}

// leads reports whether this node is the leader of the members.
func (e *Engine) leads() bool {
	meta := e.ownView()
	return meta != nil && meta.Leader == e.cfg.Cluster.Name
}

// attempt returns the stream if it is as it should be and can be read. If not,
// it may make it so, with so many copies.
func (e *Engine) attempt(ctx context.Context, w wish, replicas int, timeout time.Duration, mayMake bool) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stream, err := e.js.Stream(ctx, w.name)
	if err != nil && (!errors.Is(err, jetstream.ErrStreamNotFound) || !mayMake) {
		return nil, fmt.Errorf("look: %w", err)
	}
	existing := 0
	if stream != nil {
		existing = stream.CachedInfo().Config.Replicas
		if e.Clustered() {
			replicas = existing // see raise
		}
	}
	if existing < replicas || !w.is(stream.CachedInfo().Config) {
		if err := e.make(ctx, w, existing, replicas); err != nil {
			return nil, fmt.Errorf("make: %w", err)
		}
		if stream, err = e.js.Stream(ctx, w.name); err != nil {
			return nil, fmt.Errorf("look: %w", err)
		}
	}
	// One that has just been made has no leader yet, or one of which this node
	// does not know.
	if _, err := stream.GetMsg(ctx, 1); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("read: %w", err)
	}
	if info := stream.CachedInfo(); mayMake && e.Clustered() && info.Config.Metadata[settledMark] == "" {
		if err := e.forgetFirst(ctx, info.Config); err != nil {
			return nil, fmt.Errorf("settle: %w", err)
		}
	}
	return stream, nil
}

// make makes the stream with so many copies, or with as many as an external
// cluster can hold.
func (e *Engine) make(ctx context.Context, w wish, existing, replicas int) error {
	err := w.make(ctx, max(existing, replicas))
	for !e.Clustered() && existing < replicas && replicas > 1 && tooMany(err) {
		replicas--
		if err = w.make(ctx, max(existing, replicas)); err == nil {
			e.atMost.Store(int64(replicas))
		}
	}
	return err
}

// sameStream reports whether a stream is what want says.
func sameStream(have, want jetstream.StreamConfig) bool {
	want.Storage, want.Replicas = have.Storage, have.Replicas
	// What JetStream makes of fields that are not given.
	want.MaxConsumers = cmp.Or(want.MaxConsumers, -1)
	want.MaxMsgs = cmp.Or(want.MaxMsgs, -1)
	want.MaxBytes = cmp.Or(want.MaxBytes, -1)
	want.MaxMsgsPerSubject = cmp.Or(want.MaxMsgsPerSubject, -1)
	want.MaxMsgSize = cmp.Or(want.MaxMsgSize, -1)
	want.Duplicates = cmp.Or(want.Duplicates, have.Duplicates)
	if want.Metadata == nil {
		want.Metadata = have.Metadata
	}
	a, errA := json.Marshal(have)
	b, errB := json.Marshal(want)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// sameBucket reports whether the stream of a bucket is what want says.
func sameBucket(have jetstream.StreamConfig, want jetstream.KeyValueConfig) bool {
	return have.MaxMsgsPerSubject == int64(max(want.History, 1)) && have.MaxAge == want.TTL && have.Description == want.Description &&
		have.MaxBytes == cmp.Or(want.MaxBytes, -1) && have.MaxMsgSize == cmp.Or(want.MaxValueSize, -1) &&
		(have.Compression == jetstream.S2Compression) == want.Compression && have.SubjectDeleteMarkerTTL == want.LimitMarkerTTL
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
