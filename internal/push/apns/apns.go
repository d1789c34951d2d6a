// Package apns hands notifications to Apple, over HTTP/2.
//
// A [Client] is for one set of credentials: a team's key, or a certificate. It has
// connections of its own, because Apple takes one team on each. It keeps few of them,
// for long.
//
// # Locks
//
// The lock of the token is a leaf.
package apns

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/egress"
	"github.com/belfryhq/belfry/internal/push/exchange"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// Apple's hosts.
const (
	ProductionURL = "https://api.push.apple.com"
	SandboxURL    = "https://api.sandbox.push.apple.com"
)

const (
	// Streams is how many notifications should be under way at once.
	Streams = 500
	// connections is how many there are to one host at most.
	connections = 4
	// A connection is asked whether it is there after silentFor, and has
	// pingPatience to answer.
	silentFor, pingPatience = 30 * time.Second, 10 * time.Second
	connectTimeout          = 5 * time.Second
)

// Config says how Apple is reached. The zero value is how it is.
type Config struct {
	Production, Sandbox string        // base URLs; empty: Apple's
	Timeout             time.Duration // of one answer; zero: [exchange.DefaultTimeout]
	// Roots are the authorities of the hosts' certificates. Nil: those of the system.
	Roots *x509.CertPool
	// AllowedNetworks may be reached although they are private.
	AllowedNetworks []netip.Prefix
	// Now replaces the clock for tests.
	Now func() time.Time
}

// A Client sends with one set of credentials. Make one with [New].
type Client struct {
	cfg       Config
	signer    *signer // nil with a certificate
	topic     string  // of the certificate, or of the credentials; may be empty
	first     notification.Environment
	transport *http.Transport
}

var _ notification.Sender = (*Client)(nil)

// New returns a client of these credentials. The error says what is wrong with them.
func New(c *notification.APNsCredentials, cfg Config) (*Client, error) {
	cfg.Production = cmp.Or(cfg.Production, ProductionURL)
	cfg.Sandbox = cmp.Or(cfg.Sandbox, SandboxURL)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Client{cfg: cfg, first: c.Environment, topic: c.Topic}
	security := &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12}
	if len(c.Key) > 0 {
		var err error
		if a.signer, err = newSigner(c.TeamID, c.KeyID, c.Key, cfg.Now); err != nil {
			return nil, err
		}
	} else {
		certificate, topic, err := readCertificate(c.Certificate, c.Password, cfg.Now())
		if err != nil {
			return nil, err
		}
		security.Certificates = []tls.Certificate{certificate}
		a.topic = cmp.Or(a.topic, topic)
	}
	a.transport = egress.NewTransport(egress.Config{ConnectTimeout: connectTimeout, AllowedNetworks: cfg.AllowedNetworks})
	a.transport.TLSClientConfig = security
	a.transport.MaxConnsPerHost = connections
	a.transport.IdleConnTimeout = 0
	a.transport.Protocols = new(http.Protocols)
	a.transport.Protocols.SetHTTP2(true) // Apple speaks nothing else
	a.transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: silentFor, PingTimeout: pingPatience}
	return a, nil
}

// Close implements [notification.Sender].
func (a *Client) Close() { a.transport.CloseIdleConnections() }

// Send implements [notification.Sender]. A token of which nobody knows whose it is may be
// tried with both of Apple's hosts: one that does not know it has not delivered anything.
func (a *Client) Send(ctx context.Context, id string, d notification.Device, n *notification.Notification) notification.Outcome {
	if len(n.Body) > notification.MaxAPNs {
		return notification.Outcome{Verdict: notification.BadPayload, Reason: "PayloadTooLarge"}
	}
	if !isHex(d.Token) {
		return notification.Outcome{Verdict: notification.DeviceGone, Reason: badDeviceToken}
	}
	environment := cmp.Or(d.Environment, a.first, notification.Auto)
	if d.Environment == notification.Auto && a.first != "" {
		environment = a.first
	}
	switch environment {
	case notification.Sandbox:
		return a.sendTo(ctx, a.cfg.Sandbox, id, d, n)
	case notification.Production:
		return a.sendTo(ctx, a.cfg.Production, id, d, n)
	}
	first := a.sendTo(ctx, a.cfg.Production, id, d, n)
	if first.Reason != badDeviceToken {
		return first
	}
	second := a.sendTo(ctx, a.cfg.Sandbox, id, d, n)
	switch second.Verdict {
	case notification.Accepted:
		second.Environment = notification.Sandbox
	case notification.BadCredentials, notification.DeviceGone:
		return first // the key is for production alone, and the token is not of it
	}
	return second
}

