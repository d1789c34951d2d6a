package server

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/history/durable"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/idempotency"
	"github.com/belfryhq/belfry/internal/usage"
)

// stateTimeout bounds how long the durable state takes to be there.
const stateTimeout = 30 * time.Second

// openApps fills the registry.
func (s *Server) openApps(registry *apps.Registry) error {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	bucket, err := s.engine.KeyValue(ctx, appstore.Bucket)
	if err != nil {
		return err
	}
	stream := engine.BucketStream(appstore.Bucket)
	starting, stop := s.starting()
	defer stop()
	s.apps, err = appstore.Open(starting, appstore.Config{
		Bucket:     bucket,
		Last:       func(ctx context.Context) (uint64, error) { return s.engine.Last(ctx, stream) },
		Registry:   registry,
		Configured: s.cfg.Apps,
		Writable:   s.engine.Writable,
		Registerer: s.metrics,
		Log:        s.log,
	})
	if err != nil {
		return err
	}
	s.engine.OnLoss(stream, s.apps.Reload)
	s.onStop("apps", func(context.Context) error { s.apps.Close(); return nil })
	return nil
}

// firstApp makes an app in a service that never had one, and tells it.
func (s *Server) firstApp() error {
	if len(s.cfg.Apps) > 0 || s.cfg.FirstApp == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	err := s.apps.First(ctx, appstore.First{
		Name: "first app",
		Node: s.name,
		Tell: func(app *apps.App) error { return s.cfg.FirstApp(app, s.base()) },
	})
	if err != nil {
		return fmt.Errorf("server: first app: %w", err)
	}
	return nil
}

// base is where programs on this machine reach the node.
func (s *Server) base() *url.URL {
	u, address := &url.URL{Scheme: "http", Path: s.cfg.Path}, s.Addr()
	if address == nil {
		u.Scheme, address = "https", s.TLSAddr()
	}
	if address == nil {
		return u
	}
	u.Host = address.String()
	if ap, err := netip.ParseAddrPort(u.Host); err == nil && ap.Addr().IsUnspecified() {
		u.Host = fmt.Sprintf("127.0.0.1:%d", ap.Port())
	}
	return u
}

// openUsage begins to keep what apps use.
func (s *Server) openUsage(registry *apps.Registry) (*usage.Recorder, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	r, err := usage.Open(ctx, usage.Config{
		Node:       s.name,
		JetStream:  s.engine.JetStream(),
		Storage:    s.engine.Storage(),
		MakeBucket: s.engine.Bucket,
		Take:       s.takeUsage,
		TopApps:    s.cfg.AppMetrics,
		App: func(id string) (int, bool) {
			app := registry.ByID(id)
			if app == nil {
				return 0, false
			}
			return s.hub.ConnectionsHere(app), true
		},
		Registerer: s.metrics,
		Log:        s.log,
	})
	if err != nil {
		return nil, err
	}
	s.engine.OnLoss(engine.BucketStream(usage.Bucket), r.Rewrite)
	s.onStop("usage", r.Close)
	return r, nil
}

// openIdempotency begins to remember idempotency keys.
func (s *Server) openIdempotency() error {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	storage := s.engine.Storage()
	bucket, err := s.engine.Bucket(ctx, idempotency.BucketConfig(storage))
	if err != nil {
		return err
	}
	s.keys = idempotency.New(idempotency.Config{
		Bucket:     bucket,
		Storage:    storage,
		Writable:   s.engine.Writable,
		Registerer: s.metrics,
		Log:        s.log,
	})
	s.onStop("idempotency keys", func(context.Context) error { s.keys.Close(); return nil })
	return nil
}

// openDurable makes what keeps events in the engine. The stream is made when an app wants
// that first.
func (s *Server) openDurable() {
	s.histories = durable.New(durable.Config{
		Node:      s.id,
		JetStream: s.engine.JetStream(),
		Open: func(ctx context.Context) (jetstream.Stream, error) {
			return s.engine.Stream(ctx, durable.StreamConfig(s.engine.Storage()))
		},
		Writable:   s.engine.Writable,
		Registerer: s.metrics,
		Log:        s.log,
	})
	s.onStop("durable histories", s.histories.Close)
}

// takeUsage hands on what was counted since the last time.
func (s *Server) takeUsage(each func(string, usage.Sample)) {
	s.hub.TakeUsage(sampled(each))
	s.keyUses.TakeRequests(func(app string, n uint64) { each(app, usage.Sample{Requests: n}) })
}

// sampled hands on what the hub counted.
func sampled(each func(string, usage.Sample)) func(string, hub.Usage) {
	return func(app string, u hub.Usage) {
		each(app, usage.Sample{
			PeakConnections: u.PeakConnections,
			BackendEvents:   u.BackendEvents,
			ClientEvents:    u.ClientEvents,
			Deliveries:      u.Deliveries,
		})
	}
}
