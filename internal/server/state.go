package server

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/usage"
)

// stateTimeout bounds how long the durable state takes to be there.
const stateTimeout = 30 * time.Second

// state is what outlives the process.
type state struct {
	name   string // of the node; empty if it is alone, or not asked for yet
	engine *engine.Engine
	apps   *appstore.Store
}

// openEngine starts the engine. In a cluster it waits for others.
func (s *Server) openEngine() error {
	name, err := s.nodeName()
	if err != nil {
		return err
	}
	ctx, cancel := s.starting()
	defer cancel()
	s.state.engine, err = engine.Open(ctx, engine.Config{
		DataDir: s.cfg.DataDir, URL: s.cfg.EngineURL, Cluster: s.cfg.Cluster.engine(name), Registerer: s.metrics, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.onStop("engine", s.stopEngine)
	return nil
}

// openState starts the engine, and fills the registry.
func (s *Server) openState(registry *apps.Registry) error {
	if err := s.openEngine(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	bucket, err := s.state.engine.KeyValue(ctx, appstore.Bucket)
	if err != nil {
		return err
	}
	s.state.apps, err = appstore.Open(ctx, appstore.Config{
		Bucket:     bucket,
		Registry:   registry,
		Configured: s.cfg.Apps,
		Writable:   s.state.engine.Writable,
		Registerer: s.metrics,
		Log:        s.log,
	})
	if err != nil {
		return err
	}
	s.state.engine.OnLoss(engine.BucketStream(appstore.Bucket), s.state.apps.Reload)
	s.onStop("apps", func(context.Context) error { s.state.apps.Close(); return nil })
	return nil
}

// firstApp makes an app in a service that never had one, and tells it.
func (s *Server) firstApp() error {
	if len(s.cfg.Apps) > 0 || s.cfg.FirstApp == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	name, err := s.nodeName()
	if err != nil {
		return err
	}
	err = s.state.apps.First(ctx, appstore.First{
		Name: "first app",
		Node: name,
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

// adminToken finds or makes what the admin API asks for, if there is one.
func (s *Server) adminToken() error {
	if s.cfg.AdminListen == "" || s.cfg.AdminToken != "" || s.cfg.DataDir == "" {
		return nil
	}
	token, made, err := admin.Token(s.cfg.DataDir)
	if err != nil {
		return err
	}
	s.log.Info("the admin API asks for the token in this file", "file", filepath.Join(s.cfg.DataDir, admin.TokenFile), "made", made)
	s.cfg.AdminToken = token
	return nil
}

// openUsage begins to keep what apps use.
func (s *Server) openUsage() (*usage.Recorder, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	name, err := s.nodeName()
	if err != nil {
		return nil, err
	}
	r, err := usage.Open(ctx, usage.Config{
		Node:       name,
		JetStream:  s.state.engine.JetStream(),
		Storage:    s.state.engine.Storage(),
		MakeBucket: s.state.engine.Bucket,
		Take:       func(each func(string, usage.Sample)) { s.hub.TakeUsage(sampled(each)) },
		Registerer: s.metrics,
		Log:        s.log,
	})
	if err != nil {
		return nil, err
	}
	s.state.engine.OnLoss(engine.BucketStream(usage.Bucket), r.Rewrite)
	s.onStop("usage", r.Close)
	return r, nil
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
