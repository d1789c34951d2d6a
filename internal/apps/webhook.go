package apps

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
)

// A Webhook is an endpoint of the app's backend that is told what happens in
// channels.
type Webhook struct {
	// ID names the endpoint among those of its app, in lists and metrics, and
	// is what its queue is kept under. Empty means [Webhook.Name] makes one of
	// the URL.
	ID  string
	URL string // http or https; may have a password or token in it
	// Events is what the endpoint is told of.
	Events WebhookEvents
	// ChannelPrefixes and ChannelSuffixes choose channels: the name begins
	// with one of the former and ends with one of the latter. An empty list
	// chooses all.
	ChannelPrefixes []string
	ChannelSuffixes []string
	// ChannelPrefixesExcept leaves channels out of those, whose name begins
	// with one of them.
	ChannelPrefixesExcept []string
	// Headers are sent with each request. They count as secrets.
	Headers []Header
	// Batch puts events that happen close together into one request.
	Batch bool
}

// A Header is sent to a webhook. The value is a secret.
type Header struct{ Name, Value string }

// String leaves the value out.
func (h Header) String() string { return h.Name + ": " + hiddenText }

// Wants reports whether the endpoint is told of any of these events on that
// channel.
func (w *Webhook) Wants(events WebhookEvents, channel string) bool {
	return w.Events&events != 0 &&
		(len(w.ChannelPrefixes) == 0 || hasAny(w.ChannelPrefixes, channel, strings.HasPrefix)) &&
		(len(w.ChannelSuffixes) == 0 || hasAny(w.ChannelSuffixes, channel, strings.HasSuffix)) &&
		!hasAny(w.ChannelPrefixesExcept, channel, strings.HasPrefix)
}

func hasAny(list []string, channel string, has func(string, string) bool) bool {
	for _, s := range list {
		if has(channel, s) {
			return true
		}
	}
	return false
}

// Name is the ID or, if there is none, what stands for it.
func (w *Webhook) Name() string {
	if w.ID != "" {
		return w.ID
	}
	sum := sha256.Sum256([]byte(w.URL))
	return hex.EncodeToString(sum[:6])
}

// Host is the part of the URL that may be logged.
func (w *Webhook) Host() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Redacted is the URL without a password and without the values of its query,
// for people.
func (w *Webhook) Redacted() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return ""
	}
	if u.RawQuery != "" {
		u.RawQuery = hiddenText
	}
	return u.Redacted()
}

// HostOnly is what is told of a URL to whoever does not change it: its path may be a
// secret.
func HostOnly(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/"
}

// Webhook returns the endpoint of that name, or nil.
func (a *App) Webhook(name string) *Webhook {
	for i := range a.Webhooks {
		if w := &a.Webhooks[i]; w.Name() == name {
			return w
		}
	}
	return nil
}

// reservedHeader reports whether a header is for the sender alone to set.
func reservedHeader(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Content-Type", "Content-Length", "Content-Encoding", "Host", "Connection", "Keep-Alive", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect":
		return true
	}
	return strings.HasPrefix(name, "X-Pusher-") || strings.HasPrefix(name, "X-Belfry-")
}
