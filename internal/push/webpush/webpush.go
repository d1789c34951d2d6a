// Package webpush hands notifications to the push services of browsers, by the standard
// that all of them have (RFC 8030, 8188, 8291 and 8292).
//
// A [Client] is for the VAPID keys of one app. Push services are whatever hosts
// subscriptions name, so that a list says which are allowed. Addresses within private
// networks are refused when they are dialed.
//
// # Locks
//
// The lock of the tokens of a key is a leaf.
package webpush

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/egress"
	"github.com/belfryhq/belfry/internal/push/exchange"
	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	// Concurrency is how many notifications should be under way to one host at once.
	Concurrency    = 32
	connectTimeout = 5 * time.Second
)

// Config says how push services are reached. The zero value is how it is.
type Config struct {
	// Hosts are the push services that are allowed. Nil: [notification.DefaultHosts].
	Hosts   []string
	Timeout time.Duration // of one answer; zero: [exchange.DefaultTimeout]
	// Roots are the authorities of the hosts' certificates. Nil: those of the system.
	Roots *x509.CertPool
	// AllowedNetworks may be reached although they are private.
	AllowedNetworks []netip.Prefix
	// Now replaces the clock for tests.
	Now func() time.Time
}

// A Client sends with the keys of one app. Make one with [New].
type Client struct {
	cfg       Config
	vouchers  []*voucher
	transport *http.Transport
}

var _ notification.Sender = (*Client)(nil)

// New returns a client of these credentials. The error says what is wrong with them.
func New(c *notification.WebCredentials, cfg Config) (*Client, error) {
	if cfg.Hosts == nil {
		cfg.Hosts = notification.DefaultHosts
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if len(c.Keys) == 0 {
		return nil, errors.New("there is no VAPID key")
	}
	if err := CheckContact(c.Contact); err != nil {
		return nil, err
	}
	w := &Client{cfg: cfg}
	for _, k := range c.Keys {
		v, err := newVoucher(k, c.Contact, cfg.Now)
		if err != nil {
			return nil, err
		}
		w.vouchers = append(w.vouchers, v)
	}
	w.transport = egress.NewTransport(egress.Config{ConnectTimeout: connectTimeout, AllowedNetworks: cfg.AllowedNetworks, IdlePerHost: Concurrency})
	w.transport.TLSClientConfig = &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12}
	w.transport.ForceAttemptHTTP2 = true
	return w, nil
}

// Close implements [notification.Sender].
func (w *Client) Close() { w.transport.CloseIdleConnections() }

// voucher is the key that a subscription is bound to, and whether it is still there.
func (w *Client) voucher(id string) (*voucher, bool) {
	for _, v := range w.vouchers {
		if v.id == id {
			return v, true
		}
	}
	return w.vouchers[0], id == ""
}

// Send implements [notification.Sender].
func (w *Client) Send(ctx context.Context, _ string, d notification.Device, n *notification.Notification) notification.Outcome {
	s, err := notification.ParseSubscription([]byte(d.Token))
	switch {
	case err != nil:
		return notification.Outcome{Verdict: notification.DeviceGone, Reason: "the subscription can not be read"}
	case !s.HostIn(w.cfg.Hosts):
		return notification.Outcome{Verdict: notification.DeviceRefused, Reason: "the push service is not among those that are allowed"}
	case len(n.Body) > notification.MaxWeb:
		return notification.Outcome{Verdict: notification.BadPayload, Reason: fmt.Sprintf("the notification has more than %d bytes", notification.MaxWeb)}
	}
	voucher, held := w.voucher(d.VAPIDKey)
	header, err := w.header(voucher, s, n)
	if err != nil {
		return notification.Outcome{Verdict: notification.BadCredentials, Reason: "the VAPID key does not sign"}
	}
	body, err := encrypt(s, n.Body)
	if err != nil {
		return notification.Outcome{Verdict: notification.DeviceRefused, Reason: "the subscription's key does not encrypt"}
	}
	answer, o := exchange.Post(ctx, w.transport, w.cfg.Timeout, s.Endpoint, header, body)
	if answer == nil {
		return o
	}
	return judge(answer, held, w.cfg.Now())
}

func (w *Client) header(v *voucher, s notification.Subscription, n *notification.Notification) (http.Header, error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	authorization, err := v.authorization("https://" + strings.TrimSuffix(u.Host, ":443"))
	if err != nil {
		return nil, err
	}
	ttl := n.TTL
	if !n.Expires.IsZero() {
		ttl = min(ttl, n.Expires.Sub(w.cfg.Now()))
	}
	urgency := "normal"
	if n.Urgent {
		urgency = "high"
	}
	return http.Header{
		"Content-Type":     {"application/octet-stream"},
		"Content-Encoding": {"aes128gcm"},
		"Ttl":              {strconv.FormatInt(int64(max(ttl, 0)/time.Second), 10)},
		"Urgency":          {urgency},
		"Authorization":    {authorization},
	}, nil
}

// judge says what an answer of a push service means.
func judge(a *exchange.Answer, held bool, now time.Time) notification.Outcome {
	o := notification.Outcome{Reason: a.Word("")}
	switch {
	case a.Status == http.StatusCreated, a.Status == http.StatusOK, a.Status == http.StatusAccepted:
		return notification.Outcome{Verdict: notification.Accepted}
	case a.Status == http.StatusNotFound, a.Status == http.StatusGone:
		o.Verdict = notification.DeviceGone
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		if o.Verdict = notification.BadCredentials; !held {
			o.Verdict = notification.DeviceGone
			o.Reason += ": the VAPID key of the subscription is not there any more"
			break
		}
		o.Reason += ": the push service refuses the VAPID key or its contact" + a.Clock(now)
	case a.Status == http.StatusRequestEntityTooLarge:
		o.Verdict = notification.BadPayload
	case a.Status == http.StatusTooManyRequests:
		o.Verdict, o.Scope = notification.Retry, notification.Host
		o.RetryAfter = cmp.Or(a.RetryAfter(), time.Minute)
	case a.Status >= http.StatusInternalServerError:
		o.Verdict, o.Scope = notification.Retry, notification.OneDevice
		if after := a.RetryAfter(); after > 0 {
			o.Scope, o.RetryAfter = notification.Host, after
		}
	default:
		o.Verdict = notification.DeviceRefused
	}
	return o
}
