package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// A Config says how a client connects and what it is allowed to use. Endpoint
// needs a host or a cluster; the zero value of every other field means the
// default that is given here.
type Config struct {
	Endpoint Endpoint // where the app lives
	// Transports are tried in this order, the later ones with a delay. Nil
	// means WebSocket alone: a fallback that is not asked for hides that
	// WebSocket does not work.
	Transports []Transport

	// Opening the connection.

	TLSConfig *tls.Config                           // nil: the system's certificates
	Proxy     func(*http.Request) (*url.URL, error) // nil: http.ProxyFromEnvironment; http, https and socks5
	Header    http.Header                           // added to the upgrade request
	CookieJar http.CookieJar                        // its cookies too; nil: none
	// DialContext opens the network connection. Nil means a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	Compression bool // offer permessage-deflate

	// HandshakeTimeout bounds an attempt: name, connection, TLS, upgrade and
	// the first event together. Default 15 s.
	HandshakeTimeout time.Duration
	// BeforeConnect is called before each attempt and may change it. An error
	// makes the attempt fail; ErrAbort disconnects the client.
	BeforeConnect func(ctx context.Context, a *ConnectAttempt) error

	// Keeping it.

	ActivityTimeout time.Duration // silence before a ping, unless the service wants less; default 120 s
	PongTimeout     time.Duration // silence after a ping before the connection is given up; default 30 s
	Ping            PingMode      // default PingEvent
	WriteTimeout    time.Duration // of each write; default 10 s
	CloseTimeout    time.Duration // of the closing handshake; default 1 s

	// Losing it.

	Reconnect        ReconnectPolicy
	UnavailableAfter time.Duration // without connection; default 10 s

	// Subscriptions.

	ChannelAuthorizer    ChannelAuthorizer // of private, encrypted and presence channels
	UserAuthenticator    UserAuthenticator // of User.SignIn
	AuthTimeout          time.Duration     // of each attempt; default 10 s
	AuthConcurrency      int               // authorizations at a time; default 8
	AuthRetries          int               // after temporary errors; default 5; negative: none
	SubscribeTimeout     time.Duration     // for the answer of the service; default 30 s; negative: for ever
	MaxChannelNameLength int               // bytes; default 200; negative: unchecked

	// Limits.

	Queue           QueueConfig // of the default queue
	SendQueue       int         // outgoing events that may wait; default 256
	MaxMessageSize  int64       // bytes of an incoming message; default 1 MiB
	ClientEventRate float64     // client events per second, at most that many at once; default 0: unlimited here

	// Telling.

	// Logger is told at level Debug of every message, Info of the life of
	// the connection, Warn of failures, and Error of what the service or an
	// authorizer objects to. It is never told signatures, tokens and data.
	// Its handler must not call the client, whose lock may be held. Nil
	// means silent.
	Logger *slog.Logger
	Trace  *Trace // nil: none
	// OnPanic takes what a bound function panicked with, and the others still
	// run. Nil means that the program crashes, as usual.
	OnPanic func(v any, stack []byte)
	// BaseContext is the parent of every context that functions of the program
	// get. Nil means context.Background.
	BaseContext               func() context.Context
	ClientName, ClientVersion string // what the service is told; default "belfry-go" and Version
}

// A Transport is a way to talk to the service.
type Transport string

// The transports. The HTTP ones are for networks in which WebSocket does not
// work.
const (
	WebSocket    Transport = "websocket"
	XHRStreaming Transport = "xhr_streaming"
	XHRPolling   Transport = "xhr_polling"
)

// A PingMode is how the client asks for a sign of life.
type PingMode uint8

// The ways to ping.
const (
	PingEvent PingMode = iota // a pusher:ping event
	PingFrame                 // a WebSocket Ping; as PingEvent on other transports
)

// A ConnectAttempt is an attempt to connect. Config.BeforeConnect may change
// URL and Header, for this attempt only.
type ConnectAttempt struct {
	Number    int // 1 for the first after Connect or after a stable connection
	Transport Transport
	URL       *url.URL    // of the upgrade request, or of a session of an HTTP transport
	Header    http.Header // of every request; never nil
}

// A Trace is called on goroutines of the package, on several at a time, and
// must not block. Messages
// come as they are, signatures included, and are valid during the call.
type Trace struct {
	DialStart     func(t Transport, url string) // a transport begins to connect
	DialDone      func(t Transport, err error)  // it is open, before the first event, or could not be opened
	FrameSent     func(text []byte)             // an event was written
	FrameReceived func(text []byte)             // a message was read
}