// sendTo sends to one of the hosts, once more with a new token if Apple says that it
// has expired.
func (a *Client) sendTo(ctx context.Context, host, id string, d notification.Device, n *notification.Notification) notification.Outcome {
	header, ok := a.header(id, d, n)
	if !ok {
		return notification.Outcome{Verdict: notification.DeviceRefused, Reason: "MissingTopic: neither the device nor the app has a topic"}
	}
	url := host + "/3/device/" + d.Token
	if a.signer == nil {
		return a.post(ctx, url, header, n.Body)
	}
	token, err := a.signer.current()
	if err != nil {
		return notification.Outcome{Verdict: notification.BadCredentials, Reason: "the key does not sign"}
	}
	header.Set("Authorization", "bearer "+token)
	o := a.post(ctx, url, header, n.Body)
	if o.Verdict == notification.BadCredentials && expired(o.Reason) {
		if token, ok = a.signer.renew(token); ok {
			header.Set("Authorization", "bearer "+token)
			return a.post(ctx, url, header, n.Body)
		}
	}
	return o
}

func (a *Client) post(ctx context.Context, url string, header http.Header, body []byte) notification.Outcome {
	answer, o := exchange.Post(ctx, a.transport, a.cfg.Timeout, url, header, body)
	if answer == nil {
		return o
	}
	o = judge(answer, a.cfg.Now())
	if o.Verdict == notification.BadPayload && ofTopic(o.Reason) && header.Get("apns-topic") != a.topic {
		o.Verdict = notification.DeviceRefused // whoever has registered the device has named the topic
	}
	return o
}

// isHex reports whether a text is a token of Apple's, so that it is safe in a path.
func isHex(token string) bool {
	const longest = 400
	return token != "" && len(token) <= longest && strings.Trim(token, "0123456789abcdefABCDEF") == ""
}

// header returns the headers of a notification. It reports false if no topic is known.
func (a *Client) header(id string, d notification.Device, n *notification.Notification) (http.Header, bool) {
	topic := cmp.Or(d.Topic, a.topic)
	visible := isVisible(n.Body)
	priority := n.Priority
	h := http.Header{
		"Content-Type":   {"application/json"},
		"Apns-Topic":     {topic},
		"Apns-Id":        {id},
		"Apns-Push-Type": {"alert"},
	}
	if !visible {
		h.Set("apns-push-type", "background")
		priority = 5
	}
	if priority != 0 {
		h.Set("apns-priority", strconv.Itoa(priority))
	}
	if n.Expiration != nil {
		h.Set("apns-expiration", strconv.FormatInt(*n.Expiration, 10))
	}
	if n.CollapseID != "" {
		h.Set("apns-collapse-id", n.CollapseID)
	}
	if topic == "" {
		h.Del("apns-topic") // that of a certificate which is for one alone
	}
	return h, topic != "" || a.signer == nil
}

// isVisible reports whether a person notices the notification.
func isVisible(body []byte) bool {
	var payload struct {
		APS map[string]json.RawMessage `json:"aps"`
	}
	if json.Unmarshal(body, &payload) != nil {
		return true
	}
	for _, key := range []string{"alert", "badge", "sound"} {
		if v, ok := payload.APS[key]; ok && string(v) != "null" {
			return true
		}
	}
	return false
}
