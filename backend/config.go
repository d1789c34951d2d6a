package backend

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// DefaultTimeout is how long a call may take in all.
	DefaultTimeout = 5 * time.Second
	// DefaultRetries is how often a query is repeated.
	DefaultRetries = 2
	// DefaultEnvVar is the variable that NewFromEnv reads.
	DefaultEnvVar = "PUSHER_URL"
)

// A Config describes an app and how to reach the service that it is on. AppID,
// Key, Secret and one of Host and Cluster are needed; every other field may
// stay zero.
type Config struct {
	AppID  string // id of the app, as in the path of the HTTP API
	Key    string // public key of the app
	Secret string // belongs to the key; never sent and never logged

	// Host is where the HTTP API is, as "host" or "host:port". It wins over
	// Cluster.
	Host string
	// Cluster is a cluster of the hosted service, such as "eu": the host is
	// then api-eu.pusher.com.
	Cluster string
	Port    int // wins over a port in Host; 0: that one, or else 443, or 80 with Insecure
	// Insecure speaks http instead of https.
	Insecure bool
	// BasePath stands in front of /apps, as in "/realtime". It is signed only
	// with SignBasePath: proxies that take it away are more common than
	// services that see it. Belfry accepts both.
	BasePath     string
	SignBasePath bool

	// Timeout bounds each call, retries included. Zero means DefaultTimeout,
	// or no bound of ours if there is an HTTPClient; negative means none. A
	// context that ends earlier wins.
	Timeout time.Duration
	// Retries is how often a call that changes nothing when it is repeated is
	// made again after a failure that may pass: queries, and
	// TerminateUserConnections. Zero means DefaultRetries; negative means never.
	Retries int
	// TriggerRetries is how often a call that triggers events is made again after a
	// failure that may pass. All attempts have one idempotency key, by which
	// Belfry delivers the events once. A service that does not know such keys, as the
	// hosted one, may deliver them twice. Zero means never.
	TriggerRetries int

	// HTTPClient makes the requests. Nil means one of the package's own, with
	// a pool of connections, Proxy and TLSConfig. Redirects are not followed,
	// because the signature would not be that of the other path.
	HTTPClient *http.Client
	// Proxy is a proxy for all requests, with user information if it asks for
	// it. Nil means what the environment says (HTTPS_PROXY and so on).
	Proxy     *url.URL
	TLSConfig *tls.Config // nil: the system's certificates

	// EncryptionMasterKeyBase64 is the key that those of encrypted channels
	// are derived from: 32 bytes in standard base64. Empty: no encrypted
	// channels, unless there is an EncryptionMasterKey.
	EncryptionMasterKeyBase64 string
	EncryptionMasterKey       *[32]byte // the same in bytes

	// WebhookTokens are pairs that may have signed a webhook, besides Key and
	// Secret: an app has several while its keys are changed.
	WebhookTokens []Token
	// WebhookMaxAge refuses webhooks that were made longer ago, or as much in
	// the future. Zero takes all.
	WebhookMaxAge time.Duration

	Limits      Limits
	LibraryName string // what X-Pusher-Library says; empty: this package and its version

	Logger   *slog.Logger      // nil: no log. Debug has each request, Warn each refused webhook
	Observer func(RequestInfo) // called after each request, for metrics, by any number of goroutines; nil: not

	Now  func() time.Time // nil: time.Now; for tests
	Rand io.Reader        // of nonces and keys; nil: crypto/rand; for tests
}

// String returns the app and the key, and no secrets.
func (cfg Config) String() string { return "app " + cfg.AppID + ", key " + cfg.Key }

// GoString is String.
func (cfg Config) GoString() string { return "backend.Config{" + cfg.String() + "}" }

// A RequestInfo says how one HTTP request went.
type RequestInfo struct {
	Method   string // GET or POST
	Path     string // without the query, which has the signature
	Status   int    // 0 without an answer
	Duration time.Duration
	Err      error // what the caller gets, unless a retry goes better
}

