package devsite

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
)

// A Snippet is lines of code that connect an application to the service.
type Snippet struct {
	Title string // for whom it is
	File  string // where it goes
	Code  string
}

// A Service is what the lines of code connect to.
type Service struct {
	Base     *url.URL // scheme, host and port, and the prefix if there is one
	HTTPPath string   // behind the prefix, in front of the HTTP transports; empty: the default
	AppID    string
	Pair     apps.Key
	// Authorizes says that the service has the endpoints of belfry dev.
	Authorizes bool
	// Command is how the person who looks calls belfry in a terminal.
	Command string
}

// defaultHTTPPath is what clients need not be told.
const defaultHTTPPath = "/pusher"

// standardPorts are those that a URL need not name.
var standardPorts = map[string]string{"http": "80", "https": "443"}

// What the page and the snippets use as an example.
const (
	exampleChannel = "my-channel"
	exampleEvent   = "my-event"
)

// URL has all in one that a backend needs.
func (s Service) URL() string { return s.fill("<url>") }

// PusherJS is what a front end needs.
func (s Service) PusherJS() string {
	code := pusherJS
	if path := s.Base.Path; path != "" {
		code += fmt.Sprintf("  wsPath: %q,\n", path)
	}
	if path := s.Base.Path + strings.TrimRight(cmp.Or(s.HTTPPath, defaultHTTPPath), "/"); path != defaultHTTPPath {
		code += fmt.Sprintf("  httpPath: %q,\n", path)
	}
	if s.Authorizes {
		code += endpoints
	}
	return s.fill(code + subscribed)
}

// Terminal is what a person needs to see an event.
func (s Service) Terminal() string { return s.fill(terminal) }

// Snippets are the lines for every kind of application.
func (s Service) Snippets() []Snippet {
	return []Snippet{
		{"pusher-js", "in the front end", s.PusherJS()},
		{"Laravel", ".env", s.fill(laravel)},
		{"Rails", "config/initializers/pusher.rb", s.fill(rails)},
		{"Node", "in the backend", s.fill(node)},
		{"Python", "in the backend", s.fill(python)},
		{"Go", "in the backend", s.fill(golang)},
		{"Terminal", "on this machine", s.Terminal()},
	}
}

func (s Service) fill(code string) string {
	host, port := splitHost(s.Base.Host, standardPorts[s.Base.Scheme])
	hostport := net.JoinHostPort(host, port)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	master := MasterKey // known to everybody, for the channels of belfry dev alone
	if !s.Authorizes {
		master = "32-RANDOM-BYTES-IN-BASE64"
	}
	tls, ssl := "false", "False" // in most languages, and in Python
	if s.Base.Scheme == "https" {
		tls, ssl = "true", "True"
	}
	all := url.URL{Scheme: s.Base.Scheme, Host: hostport, User: url.UserPassword(s.Pair.Key, s.Pair.Secret), Path: s.Base.Path + "/apps/" + s.AppID}
	return strings.NewReplacer(
		"<url>", all.String(), "<hostport>", hostport, "<host>", host, "<port>", port,
		"<scheme>", s.Base.Scheme, "<tls>", tls, "<ssl>", ssl,
		"<id>", s.AppID, "<key>", s.Pair.Key, "<secret>", s.Pair.Secret,
		"<master>", master, "<channel>", exampleChannel, "<event>", exampleEvent, "<belfry>", s.Command,
	).Replace(code)
}

const (
	pusherJS = `import Pusher from "pusher-js" // npm install pusher-js

const pusher = new Pusher("<key>", {
  cluster: "local", // any text
  wsHost: "<host>", wsPort: <port>, wssPort: <port>,
  httpHost: "<host>", httpPort: <port>, httpsPort: <port>,
  forceTLS: <tls>,
`
	endpoints = `  channelAuthorization: { transport: "ajax", endpoint: "<scheme>://<hostport>/pusher/auth" },
  userAuthentication: { transport: "ajax", endpoint: "<scheme>://<hostport>/pusher/user-auth" },
`
	subscribed = `})
pusher.subscribe("<channel>").bind("<event>", data => console.log(data))`
)

// laravel uses the driver for Reverb, which speaks the same protocol. What
// install:broadcasting writes for it reads all of this, so that no PHP and
// no JavaScript has to be edited.
const laravel = `# Laravel 11 or newer. First, if you have not yet, and choose Reverb:
#   php artisan install:broadcasting
BROADCAST_CONNECTION=reverb
REVERB_APP_ID=<id>
REVERB_APP_KEY=<key>
REVERB_APP_SECRET=<secret>
REVERB_HOST=<host>
REVERB_PORT=<port>
REVERB_SCHEME=<scheme>

VITE_REVERB_APP_KEY="${REVERB_APP_KEY}"
VITE_REVERB_HOST="${REVERB_HOST}"
VITE_REVERB_PORT="${REVERB_PORT}"
VITE_REVERB_SCHEME="${REVERB_SCHEME}"`

const rails = `# Gemfile: gem "pusher"
require "pusher"

Pusher.url = "<url>"

# anywhere
Pusher.trigger("<channel>", "<event>", { text: "hi" })`

const node = `import Pusher from "pusher" // npm install pusher

const pusher = new Pusher({
  appId: "<id>", key: "<key>", secret: "<secret>",
  host: "<host>", port: "<port>", useTLS: <tls>,
  encryptionMasterKeyBase64: "<master>", // for private-encrypted- channels
})
await pusher.trigger("<channel>", "<event>", { text: "hi" })`

const python = `import pusher  # pip install pusher

client = pusher.Pusher(
    app_id="<id>", key="<key>", secret="<secret>",
    host="<host>", port=<port>, ssl=<ssl>,
    encryption_master_key_base64="<master>",  # for private-encrypted- channels
)
client.trigger("<channel>", "<event>", {"text": "hi"})`

const golang = `import "github.com/pusher/pusher-http-go/v5"

client, err := pusher.ClientFromURL("<url>")
if err != nil {
	return err
}
client.EncryptionMasterKeyBase64 = "<master>" // for private-encrypted- channels
err = client.Trigger("<channel>", "<event>", map[string]string{"text": "hi"})`

const terminal = `export BELFRY_URL=<url>

<belfry> subscribe <channel>
<belfry> trigger <channel> <event> '{"text":"hi"}'`
