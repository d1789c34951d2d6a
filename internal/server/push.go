package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/admission"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/forwarded"
	"github.com/belfryhq/belfry/internal/push/beams"
	"github.com/belfryhq/belfry/internal/push/callback"
	"github.com/belfryhq/belfry/internal/push/devices"
	"github.com/belfryhq/belfry/internal/push/native"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/reports"
	"github.com/belfryhq/belfry/internal/rate"
)

// Push says who may do what about push notifications. Which apps have them is a matter
// of those.
type Push struct {
	RequireTLS bool // refuse requests that came without
	// RegistrationsPerMinute is how often one address may register devices. It may
	// change something ten times as often. Zero means no limit.
	RegistrationsPerMinute int
	// Hosts are push services that browsers may name beside [notification.DefaultHosts],
	// and written like them.
	Hosts     []string
	Providers PushProviders
}

// hosts are the push services that browsers may name.
func (p Push) hosts() []string { return slices.Concat(notification.DefaultHosts, p.Hosts) }

// changesPerRegistration is how often an address may change something for each time that
// it may register a device.
const changesPerRegistration = 10

// push is what of a node has to do with push notifications.
type push struct {
	devices   *devices.Store
	reports   *reports.Store
	delivery  *pushDelivery
	callbacks *callback.Queue // what is open of delivery; its one goroutine uses it
	published sync.Map        // app id → *rate.Limiter
	native    *native.Handler
	beams     *beams.Handler
}

// openPush makes what answers the APIs of push notifications. Devices are read once an
// app has them.
func (s *Server) openPush(registry *apps.Registry) {
	p := &s.push
	p.devices = devices.New(devices.Config{
		Bucket: func(ctx context.Context) (jetstream.KeyValue, error) {
			return s.engine.Bucket(ctx, devices.BucketConfig())
		},
		Drop:       s.dropDevices,
		Writable:   s.engine.Writable,
		Registerer: s.metrics,
		Log:        s.log,
	})
	s.onStop("push devices", func(context.Context) error { p.devices.Close(); return nil })
	s.engine.OnLoss(engine.BucketStream(devices.Bucket), p.devices.Reload)
	known := pushApps{registry}
	p.delivery = newPushDelivery(s.openDispatcher(known), func(err error) {
		s.log.Error("push notifications can not be taken yet", "err", err)
	})
	s.onStop("push notifications", p.delivery.stop)
	p.reports = reports.New(reports.Config{
		Bucket: func(ctx context.Context) (jetstream.KeyValue, error) {
			return s.engine.Bucket(ctx, reports.BucketConfig(s.engine.Storage()))
		},
		Tell:       p.tellReport(known),
		Writable:   s.engine.Writable,
		Registerer: s.metrics,
	})
	p.openAPIs(s, registry)
	registry.Watch(p.appChanged)
	for _, app := range registry.All() {
		p.appChanged(apps.Change{New: app})
	}
}

// openAPIs makes the handlers.
func (p *push) openAPIs(s *Server, registry *apps.Registry) {
	trusted, cfg := forwarded.Proxies(s.cfg.TrustedProxies), s.cfg.Push
	perAddress := func(perMinute int) func(*http.Request) (time.Duration, bool) {
		return admission.New(admission.Config{PerMinute: perMinute, TrustedProxies: trusted}).Admit
	}
	register, change := perAddress(cfg.RegistrationsPerMinute), perAddress(changesPerRegistration*cfg.RegistrationsPerMinute)
	p.native = native.New(native.Config{
		Apps: registry, Devices: p.devices, Publish: p.delivery, Admit: p.admit, Register: register, Change: change,
		Verify: func(r *http.Request, app string, limit int64) (*apps.App, []byte, error) {
			found, body, status, err := s.api.Verify(r, app, limit)
			if err != nil {
				err = &native.Refusal{Status: status, Message: err.Error()}
			}
			return found, body, err
		},
		Secure: trusted.Secure, RequireTLS: cfg.RequireTLS, Path: s.cfg.Path, Log: s.log,
	})
	p.beams = beams.New(beams.Config{
		Apps: registry, Devices: p.devices, Publish: p.delivery, Report: p.reports.Take, Admit: p.admit, Register: register, Change: change,
		Secure: trusted.Secure, RequireTLS: cfg.RequireTLS, Hosts: cfg.hosts(), Path: s.cfg.Path, Log: s.log,
	})
}

// admit takes one publish of what the app may do in a second on this node.
func (p *push) admit(app *apps.App) (wait time.Duration, ok bool) {
	perSecond := app.Limits.PushPublishesPerSecond
	if perSecond <= 0 {
		return 0, true
	}
	found, _ := p.published.LoadOrStore(app.ID, new(rate.Limiter))
	wait, ok = found.(*rate.Limiter).Take(time.Now(), 1, rate.PerSecond(perSecond))
	return cmp.Or(wait, time.Second), ok
}

// appChanged begins to read devices when an app has them.
func (p *push) appChanged(c apps.Change) {
	switch {
	case c.New == nil:
		p.published.Delete(c.Old.ID)
	case c.New.Push.Enabled:
		p.devices.Begin()
		p.delivery.begin()
	}
}

// dropDevices removes messages from the stream of the bucket of devices.
func (s *Server) dropDevices(ctx context.Context, subject string, until uint64) error {
	stream, err := s.engine.JetStream().Stream(ctx, engine.BucketStream(devices.Bucket))
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(until))
}