// A Client triggers events and asks questions for one app. It is immutable
// and safe for concurrent use. The zero Client is of no use; call [New].
type Client struct {
	appID   string
	token   Token
	base    *url.URL // scheme, host and base path
	signed  string   // what precedes /apps in what is signed
	timeout time.Duration
	retries int

	triggerRetries int
	http           *http.Client
	master         *[32]byte // nil: no encrypted channels
	tokens         []Token   // the app's own first
	maxAge         time.Duration
	limits         Limits
	library        string
	log            *slog.Logger
	observer       func(RequestInfo)
	now            func() time.Time
	rand           io.Reader
	ownClient      bool // whether http is ours
}

// New checks cfg and returns a client. It connects to nothing. The error is
// ErrConfig or ErrMasterKey, with the reason.
func New(cfg Config) (*Client, error) {
	for _, need := range []struct{ name, value string }{
		{"app id", cfg.AppID}, {"key", cfg.Key}, {"secret", cfg.Secret},
	} {
		if need.value == "" {
			return nil, configError("no " + need.name)
		}
	}
	if !plainAppID(cfg.AppID) {
		return nil, configError("the app id has characters other than letters, digits, - and _")
	}
	base, err := baseURL(cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{
		appID:   cfg.AppID,
		token:   Token{Key: cfg.Key, Secret: cfg.Secret},
		base:    base,
		timeout: cfg.Timeout,
		retries: cmp.Or(cfg.Retries, DefaultRetries),

		triggerRetries: cfg.TriggerRetries,

		maxAge:   cfg.WebhookMaxAge,
		limits:   cfg.Limits.withDefaults(),
		library:  cmp.Or(cfg.LibraryName, "belfry-go "+Version),
		log:      cfg.Logger,
		observer: cfg.Observer,
		now:      cfg.Now,
		rand:     cfg.Rand,
	}
	if cfg.SignBasePath {
		c.signed = base.EscapedPath()
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.rand == nil {
		c.rand = rand.Reader
	}
	c.tokens = append([]Token{c.token}, cfg.WebhookTokens...)
	if c.master, err = masterKey(cfg); err != nil {
		return nil, err
	}
	return c, c.useTransport(cfg)
}

// plainAppID reports whether an app id can stand in a path as it is.
func plainAppID(id string) bool {
	for i := range len(id) {
		b := id[i]
		if ('a' > b || b > 'z') && ('A' > b || b > 'Z') && ('0' > b || b > '9') && b != '-' && b != '_' {
			return false
		}
	}
	return true
}

// baseURL is where the service is.
func baseURL(cfg Config) (*url.URL, error) {
	host := cfg.Host
	switch {
	case host != "":
	case cfg.Cluster != "":
		if strings.ContainsAny(cfg.Cluster, "/:@?#. \t\r\n") {
			return nil, configError("the cluster is no name such as \"eu\"")
		}
		host = "api-" + cfg.Cluster + ".pusher.com"
	default:
		return nil, configError("no host and no cluster; none is assumed, so that no event goes to somebody else's service")
	}
	if strings.ContainsAny(host, "/@?# \t\r\n") {
		return nil, configError("the host is not \"host\" or \"host:port\"")
	}
	if cfg.Port < 0 || cfg.Port > 65535 {
		return nil, configError(fmt.Sprintf("there is no port %d", cfg.Port))
	}
	if cfg.Port != 0 {
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
		}
		host = net.JoinHostPort(strings.Trim(name, "[]"), strconv.Itoa(cfg.Port))
	}
	u := &url.URL{Scheme: "https", Host: host}
	if cfg.Insecure {
		u.Scheme = "http"
	}
	prefix := strings.TrimRight(cfg.BasePath, "/")
	if prefix != "" && !strings.HasPrefix(prefix, "/") {
		prefix = "/" + prefix
	}
	if strings.ContainsAny(prefix, "?#") {
		return nil, configError("the base path has a ? or #")
	}
	u.Path = prefix
	if _, err := url.Parse(u.String()); err != nil {
		return nil, configError("the host is not \"host\" or \"host:port\"")
	}
	return u, nil
}

// useTransport decides who makes the requests.
func (c *Client) useTransport(cfg Config) error {
	if cfg.HTTPClient != nil {
		if cfg.Proxy != nil || cfg.TLSConfig != nil {
			return configError("an HTTPClient has a proxy and a TLS configuration of its own")
		}
		own := *cfg.HTTPClient
		own.CheckRedirect = sameAnswer
		c.http = &own
		return nil
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok { // a program may have put its own there
		transport = standard.Clone()
	}
	transport.MaxIdleConnsPerHost = 32
	if cfg.Proxy != nil {
		transport.Proxy = http.ProxyURL(cfg.Proxy)
	}
	if cfg.TLSConfig != nil {
		transport.TLSClientConfig = cfg.TLSConfig.Clone()
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: sameAnswer}
	c.ownClient = true
	return nil
}

// sameAnswer keeps redirects from being followed.
func sameAnswer(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// CloseIdleConnections closes the connections that wait for the next call, if
// they are the client's own. It may be called at any time; a client that is no
// longer needed has nothing else to close.
func (c *Client) CloseIdleConnections() {
	if c.ownClient {
		c.http.CloseIdleConnections()
	}
}

// NewFromURL returns a client for scheme://KEY:SECRET@HOST[:PORT][/PREFIX]/apps/APP_ID,
// with http or https. Key and secret may be percent-encoded. What cfg has
// beyond zero wins over the URL. No error repeats the URL.
func NewFromURL(rawURL string, cfg Config) (*Client, error) {
	from, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	cfg.AppID = cmp.Or(cfg.AppID, from.AppID)
	cfg.Key, cfg.Secret = cmp.Or(cfg.Key, from.Key), cmp.Or(cfg.Secret, from.Secret)
	cfg.BasePath = cmp.Or(cfg.BasePath, from.BasePath)
	if cfg.Host == "" && cfg.Cluster == "" {
		cfg.Host = from.Host
	}
	cfg.Insecure = cfg.Insecure || from.Insecure
	return New(cfg)
}

func parseURL(rawURL string) (Config, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return Config{}, configError("the URL is not of the form https://KEY:SECRET@HOST/apps/ID")
	}
	cfg := Config{Host: u.Host}
	switch u.Scheme {
	case "https":
	case "http":
		cfg.Insecure = true
	default:
		return Config{}, configError("the URL is neither https nor http")
	}
	switch secret, ok := u.User.Password(); {
	case u.User == nil:
		return Config{}, configError("the URL has no KEY:SECRET")
	case !ok || secret == "":
		return Config{}, configError("the URL has no secret")
	case u.User.Username() == "":
		return Config{}, configError("the URL has no key")
	default:
		cfg.Key, cfg.Secret = u.User.Username(), secret
	}
	if u.Hostname() == "" {
		return Config{}, configError("the URL has no host")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Config{}, configError("the URL has a query or a fragment")
	}
	i := strings.LastIndex(u.Path, "/apps/")
	if i < 0 {
		return Config{}, configError("the URL does not end in /apps/ and the id of an app")
	}
	cfg.BasePath, cfg.AppID = u.Path[:i], u.Path[i+len("/apps/"):]
	if cfg.AppID == "" || !plainAppID(cfg.AppID) {
		return Config{}, configError("the URL does not end in /apps/ and the id of an app")
	}
	return cfg, nil
}

// NewFromEnv is NewFromURL with the URL in the variable PUSHER_URL.
func NewFromEnv(cfg Config) (*Client, error) { return NewFromEnvVar(DefaultEnvVar, cfg) }

// NewFromEnvVar is NewFromURL with the URL in the variable of that name.
func NewFromEnvVar(name string, cfg Config) (*Client, error) {
	rawURL := os.Getenv(name)
	if rawURL == "" {
		return nil, configError("the variable " + name + " is not set")
	}
	c, err := NewFromURL(rawURL, cfg)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, name)
	}
	return c, nil
}

// AppID returns the id of the client's app.
func (c *Client) AppID() string { return c.appID }

// Key returns the public key of the client's app.
func (c *Client) Key() string { return c.token.Key }

// BaseURL returns where the service is: scheme, host, port and base path, and
// no credentials.
func (c *Client) BaseURL() string { return c.base.String() }

// String returns the app and the service, without the secret.
func (c *Client) String() string { return c.BaseURL() + "/apps/" + c.appID }

// GoString is String.
func (c *Client) GoString() string { return "backend.Client{" + c.String() + "}" }
