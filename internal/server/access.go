package server

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/tokenstore"
)

// openAccess begins to read the named tokens, and to write down what is done with them,
// where there is an API that they open. It does not wait for the engine: the token of the
// service works without.
func (p *process) openAccess() {
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
	p.audit = audit.Open(audit.Config{
		Open:       func(ctx context.Context) (jetstream.Stream, error) { return p.engine.Stream(ctx, audit.Stream) },
		JetStream:  p.engine.JetStream(),
		Writable:   p.engine.Writable,
		Node:       p.nodeInfo().Name,
		Registerer: p.metrics,
		Log:        p.log,
	})
	p.onStop("audit", func(context.Context) error { p.audit.Close(); return nil })
	p.onStop("tokens", func(context.Context) error { p.tokens.Close(); return nil })
}