// received tells of a message that was read.
func (t *Trace) received(text []byte) {
	if t.FrameReceived != nil {
		t.FrameReceived(text)
	}
}

// A QueueConfig says how much may wait in a queue, and what happens then.
type QueueConfig struct {
	Name     string // in errors and logs
	Size     int    // events that may wait; default 1024
	Bytes    int64  // of their names and data; default 8 MiB
	Overflow OverflowPolicy
}

// An OverflowPolicy says what happens to an event for which a queue has no
// room. System events are never dropped by DropOldest and DropNewest: they
// have room for Size of their own, and when that is used up, DropConnection
// applies whatever the policy is.
type OverflowPolicy uint8

// The policies.
const (
	DropOldest     OverflowPolicy = iota // the oldest waiting event goes
	DropNewest                           // the event that arrives goes
	Block                                // nothing is read from the connection until there is room, for any queue
	DropConnection                       // the event goes, and the connection is lost, so that everything starts anew
)

func (cfg QueueConfig) withDefaults(name string) QueueConfig {
	cfg.Name = cmp.Or(cfg.Name, name)
	cfg.Size = max(cmp.Or(cfg.Size, 1024), 1)
	cfg.Bytes = max(cmp.Or(cfg.Bytes, 8<<20), 1)
	return cfg
}

// minTimeout is the shortest activity and pong timeout.
const minTimeout = time.Second

// withDefaults checks a configuration and fills it in.
func (cfg Config) withDefaults() (Config, error) {
	if err := cfg.Endpoint.check(); err != nil {
		return cfg, err
	}
	if len(cfg.Transports) == 0 {
		cfg.Transports = []Transport{WebSocket}
	}
	for _, t := range cfg.Transports {
		if t != WebSocket && t != XHRStreaming && t != XHRPolling {
			return cfg, configError("there is no transport %q", t)
		}
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
		least    time.Duration
	}{
		{"HandshakeTimeout", &cfg.HandshakeTimeout, 15 * time.Second, 1},
		{"ActivityTimeout", &cfg.ActivityTimeout, protocol.ActivityTimeout, minTimeout},
		{"PongTimeout", &cfg.PongTimeout, protocol.PongTimeout, minTimeout},
		{"WriteTimeout", &cfg.WriteTimeout, 10 * time.Second, 1},
		{"CloseTimeout", &cfg.CloseTimeout, time.Second, 1},
		{"UnavailableAfter", &cfg.UnavailableAfter, 10 * time.Second, 1},
		{"AuthTimeout", &cfg.AuthTimeout, 10 * time.Second, 1},
	} {
		if *d.value = cmp.Or(*d.value, d.standard); *d.value < d.least {
			return cfg, configError("%s is below %s", d.name, d.least)
		}
	}
	cfg.SubscribeTimeout = cmp.Or(cfg.SubscribeTimeout, 30*time.Second)
	cfg.AuthConcurrency = max(cmp.Or(cfg.AuthConcurrency, 8), 1)
	cfg.AuthRetries = cmp.Or(cfg.AuthRetries, 5)
	cfg.MaxChannelNameLength = cmp.Or(cfg.MaxChannelNameLength, protocol.MaxChannelName)
	cfg.SendQueue = max(cmp.Or(cfg.SendQueue, 256), 1)
	cfg.MaxMessageSize = cmp.Or(cfg.MaxMessageSize, 1<<20)
	cfg.ClientName = cmp.Or(cfg.ClientName, "belfry-go")
	cfg.ClientVersion = cmp.Or(cfg.ClientVersion, Version)
	if cfg.MaxMessageSize < 0 || cfg.ClientEventRate < 0 {
		return cfg, configError("a limit is negative")
	}
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyFromEnvironment
	}
	if cfg.DialContext == nil {
		cfg.DialContext = new(net.Dialer).DialContext
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Trace == nil {
		cfg.Trace = new(Trace)
	}
	cfg.Reconnect = cfg.Reconnect.withDefaults()
	cfg.Queue = cfg.Queue.withDefaults("default")
	return cfg, checkAuthorizers(cfg)
}

// checkAuthorizers refuses endpoints that can not be asked.
func checkAuthorizers(cfg Config) error {
	for _, a := range []any{cfg.ChannelAuthorizer, cfg.UserAuthenticator} {
		if checked, ok := a.(interface{ check() error }); ok {
			if err := checked.check(); err != nil {
				return err
			}
		}
	}
	return nil
}
