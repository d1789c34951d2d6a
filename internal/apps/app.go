// Package apps knows what an app is: its identity, its pairs of key and
// secret, and what it is allowed to do. It also knows how an app is found by
// id or by key.
//
// An [App] is immutable once it is in a [Registry]; a change of settings is a
// new App. The package holds no sockets and no counters: what an app uses is
// known to the hub.
package apps

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/hostname"
	"github.com/belfryhq/belfry/protocol"
)

// An App is a tenant: everything it does is invisible to every other app.
// Treat it as read-only.
type App struct {
	ID   string
	Name string // for people; may be empty
	// Alias is another id that backends may use; empty: none. Only belfry dev has
	// one: many tutorials call their app app-id, and some libraries take digits alone.
	Alias string
	// Keys are the credentials that are valid now, oldest first. All are
	// equal: a backend may sign with any of them.
	Keys []Key

	Disabled bool // clients are refused with 4003, backends with 403
	TLSOnly  bool // clients without TLS are refused with 4000

	ClientEvents       bool // clients may trigger client- events
	SubscriptionCount  bool // pusher_internal:subscription_count frames and the info attribute
	WatchlistEvents    bool // online and offline events for watched users
	HidePayloads       bool // operators are not shown what is sent, whatever their role
	AuthorizedRequired bool // "authorized connections": see AuthorizationTimeout

	// AllowedOrigins are patterns for the host of a browser's Origin header, in
	// which * matches any run of characters, and [NoOrigin]. Empty, or just "*",
	// allows all.
	AllowedOrigins []string

	// ActivityTimeout is how long a connection may be silent before either
	// side pings; clients are told it in seconds.
	ActivityTimeout time.Duration
	// AuthorizationTimeout is how long a connection may stay without a signed
	// in user and without a private or presence channel, where
	// AuthorizedRequired is on.
	AuthorizationTimeout time.Duration

	// Webhooks are the endpoints of the backend that are told what happens in
	// channels. [CheckWebhooks] finds nothing wrong with them.
	Webhooks []Webhook

	Limits Limits

	History History

	Push Push
}

// History says what is kept of channels for clients that come back.
type History struct {
	Enabled bool
	// Prefixes are those of the channels that have a history. Empty means all.
	Prefixes []string
	TTL      time.Duration // of an event
	Events   int           // of one channel
	Bytes    int           // of one channel
	AppBytes int           // of all channels, on each node
	Rewind   int           // how many events a new subscriber may ask for
	// Durable keeps events in the engine too, so that they are there when all nodes
	// that had them are gone.
	Durable bool
}

// Keeps reports whether a channel has a history.
func (h *History) Keeps(channel string) bool {
	return h.Enabled && (len(h.Prefixes) == 0 || slices.ContainsFunc(h.Prefixes, func(p string) bool {
		return strings.HasPrefix(channel, p)
	}))
}

// A Key is one pair of credentials of an app.
type Key struct {
	Key    string
	Secret string
	// Created is when the pair was made, or zero for one that was written by
	// hand.
	Created time.Time

	signer *protocol.Signer // with Secret; set when the app enters a registry
}

// Limits bound what one app may use. Zero means unlimited for every field
// whose comment does not say otherwise.
type Limits struct {
	Connections           int // sockets at once; more are refused with 4004
	ChannelsPerConnection int
	ClientEventsPerSecond int // per socket

	// What backends may ask for, on each node. A second's worth may come at once.
	BackendEventsPerSecond int
	ReadRequestsPerSecond  int

	ChannelNameLength int // bytes
	EventNameLength   int // characters
	EventData         int // bytes of an event's data
	ChannelsPerEvent  int // channels of one call of the HTTP API
	EventsPerBatch    int

	PresenceMembers  int // users on one presence channel
	PresenceUserID   int // characters
	PresenceUserInfo int // bytes of JSON
	Watchlist        int // user ids

	PushDevices            int // registered at once
	PushPublishesPerSecond int // on each node

	// CacheTTL is how long a cache channel remembers its last event. Zero
	// means [DefaultCacheTTL].
	CacheTTL time.Duration
}

