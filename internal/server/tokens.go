package server

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/tokenstore"
)

// openTokens begins to read the named tokens, where there is an API that they open. It
// does not wait for them: the token of the service works without.
func (p *process) openTokens() {
	if p.cfg.AdminListen == "" || p.cfg.AdminToken == "" {
		return
	}
	stream := engine.BucketStream(tokenstore.Bucket)
	p.tokens = tokenstore.Open(tokenstore.Config{
		Bucket: func(ctx context.Context) (jetstream.KeyValue, error) {
			return p.engine.KeyValue(ctx, tokenstore.Bucket)
		},
		Last:     func(ctx context.Context) (uint64, error) { return p.engine.Last(ctx, stream) },
		Writable: p.engine.Writable,
		Log:      p.log,
	})
	p.engine.OnLoss(stream, p.tokens.Reload)
	p.onStop("tokens", func(context.Context) error { p.tokens.Close(); return nil })
}
