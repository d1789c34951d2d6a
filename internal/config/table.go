package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// A setting is one row of the table that everything else is made from: what
// is read, what is refused, the flags, the reference page and the example.
type setting[T any] struct {
	name    string // full name with dots, as in the file
	initial string // the default, as it would be written
	kind    string // what is written, for the reference page and for flags
	doc     string // one or more sentences
	set     func(*T, value) error
}

// flag is the name of the setting's flag, without dashes in front.
func (s setting[T]) flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.name)
}

// variable is the name of the setting's environment variable.
func (s setting[T]) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.name, ".", "_"))
}

// isList reports whether the setting holds a list.
func (s setting[T]) isList() bool { return strings.HasPrefix(s.kind, "list of") }

func names[T any](table []setting[T]) []string {
	var list []string
	for _, s := range table {
		list = append(list, s.name)
	}
	return list
}

// Kinds of values, as they are called in the reference page.
const (
	kindAddress  = "address"
	kindText     = "text"
	kindFile     = "file"
	kindFolder   = "directory"
	kindBool     = "true or false"
	kindNumber   = "number"
	kindSize     = "size"
	kindDuration = "duration"
)

const (
	day     = 24 * time.Hour
	maxInt  = 1<<31 - 1
	maxSize = 1 << 30
)

// The smallest sizes that can hold what the protocol must carry.
const (
	minMessageSize = 16 << 10
	minSendBuffer  = 64 << 10
	minBodySize    = 16 << 10
)

// settings is every setting but the apps, in the order of the file.
var settings = []setting[Config]{
	{"listen", "0.0.0.0:6001", kindAddress,
		"Where clients and backends connect without TLS: WebSocket and HTTP API. `off` for none, 127.0.0.1:6001 for this machine only.",
		scalar(func(c *Config) *string { return &c.Server.Listen }, parseAddress)},
	{"path", `""`, "path",
		"Stands in front of /app and /apps, where a proxy hands on more than this service: /realtime. Clients give it as wsPath.",
		scalar(func(c *Config) *string { return &c.Server.Path }, parsePath)},
	{"data_dir", "belfry-data", kindFolder,
		"Where the service keeps what it makes itself: the credentials of the first app, if no app is configured.",
		scalar(func(c *Config) *string { return &c.DataDir }, parseText)},
	{"max_connections", "0", kindNumber,
		"How many connections this process takes, over all apps; more are told to come back later (4100). 0 is no limit.",
		scalar(func(c *Config) *int { return &c.Server.MaxConnections }, parseInt(0, maxInt))},
	{"trusted_proxies", "[]", "list of networks",
		"Proxies whose X-Forwarded-Proto is believed, as addresses or networks; apps with tls_only need it behind a proxy. Everybody else's is ignored.",
		list(func(c *Config) *[]netip.Prefix { return &c.Server.TrustedProxies }, parsePrefix)},
	{"tls.listen", `""`, kindAddress,
		"Where clients and backends connect with TLS. Needs tls.cert_file and tls.key_file.",
		scalar(func(c *Config) *string { return &c.Server.TLSListen }, parseAddress)},
	{"tls.cert_file", `""`, kindFile,
		"Certificate in PEM form, with its chain. Read again when it changes.",
		scalar(func(c *Config) *string { return &c.Server.TLSCertFile }, parseAny)},
	{"tls.key_file", `""`, kindFile,
		"Private key in PEM form that belongs to tls.cert_file. Read again when it changes.",
		scalar(func(c *Config) *string { return &c.Server.TLSKeyFile }, parseAny)},
	{"admin.listen", "127.0.0.1:6002", kindAddress,
		"Where health and metrics are answered. It asks for no password, so keep it away from the internet. `off` for none.",
		scalar(func(c *Config) *string { return &c.Server.AdminListen }, parseAddress)},
	{"drain_timeout", "10s", kindDuration,
		"When the service stops, over how long it sends its clients elsewhere (4200), so that they do not all come back at once.",
		scalar(func(c *Config) *time.Duration { return &c.Server.DrainTimeout }, parseDuration(10*time.Millisecond, time.Hour))},
	{"log.level", "info", "debug, info, warn or error",
		"The least important lines that are logged. debug has a line for every request to the HTTP API.",
		setLogLevel},
	{"log.format", "text", "text or json",
		"How log lines are written, on standard error.",
		scalar(func(c *Config) *string { return &c.LogFormat }, parseChoice("text", "json"))},
	{"websocket.max_message_size", "128KiB", kindSize,
		"The largest message that a client may send; a larger one closes its connection (1009).",
		scalar(func(c *Config) *int { return &c.Server.MaxMessageSize }, parseSize(minMessageSize, maxSize))},
	{"websocket.pong_timeout", "30s", kindDuration,
		"How long a silent client has to answer a ping before its connection is closed (4201).",
		scalar(func(c *Config) *time.Duration { return &c.Server.PongTimeout }, parseDuration(time.Second, time.Hour))},
	{"websocket.send_buffer", "1MiB", kindSize,
		"How much may wait for one client that reads too slowly before its connection is closed (4100).",
		scalar(func(c *Config) *int { return &c.Server.SendBuffer }, parseSize(minSendBuffer, maxSize))},
	{"websocket.subscription_error_frame", "true", kindBool,
		"Whether a refused subscription is also told as pusher:subscription_error, which Laravel Echo and others listen to. false is the behaviour of the hosted service.",
		scalar(func(c *Config) *bool { return &c.Server.SubscriptionErrorFrame }, parseBool)},
	{"websocket.assume_protocol", "0", "0, 4, 5, 6 or 7",
		"The protocol version of a client that names none, such as a hand-written one. 0 refuses it (4008).",
		scalar(func(c *Config) *int { return &c.Server.AssumeProtocol }, parseIntOf(0, 4, 5, 6, 7))},
	{"http_api.max_body_size", "1MiB", kindSize,
		"The largest request that a backend may send; a larger one is refused with 413.",
		scalar(func(c *Config) *int { return &c.Server.MaxBodySize }, parseSize(minBodySize, maxSize))},
	{"http_api.unknown_key_status", "400", "400, 401, 403 or 404",
		"The status of a request whose auth_key belongs to no app. The hosted service was seen with 400.",
		scalar(func(c *Config) *int { return &c.Server.UnknownKeyStatus }, parseIntOf(400, 401, 403, 404))},
	{"http_api.cors", "false", kindBool,
		"Whether pages of any origin may call the HTTP API. A page would need the app's secret for it, so leave this off.",
		scalar(func(c *Config) *bool { return &c.Server.CORS }, parseBool)},
}

func setLogLevel(c *Config, v value) error {
	parse := func(text string) (slog.Level, error) {
		text, err := parseChoice("debug", "info", "warn", "error")(text)
		if err != nil {
			return 0, err
		}
		var level slog.Level
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return 0, fmt.Errorf("%q is not a level", text)
		}
		return level, nil
	}
	return scalar(func(c *Config) *slog.Level { return &c.LogLevel }, parse)(c, v)
}