// The documented behaviour of the hosted service; the sources are in the
// table of names and sizes in docs/protocol.md.
const (
	DefaultActivityTimeout      = 120 * time.Second
	DefaultAuthorizationTimeout = 30 * time.Second
	DefaultCacheTTL             = 30 * time.Minute
)

// DefaultLimits are those of the hosted service, and one that it does not have:
// on channels per connection, which no honest client meets.
func DefaultLimits() Limits {
	return Limits{
		ChannelsPerConnection:  10_000,
		ClientEventsPerSecond:  10,
		ChannelNameLength:      200,
		EventNameLength:        200,
		EventData:              10 << 10,
		ChannelsPerEvent:       100,
		EventsPerBatch:         10,
		PresenceMembers:        100,
		PresenceUserID:         128,
		PresenceUserInfo:       1 << 10,
		Watchlist:              100,
		PushDevices:            1_000_000,
		PushPublishesPerSecond: 100,
		CacheTTL:               DefaultCacheTTL,
	}
}

// Unlimited returns the limits of an app that is there to be loaded: only
// what protects the process itself remains.
func Unlimited() Limits {
	return Limits{CacheTTL: DefaultCacheTTL}
}

// Same reports whether a and b are equal in everything that can be set.
func (a *App) Same(b *App) bool {
	same := func(k, l Key) bool { return k.Key == l.Key && k.Secret == l.Secret && k.Created.Equal(l.Created) }
	if !slices.EqualFunc(a.Keys, b.Keys, same) || !slices.Equal(a.AllowedOrigins, b.AllowedOrigins) ||
		!slices.Equal(a.History.Prefixes, b.History.Prefixes) || !samePush(&a.Push, &b.Push) || !sameWebhooks(a.Webhooks, b.Webhooks) {
		return false
	}
	c, d := *a, *b
	c.Keys, d.Keys, c.AllowedOrigins, d.AllowedOrigins = nil, nil, nil, nil
	c.Webhooks, d.Webhooks = nil, nil
	c.History.Prefixes, d.History.Prefixes = nil, nil
	c.Push, d.Push = Push{}, Push{}
	return reflect.DeepEqual(c, d)
}

// Called reports whether backends may use that id for the app.
func (a *App) Called(id string) bool { return id == a.ID || a.Alias != "" && id == a.Alias }

// Secret returns the secret of one of the app's keys, and whether the key is
// one of the app's.
func (a *App) Secret(key string) (string, bool) {
	for _, k := range a.Keys {
		if k.Key == key {
			return k.Secret, true
		}
	}
	return "", false
}

// Signer returns the signer for one of the app's keys, or nil when it is none
// of them. A key without a secret is none: everybody would know it.
func (a *App) Signer(key string) *protocol.Signer {
	for _, k := range a.Keys {
		switch {
		case k.Key != key:
			continue
		case k.Secret == "":
			return nil
		case k.signer == nil:
			return protocol.NewSigner(k.Secret)
		}
		return k.signer
	}
	return nil
}

// NoOrigin stands among AllowedOrigins for clients that name no origin, because
// they are no pages: native apps and servers.
const NoOrigin = "no-origin"

// EveryOrigin reports whether any client may connect, wherever it is from.
func (a *App) EveryOrigin() bool {
	return len(a.AllowedOrigins) == 0 || slices.Contains(a.AllowedOrigins, "*")
}

// OriginAllowed reports whether a client may connect that sent that Origin
// header, or none. A page that does not say where it is from, as in null, may
// be any page.
func (a *App) OriginAllowed(origin string) bool {
	if a.EveryOrigin() {
		return true
	}
	if origin == "" {
		return slices.Contains(a.AllowedOrigins, NoOrigin)
	}
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return false
	}
	return slices.ContainsFunc(a.AllowedOrigins, func(pattern string) bool {
		return pattern != NoOrigin && hostname.Match(strings.ToLower(pattern), u.Hostname())
	})
}
