// Package fcm hands notifications to Google, by FCM's HTTP v1, and makes messages for it
// from those of the legacy API.
//
// A [Client] is for one service account. Its access tokens are kept until shortly before
// their end, and one of them is asked for at a time.
//
// # Locks
//
// The lock of the tokens is a leaf. It is not held while Google is asked.
package fcm

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/egress"
	"github.com/belfryhq/belfry/internal/push/exchange"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// Endpoint is Google's.
const Endpoint = "https://fcm.googleapis.com"

const (
	// Concurrency is how many notifications should be under way at once.
	Concurrency    = 200
	connectTimeout = 5 * time.Second
)

// Config says how Google is reached. The zero value is how it is. Where tokens come from
// stands in the service account.
type Config struct {
	Endpoint string        // base URL; empty: Google's
	Timeout  time.Duration // of one answer; zero: [exchange.DefaultTimeout]
	// Roots are the authorities of the hosts' certificates. Nil: those of the system.
	Roots *x509.CertPool
	// AllowedNetworks may be reached although they are private.
	AllowedNetworks []netip.Prefix
	// Now replaces the clock for tests.
	Now func() time.Time
}

// A Client sends for one service account. Make one with [New].
type Client struct {
	cfg       Config
	url       string
	project   string
	tokens    *tokens
	transport *http.Transport
}

var _ notification.Sender = (*Client)(nil)

// New returns a client of these credentials. The error says what is wrong with them.
func New(c *notification.FCMCredentials, cfg Config) (*Client, error) {
	account, project, err := readServiceAccount(c.ServiceAccount)
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	transport := egress.NewTransport(egress.Config{ConnectTimeout: connectTimeout, AllowedNetworks: cfg.AllowedNetworks, IdlePerHost: Concurrency})
	transport.TLSClientConfig = &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12}
	transport.ForceAttemptHTTP2 = true
	return &Client{
		cfg:       cfg,
		url:       cmp.Or(cfg.Endpoint, Endpoint) + "/v1/projects/" + project + "/messages:send",
		project:   project,
		tokens:    &tokens{config: account, over: &watched{over: transport}, now: cfg.Now},
		transport: transport,
	}, nil
}

// Project is the project of the service account.
func (c *Client) Project() string { return c.project }

// Close implements [notification.Sender].
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Send implements [notification.Sender].
func (c *Client) Send(ctx context.Context, _ string, d notification.Device, n *notification.Notification) notification.Outcome {
	body, err := request(n, d.Token)
	if err != nil {
		return notification.Outcome{Verdict: notification.BadPayload, Reason: "the message is not a JSON object"}
	}
	for first := true; ; first = false {
		token, refused := c.tokens.get(ctx)
		if refused != nil {
			return *refused
		}
		header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
		answer, o := exchange.Post(ctx, c.transport, c.cfg.Timeout, c.url, header, body)
		if answer == nil {
			return o
		}
		o, stale := judge(answer, c.cfg.Now())
		if stale && first && c.tokens.drop(token) {
			continue
		}
		return o
	}
}

// request is the body of one: a message and its token.
func request(n *notification.Notification, token string) ([]byte, error) {
	message := make(map[string]json.RawMessage)
	if err := json.Unmarshal(n.Body, &message); err != nil {
		return nil, err
	}
	quoted, err := json.Marshal(token)
	if err != nil {
		return nil, err
	}
	message["token"] = quoted
	return marshal(struct {
		ValidateOnly bool                       `json:"validate_only,omitempty"`
		Message      map[string]json.RawMessage `json:"message"`
	}{n.ValidateOnly, message})
}

// checkKey says what is wrong with the key of a service account.
func checkKey(text []byte) error {
	if block, _ := pem.Decode(text); block != nil {
		text = block.Bytes
	}
	key, err := x509.ParsePKCS8PrivateKey(text)
	if err != nil {
		if _, err := x509.ParsePKCS1PrivateKey(text); err == nil {
			return nil
		}
		return errors.New("the private_key of the service account is not one of RSA, in PEM")
	}
	if _, ok := key.(*rsa.PrivateKey); !ok {
		return errors.New("the private_key of the service account is not one of RSA")
	}
	return nil
}

// watched is a way to Google that remembers why the last request had no answer.
type watched struct {
	over http.RoundTripper

	mu   sync.Mutex
	last string
}

// RoundTrip implements [http.RoundTripper].
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.over.RoundTrip(r)
	text := ""
	if err != nil {
		cause, _ := egress.Explain(err)
		text = string(cause)
	}
	w.mu.Lock()
	w.last = text
	w.mu.Unlock()
	return answer, err
}

func (w *watched) lastError() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}
