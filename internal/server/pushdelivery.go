package server

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/push/beams"
	"github.com/belfryhq/belfry/internal/push/callback"
	"github.com/belfryhq/belfry/internal/push/fanout"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// PushProviders says how the providers of push notifications are reached. The zero value
// is how it is.
type PushProviders struct {
	APNs, APNsSandbox, FCM string // base URLs; empty: Apple's and Google's
	CAFile                 string // PEM of authorities that are believed beside those of the system; empty: none
	// AllowedNetworks may be reached although they are not public, by providers and by
	// webhooks of push notifications.
	AllowedNetworks []netip.Prefix
}

// errNoPush says that nothing can be published yet.
var errNoPush = errors.New("server: the queue of push notifications is not open yet")

// pushDelivery is the queue of push notifications, and what empties it. It is opened when
// the first app has push, so that others need not pay for it.
type pushDelivery struct {
	open   func(context.Context) (*fanout.Dispatcher, *callback.Queue, error)
	ctx    context.Context // until stop
	cancel context.CancelFunc
	begun  sync.Once
	work   sync.WaitGroup
	failed func(error) // is told of each attempt that failed
	opened chan struct{}

	mu         sync.Mutex
	dispatcher *fanout.Dispatcher // nil: not yet
	callbacks  *callback.Queue
}

func newPushDelivery(open func(context.Context) (*fanout.Dispatcher, *callback.Queue, error), failed func(error)) *pushDelivery {
	d := &pushDelivery{open: open, failed: failed, opened: make(chan struct{})}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// openAgain is how it is tried again to open the queue.
var openAgain = backoff.Policy{First: time.Second, Most: 30 * time.Second, Jitter: true}

// begin opens the queue, and tries until that succeeds. It does not wait, and may be
// called more than once.
func (d *pushDelivery) begin() {
	d.begun.Do(func() {
		d.work.Go(func() {
			_ = openAgain.Retry(d.ctx, func() (again bool, err error) {
				dispatcher, callbacks, err := d.open(d.ctx)
				if err != nil {
					if d.ctx.Err() == nil {
						d.failed(err)
					}
					return true, err
				}
				d.mu.Lock()
				defer d.mu.Unlock()
				d.dispatcher, d.callbacks = dispatcher, callbacks
				close(d.opened)
				return false, nil
			})
		})
	})
}

// queues are what is open, or nil.
func (d *pushDelivery) queues() (*fanout.Dispatcher, *callback.Queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dispatcher, d.callbacks
}

// openPatience is how long a publish waits for the queue, as just after a start.
const openPatience = 5 * time.Second

// Publish implements [notification.Publisher].
func (d *pushDelivery) Publish(ctx context.Context, p *notification.Publish) error {
	bounded, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	select {
	case <-d.opened:
	case <-bounded.Done():
	case <-d.ctx.Done():
	}
	dispatcher, _ := d.queues()
	if dispatcher == nil {
		return errNoPush
	}
	return dispatcher.Publish(ctx, p)
}

// stop ends what is open.
func (d *pushDelivery) stop(ctx context.Context) error {
	d.begun.Do(func() {})
	d.cancel()
	d.work.Wait()
	dispatcher, callbacks := d.queues()
	if dispatcher == nil {
		return nil
	}
	return errors.Join(dispatcher.Stop(ctx), callbacks.Stop(ctx))
}

// openDispatcher opens the queues.
func (s *Server) openDispatcher(credentials pushApps) func(context.Context) (*fanout.Dispatcher, *callback.Queue, error) {
	return func(ctx context.Context) (*fanout.Dispatcher, *callback.Queue, error) {
		c := s.cfg.Push
		roots, err := authorities(c.Providers.CAFile)
		if err != nil {
			return nil, nil, err
		}
		if s.push.callbacks == nil { // a former attempt has not come further
			s.push.callbacks, err = callback.Open(ctx, callback.Config{
				Engine: s.engine, AllowedNetworks: c.Providers.AllowedNetworks, Registerer: s.metrics, Log: s.log,
			})
			if err != nil {
				return nil, nil, err
			}
		}
		d, err := fanout.New(ctx, fanout.Config{
			Engine: s.engine, Devices: s.push.devices, Apps: credentials, Callbacks: s.push.callbacks,
			Providers: fanout.Providers{
				APNs: c.Providers.APNs, APNsSandbox: c.Providers.APNsSandbox, FCM: c.Providers.FCM, WebHosts: c.hosts(),
				Roots: roots, AllowedNetworks: c.Providers.AllowedNetworks,
			},
			Registerer: s.metrics, Log: s.log,
		})
		return d, s.push.callbacks, err
	}
}

// authorities are those of the system, and those of a file.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("server: push.ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("server: push.ca_file: %s has no certificate in PEM form", file)
	}
	return pool, nil
}

