package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/engine"
)

// claimsBucket has a key for each owner whose queue was taken over. Its name is
// one of an earlier vocabulary, and stays because it is on disk.
const claimsBucket = "belfry-webhooks-heirs"

// jetClaims are claims in a bucket of JetStream.
type jetClaims struct {
	bucket jetstream.KeyValue
	stream jetstream.Stream // behind the bucket
}

var _ Claims = (*jetClaims)(nil)

func openClaims(ctx context.Context, e *engine.Engine, js jetstream.JetStream) (*jetClaims, error) {
	bucket, err := e.Bucket(ctx, jetstream.KeyValueConfig{Bucket: claimsBucket, Description: "who has taken over whose queue", History: 1})
	if err != nil {
		return nil, fmt.Errorf("webhook: claims: %w", err)
	}
	stream, err := js.Stream(ctx, "KV_"+claimsBucket)
	if err != nil {
		return nil, fmt.Errorf("webhook: claims: %w", err)
	}
	return &jetClaims{bucket, stream}, nil
}

func (c *jetClaims) All(ctx context.Context) (map[Owner]Claim, error) {
	keys, err := c.bucket.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return nil, fmt.Errorf("webhook: read claims: %w", err)
	}
	all := make(map[Owner]Claim, len(keys))
	for _, key := range keys {
		entry, err := c.bucket.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("webhook: read claims: %w", err)
		}
		of, ok := unescape(strings.ReplaceAll(key, "=", "%"))
		if !ok {
			return nil, fmt.Errorf("webhook: read claims: %w", ErrRecord)
		}
		all[Owner(of)] = Claim{Owner(entry.Value()), entry.Revision()}
	}
	return all, nil
}

// key is the key of an owner. A bucket takes no %.
func key(of Owner) string { return strings.ReplaceAll(escape(string(of)), "%", "=") }

func (c *jetClaims) Claim(ctx context.Context, dead, by Owner, after uint64) error {
	var err error
	if after == 0 {
		_, err = c.bucket.Create(ctx, key(dead), []byte(by))
	} else {
		_, err = c.bucket.Update(ctx, key(dead), []byte(by), after)
	}
	if e, ok := errors.AsType[*jetstream.APIError](err); ok && e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || errors.Is(err, jetstream.ErrKeyExists) {
		return ErrTaken
	}
	if err != nil {
		return fmt.Errorf("webhook: claim a queue: %w", err)
	}
	return nil
}

// Forget removes the entry itself: a tombstone would stay for ever.
func (c *jetClaims) Forget(ctx context.Context, dead Owner, by Claim) error {
	err := c.stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+claimsBucket+"."+key(dead)), jetstream.WithPurgeSequence(by.Revision+1))
	if err != nil {
		return fmt.Errorf("webhook: forget a claim: %w", err)
	}
	return nil
}
