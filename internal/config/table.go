package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/hostname"
	"github.com/belfryhq/belfry/internal/setting"
	"github.com/belfryhq/belfry/internal/usage"
)

// variable is the name of a setting's environment variable.
func variable(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

// The smallest sizes that can hold what the protocol must carry.
const (
	minMessageSize = 16 << 10
	minSendBuffer  = 64 << 10
	minBodySize    = 16 << 10
)

// settings is every setting but the apps, in the order of the file.
var settings = slices.Concat([]setting.Setting[Config]{
	setting.Row("listen", "0.0.0.0:6001", setting.KindAddress,
		"Where clients and backends connect without TLS: WebSocket and HTTP API. `off` for none, 127.0.0.1:6001 for this machine only.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Listen }, setting.Address)),
	setting.Row("path", `""`, setting.KindPath,
		"Stands in front of all paths, where a proxy hands on more than this service: /realtime. Requests may have it or not, so the proxy may strip it. Clients give it as wsPath; docs/protocol.md says which proxy needs what.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Path }, setting.Path)),
	setting.Row("data_dir", "belfry-data", setting.KindFolder,
		"Where the service keeps what it has to remember: apps that are made at run time, usage, what waits for delivery, and the token of the admin API.",
		setting.Scalar(func(c *Config) *string { return &c.DataDir }, setting.Text)),
	setting.Row("max_connections", "0", setting.KindNumber,
		"How many connections this process takes, over all apps; more are told to come back later (4100). 0 is no limit.",
		setting.Scalar(func(c *Config) *int { return &c.Server.MaxConnections }, setting.Limit(setting.MaxInt))),
	setting.Row("connection_attempts_per_minute", "0", setting.KindNumber,
		"How often one address (of IPv6: one network of 64 bits) may try to connect. A minute's worth may come at once. More are refused with status 429 before anything else is looked at. Behind trusted_proxies it is the address that they name in X-Forwarded-For. Mind that a whole company may share an address. 0 is no limit.",
		setting.Scalar(func(c *Config) *int { return &c.Server.ConnectionAttempts }, setting.Limit(setting.MaxInt))),
	setting.Row("max_pending_connections", "4096", setting.KindNumber,
		"How many connections without a complete request there may be: silent ones, TLS handshakes and headers that do not end, idle keep-alives. When there are more, the oldest silent one is closed. Where the process may have few open files it is less: half of those that clients may have.",
		setting.Scalar(func(c *Config) *int { return &c.Server.MaxPending }, setting.Int(1, setting.MaxInt))),
	setting.Row("max_pending_per_address", "1024", setting.KindNumber,
		"How many of these one address (of IPv6: one network of 64 bits) may have before its oldest silent one is closed. Addresses of this machine and trusted_proxies have no limit of their own, because they stand for others.",
		setting.Scalar(func(c *Config) *int { return &c.Server.MaxPendingPerAddress }, setting.Int(1, setting.MaxInt))),
	setting.Row("trusted_proxies", "[]", "list of networks",
		"Proxies whose X-Forwarded-Proto and X-Forwarded-For are believed, as addresses or networks; apps with tls_only need it behind a proxy. Everybody else's are ignored.",
		setting.List(func(c *Config) *[]netip.Prefix { return &c.Server.TrustedProxies }, setting.Prefix)),
	setting.Row("tls.listen", `""`, setting.KindAddress,
		"Where clients and backends connect with TLS. Needs tls.cert_file and tls.key_file, or tls.acme.domains.",
		setting.Scalar(func(c *Config) *string { return &c.Server.TLSListen }, setting.Address)),
	setting.Row("tls.cert_file", `""`, setting.KindFile,
		"Certificate in PEM form, with its chain. Read again when it changes.",
		setting.Scalar(func(c *Config) *string { return &c.Server.TLSCertFile }, setting.Any)),
	setting.Row("tls.key_file", `""`, setting.KindFile,
		"Private key in PEM form that belongs to tls.cert_file. Read again when it changes.",
		setting.Scalar(func(c *Config) *string { return &c.Server.TLSKeyFile }, setting.Any)),
}, acmeSettings, []setting.Setting[Config]{
	setting.Row("admin.listen", "127.0.0.1:6002", setting.KindAddress,
		"Where health, metrics, the console and the admin API are answered. Health and metrics ask for no token, and nothing is encrypted without admin.tls, so keep it away from the internet. `off` for none.",
		setting.Scalar(func(c *Config) *string { return &c.Server.AdminListen }, setting.Address)),
	setting.Row("admin.hosts", "[]", "list of host patterns",
		"Further names by which the administration port is reached, such as `belfry.internal` or `*.belfry.svc`. Known anyway are `localhost`, addresses, the name of the machine, and names in admin.listen, join and cluster.advertise. Requests for other names are refused, but for /healthz, /readyz and /metrics. `*` answers to all.",
		setting.List(func(c *Config) *[]string { return &c.Server.AdminHosts }, hostname.Pattern)),
	setting.Row("admin.tls.cert_file", `""`, setting.KindFile,
		"Certificate of the administration port in PEM form, with its chain. Without it nothing there is encrypted. Read again when it changes.",
		setting.Scalar(func(c *Config) *string { return &c.Server.AdminTLSCertFile }, setting.Any)),
	setting.Row("admin.tls.key_file", `""`, setting.KindFile,
		"Private key in PEM form that belongs to admin.tls.cert_file. Read again when it changes.",
		setting.Scalar(func(c *Config) *string { return &c.Server.AdminTLSKeyFile }, setting.Any)),
	setting.Row("admin.insecure", "false", setting.KindBool,
		"Whether people may log in to the console where the cookie of their session goes over the network without encryption. Without it that works on this machine, over TLS, and through `ssh -L`.",
		setting.Scalar(func(c *Config) *bool { return &c.Server.AdminInsecure }, setting.Bool)),
	setting.Secret(setting.Row("admin.token", `""`, setting.KindText,
		"What the admin API asks for. Without it the service makes one at its first start and keeps it in `admin-token` in data_dir.",
		setting.Scalar(func(c *Config) *string { return &c.Server.AdminToken }, parseToken))),
	setting.Row("admin.app_metrics", "0", setting.KindNumber,
		"For how many apps /metrics has series of their own, with the app's id as label: those that are used most. Each costs five series. 0 is none.",
		setting.Scalar(func(c *Config) *int { return &c.Server.AppMetrics }, setting.Int(0, usage.MaxTopApps))),
}, clusterSettings, []setting.Setting[Config]{
	setting.Row("reload", "true", setting.KindBool,
		"Whether the file is read again when it changes. A SIGHUP does so in any case.",
		setting.Scalar(func(c *Config) *bool { return &c.Reload }, setting.Bool)),
	setting.Row("webhooks.grace", "3s", setting.KindDuration,
		"How long a channel may be empty, or a member absent, before backends are told: a page that is loaded again is no news. 0s tells at once.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.Webhooks.Grace }, parseGrace)),
	setting.Row("webhooks.batch_interval", "50ms", setting.KindDuration,
		"How long an event waits for others to share its request, for endpoints with batch.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.Webhooks.BatchInterval }, setting.Duration(time.Millisecond, time.Minute))),
	setting.Row("webhooks.timeout", "10s", setting.KindDuration,
		"How long an endpoint has to answer; longer counts as a failure.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.Webhooks.Timeout }, setting.Duration(100*time.Millisecond, time.Minute))),
	setting.Row("webhooks.retry_first", "1s", setting.KindDuration,
		"How long to wait after the first failure. The wait doubles with each further one.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.Webhooks.RetryFirst }, setting.Duration(time.Millisecond, time.Minute))),
	setting.Row("webhooks.retry_window", "290s", setting.KindDuration,
		"How long a request is tried again before it is given up and kept for belfry webhooks replay. Receivers refuse requests that are older than 5 minutes.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.Webhooks.RetryWindow }, setting.Duration(time.Second, 24*time.Hour))),
	setting.Row("webhooks.concurrency", "20", setting.KindNumber,
		"How many requests one endpoint gets at once.",
		setting.Scalar(func(c *Config) *int { return &c.Server.Webhooks.Concurrency }, setting.Int(1, 1000))),
	setting.Row("webhooks.allowed_networks", "[]", "list of networks",
		"Networks that endpoints may be in although they are not public, such as 10.0.0.0/8 or 127.0.0.1. Everything else that is not public is refused, whatever name leads there.",
		setting.List(func(c *Config) *[]netip.Prefix { return &c.Server.Webhooks.AllowedNetworks }, setting.Prefix)),
	setting.Row("webhooks.vacate_on_stop", "false", setting.KindBool,
		"Whether a service that stops tells that the channels of its clients are empty. false leaves it untold, because clients come back to the service that replaces it.",
		setting.Scalar(func(c *Config) *bool { return &c.Server.Webhooks.VacateOnStop }, setting.Bool)),
	setting.Row("push.require_tls", "false", setting.KindBool,
		"Whether calls about push notifications that come without TLS are refused (403). false leaves it to a proxy in front.",
		setting.Scalar(func(c *Config) *bool { return &c.Server.Push.RequireTLS }, setting.Bool)),
	setting.Row("push.registrations_per_minute", "300", setting.KindNumber,
		"How often one address may register a device for push notifications, a minute's worth at once; more are refused (429). It may change something of devices ten times as often. 0 is no limit.",
		setting.Scalar(func(c *Config) *int { return &c.Server.Push.RegistrationsPerMinute }, setting.Limit(setting.MaxInt/10))),
	setting.Row("push.hosts", "[]", "list of hosts",
		"Push services that browsers may name, beside those of Google, Mozilla, Apple and Microsoft. A name that begins with a dot stands for all below it, and one with a port for that port.",
		setting.List(func(c *Config) *[]string { return &c.Server.Push.Hosts }, parsePushHost)),
	setting.Row("push.apns_url", `""`, "URL of a provider",
		"Where Apple's service is reached, for a relay or a test. Empty: at Apple's address.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Push.Providers.APNs }, parseProvider)),
	setting.Row("push.apns_sandbox_url", `""`, "URL of a provider",
		"The same for Apple's service of devices in development.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Push.Providers.APNsSandbox }, parseProvider)),
	setting.Row("push.fcm_url", `""`, "URL of a provider",
		"Where Google's service is reached, for a relay or a test. Empty: at Google's address.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Push.Providers.FCM }, parseProvider)),
	setting.Row("push.ca_file", `""`, setting.KindFile,
		"Authorities in PEM form that providers' certificates may be of, beside those that the system knows.",
		setting.Scalar(func(c *Config) *string { return &c.Server.Push.Providers.CAFile }, setting.Any)),
	setting.Row("push.allowed_networks", "[]", "list of networks",
		"Networks that providers and webhooks of push notifications may be in although they are not public, such as 127.0.0.1.",
		setting.List(func(c *Config) *[]netip.Prefix { return &c.Server.Push.Providers.AllowedNetworks }, setting.Prefix)),
	setting.Row("console.journal", "16MiB", setting.KindSize,
		"How much memory the process uses to remember what became of events and connections, without their data, so that `belfry explain` can say why somebody did not get something. Each app keeps 1/64 of it. 0 is off.",
		setting.Scalar(func(c *Config) *int { return &c.Server.Journal }, setting.Size(0, setting.MaxSize))),
	setting.Row("drain_timeout", "10s", setting.KindDuration,
		"When the service stops, over how long it sends its clients elsewhere (4200), so that they do not all come back at once.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.DrainTimeout }, setting.Duration(10*time.Millisecond, time.Hour))),
	setting.Row("drain_delay", "0s", setting.KindDuration,
		"How long a service that stops says that it is not ready, before it sends the first client elsewhere. It should be as long as a load balancer takes to notice.",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.Cluster.DrainDelay }, setting.Duration(0, time.Hour))),
	setting.Row("log.level", "info", "debug, info, warn or error",
		"The least important lines that are logged. debug has a line for every request to the HTTP API.",
		setting.Scalar(func(c *Config) *slog.Level { return &c.LogLevel }, parseLevel)),
	setting.Row("log.format", "text", "text or json",
		"How log lines are written, on standard error.",
		setting.Scalar(func(c *Config) *string { return &c.LogFormat }, setting.Choice("text", "json"))),
	setting.Row("websocket.max_message_size", "128KiB", setting.KindSize,
		"The largest message that a client may send; a larger one closes its connection (1009).",
		setting.Scalar(func(c *Config) *int { return &c.Server.MaxMessageSize }, setting.Size(minMessageSize, setting.MaxSize))),
	setting.Row("websocket.pong_timeout", "30s", setting.KindDuration,
		"How long a silent client has to answer a ping before its connection is closed (4201).",
		setting.Scalar(func(c *Config) *time.Duration { return &c.Server.PongTimeout }, setting.Duration(time.Second, time.Hour))),
	setting.Row("websocket.send_buffer", "1MiB", setting.KindSize,
		"How much may wait for one client that reads too slowly before its connection is closed (4100). A message counts as 96 bytes more than it has.",
		setting.Scalar(func(c *Config) *int { return &c.Server.SendBuffer }, setting.Size(minSendBuffer, setting.MaxSize))),
	setting.Row("websocket.subscription_error_frame", "true", setting.KindBool,
		"Whether a refused subscription is also told as pusher:subscription_error, which Laravel Echo and others listen to. false is the behaviour of the hosted service.",
		setting.Scalar(func(c *Config) *bool { return &c.Server.SubscriptionErrorFrame }, setting.Bool)),
	setting.Row("websocket.assume_protocol", "0", "0, 4, 5, 6 or 7",
		"The protocol version of a client that names none, such as a hand-written one. 0 refuses it (4008).",
		setting.Scalar(func(c *Config) *int { return &c.Server.AssumeProtocol }, setting.IntOf(0, 4, 5, 6, 7))),
	setting.Row("websocket.compression", "false", setting.KindBool,
		"Lets clients negotiate permessage-deflate. A frame is compressed once for all that did; it saves traffic where events are large and costs memory and time for each client.",
		setting.Scalar(func(c *Config) *bool { return &c.Server.Compression }, setting.Bool)),
	setting.Row("websocket.portable_sockets", "false", setting.KindBool,
		"Reads every client in a goroutine of its own, also where Linux could tell the process which of them sent something. Needs more memory; for finding faults.",
		setting.Scalar(func(c *Config) *bool { return &c.Server.PortableSockets }, setting.Bool)),
	setting.Row("fallback.enabled", "true", setting.KindBool,
		"Whether clients for which WebSocket does not work may use HTTP streaming, polling and SockJS. Without it they are answered 404.",
		setting.Scalar(func(c *Config) *bool { return &c.Fallback }, setting.Bool)),
	setting.Row("fallback.path", "/pusher", setting.KindPath,
		"Stands in front of these, behind path: what clients give as httpPath. / for nothing.",
		setting.Scalar(func(c *Config) *string { return &c.Server.HTTPPath }, parseHTTPPath)),
	setting.Row("http_api.max_body_size", "1MiB", setting.KindSize,
		"The largest request that a backend may send; a larger one is refused with 413.",
		setting.Scalar(func(c *Config) *int { return &c.Server.MaxBodySize }, setting.Size(minBodySize, setting.MaxSize))),
	setting.Row("http_api.unknown_key_status", "400", "400, 401, 403 or 404",
		"The status of a request whose auth_key belongs to no app. The hosted service was seen with 400.",
		setting.Scalar(func(c *Config) *int { return &c.Server.UnknownKeyStatus }, setting.IntOf(400, 401, 403, 404))),
	setting.Row("http_api.in_loops", "true", setting.KindBool,
		"Answers plain requests of backends, and handshakes of WebSocket, where Linux tells the process which sockets sent something, without a goroutine for each. false leaves them to Go's net/http; for finding faults.",
		setting.Scalar(func(c *Config) *bool { return &c.InLoops }, setting.Bool)),
	setting.Row("http_api.cors", "false", setting.KindBool,
		"Whether pages of any origin may call the HTTP API. A page would need the app's secret for it, so leave this off.",
		setting.Scalar(func(c *Config) *bool { return &c.Server.CORS }, setting.Bool)),
})

// parseGrace reads a duration, of which 0 is one that nothing waits for.
func parseGrace(text string) (time.Duration, error) {
	d, err := setting.Duration(0, time.Hour)(text)
	if err == nil && d == 0 {
		d = -1
	}
	return d, err
}

// parseHTTPPath reads a path. An empty one is written as a slash, because
// nothing means the default.
func parseHTTPPath(text string) (string, error) {
	path, err := setting.Path(text)
	if err == nil && path == "" {
		return "/", nil
	}
	return path, err
}

// minToken is shorter than any token that is made, and longer than a word.
const minToken = 16

// parseToken reads a token. Its errors never repeat it.
func parseToken(text string) (string, error) {
	switch {
	case text == "":
		return "", nil
	case len(text) < minToken:
		return "", fmt.Errorf("is shorter than %d characters; make one with: openssl rand -hex 20", minToken)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("has a character that can not stand in a header")
	}
	return text, nil
}

// parseEngineURL reads where the engine is. Its errors never repeat it, because
// it may have a password in it.
func parseEngineURL(text string) (string, error) {
	for part := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if text != "" && (err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls") {
			return "", errors.New("is not a URL such as nats://host:4222 or tls://user:password@host:4222")
		}
	}
	return text, nil
}

func parseLevel(text string) (slog.Level, error) {
	text, err := setting.Choice("debug", "info", "warn", "error")(text)
	if err != nil {
		return 0, err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return 0, fmt.Errorf("%q is not a level", text)
	}
	return level, nil
}

// parsePushHost reads the name of a push service.
func parsePushHost(text string) (string, error) {
	name := strings.TrimPrefix(strings.ToLower(text), ".")
	if host, port, err := net.SplitHostPort(name); err == nil && port != "" {
		name = host
	}
	if name == "" || strings.ContainsAny(name, "/:@*? ") {
		return "", fmt.Errorf("%q is not a name such as push.example.com, .example.com or localhost:8443", text)
	}
	return strings.ToLower(text), nil
}

// parseProvider reads the base URL of a provider.
func parseProvider(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "", nil
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "":
		return "", fmt.Errorf("%q is not a URL such as https://api.push.apple.com", text)
	}
	return strings.TrimRight(text, "/"), nil
}