// pushApps are what delivery has to know of apps.
type pushApps struct{ *apps.Registry }

// Credentials implements [fanout.Apps].
func (r pushApps) Credentials(id string) (c notification.Credentials, ok bool) {
	a := r.ByID(id)
	if a == nil {
		return c, false
	}
	p := &a.Push
	c.InstanceID = p.InstanceID
	if p.APNsKey != "" || p.APNsCertificate != "" {
		c.APNs = &notification.APNsCredentials{
			TeamID: p.APNsTeamID, KeyID: p.APNsKeyID, Key: []byte(p.APNsKey),
			Certificate: certificateOf(p.APNsCertificate), Password: p.APNsCertificatePassword,
			Environment: notification.Environment(p.APNsEnvironment), Topic: p.APNsTopic,
		}
	}
	if p.FCMServiceAccount != "" {
		c.FCM = &notification.FCMCredentials{ServiceAccount: []byte(p.FCMServiceAccount)}
	}
	if keys := a.VAPIDKeys(); len(keys) > 0 {
		c.Web = &notification.WebCredentials{Contact: p.VAPIDContact}
		for _, k := range keys {
			c.Web.Keys = append(c.Web.Keys, notification.VAPIDKey{ID: k.ID, Private: k.Private})
		}
	}
	for _, url := range p.Webhooks {
		c.Webhooks = append(c.Webhooks, notification.Webhook{ID: notification.StableID(id, url), URL: url, Secret: p.WebhookSecret, Events: p.WebhookEvents})
	}
	return c, true
}

// certificateOf is a certificate as its provider takes it: PEM, or the bytes of a .p12
// file, which stands in the setting as base64.
func certificateOf(text string) []byte {
	if !strings.Contains(text, "-----BEGIN") {
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil {
			return b
		}
	}
	return []byte(text)
}

// SigningKey implements [fanout.Apps]: the oldest pair signs, as for webhooks of channels.
func (r pushApps) SigningKey(id string) (key, secret string, ok bool) {
	a := r.ByID(id)
	if a == nil || len(a.Keys) == 0 {
		return "", "", false
	}
	k := a.Keys[0]
	return k.Key, k.Secret, true
}

// tellReport tells the webhooks of an app what a device of a user has reported.
func (p *push) tellReport(credentials pushApps) func(context.Context, *apps.App, beams.Report) error {
	return func(ctx context.Context, app *apps.App, r beams.Report) error {
		_, callbacks := p.delivery.queues()
		if callbacks == nil {
			return errNoPush
		}
		e := callback.BeamsEvent{
			App: app.ID, Type: callback.UserNotificationAcknowledgement, At: time.Now(),
			Payload: map[string]string{"instance_id": app.Push.InstanceID, "publish_id": r.PublishID, "user_id": r.User},
		}
		if r.Opened {
			e.Type = callback.UserNotificationOpen
		}
		e.ID = notification.StableID(app.ID, r.PublishID, r.Device, e.Type)
		c, _ := credentials.Credentials(app.ID)
		for _, w := range c.Webhooks {
			if !callback.Wanted(w, e.Type) {
				continue
			}
			call, err := callback.Beams(w, e)
			if err != nil {
				return err
			}
			if err := callbacks.Put(ctx, call); err != nil {
				return err
			}
		}
		return nil
	}
}

// operators are answered by what delivers; by nothing before an app has push.
func (p *push) operators() admin.PushDelivery {
	if dispatcher, _ := p.delivery.queues(); dispatcher != nil {
		return dispatcher
	}
	return nil
}
