package devsite

import (
	"net"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
)

// A Snippet is lines of code that connect an application to the service.
type Snippet struct {
	Title string // for whom it is
	File  string // where it goes
	Code  string
}

// What the page and the snippets use as an example.
const (
	exampleChannel = "my-channel"
	exampleEvent   = "my-event"
)

// PusherJS is what a front end needs, for a service at hostport.
func PusherJS(hostport, key string) string {
	return fill(pusherJS, hostport, "", apps.Key{Key: key})
}

// snippets are the lines for a service at hostport.
func snippets(hostport, appID string, pair apps.Key) []Snippet {
	list := []Snippet{
		{"pusher-js", "in the front end", pusherJS},
		{"Laravel", ".env", laravel},
		{"Rails", "config/initializers/pusher.rb", rails},
		{"Node", "in the backend", node},
		{"Go", "in the backend", golang},
		{"Terminal", "on this machine", terminal},
	}
	for i := range list {
		list[i].Code = fill(list[i].Code, hostport, appID, pair)
	}
	return list
}

func fill(code, hostport, appID string, pair apps.Key) string {
	host, port := splitHost(hostport)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return strings.NewReplacer(
		"<hostport>", net.JoinHostPort(strings.Trim(host, "[]"), port), "<host>", host, "<port>", port,
		"<id>", appID, "<key>", pair.Key, "<secret>", pair.Secret,
		"<master>", MasterKey, "<channel>", exampleChannel, "<event>", exampleEvent,
	).Replace(code)
}

const pusherJS = `const pusher = new Pusher("<key>", {
  cluster: "local", // any text
  wsHost: "<host>", wsPort: <port>, wssPort: <port>,
  httpHost: "<host>", httpPort: <port>, httpsPort: <port>,
  forceTLS: false,
  channelAuthorization: { transport: "ajax", endpoint: "http://<hostport>/pusher/auth" },
  userAuthentication: { transport: "ajax", endpoint: "http://<hostport>/pusher/user-auth" },
})
pusher.subscribe("<channel>").bind("<event>", data => console.log(data))`

const laravel = `BROADCAST_CONNECTION=pusher
PUSHER_APP_ID=<id>
PUSHER_APP_KEY=<key>
PUSHER_APP_SECRET=<secret>
PUSHER_HOST=<host>
PUSHER_PORT=<port>
PUSHER_SCHEME=http
PUSHER_APP_CLUSTER=local

# for Echo: wsHost, wsPort and wssPort, and forceTLS only if the scheme is https
VITE_PUSHER_APP_KEY="${PUSHER_APP_KEY}"
VITE_PUSHER_HOST="${PUSHER_HOST}"
VITE_PUSHER_PORT="${PUSHER_PORT}"
VITE_PUSHER_SCHEME="${PUSHER_SCHEME}"
VITE_PUSHER_APP_CLUSTER="${PUSHER_APP_CLUSTER}"`

const rails = `# Gemfile: gem "pusher"
Pusher.url = "http://<key>:<secret>@<hostport>/apps/<id>"

# anywhere
Pusher.trigger("<channel>", "<event>", { text: "hi" })`

const node = `import Pusher from "pusher" // npm install pusher

const pusher = new Pusher({
  appId: "<id>", key: "<key>", secret: "<secret>",
  host: "<host>", port: "<port>", useTLS: false,
  encryptionMasterKeyBase64: "<master>", // for private-encrypted- channels
})
await pusher.trigger("<channel>", "<event>", { text: "hi" })`

const golang = `import "github.com/pusher/pusher-http-go/v5"

client := pusher.Client{
	AppID: "<id>", Key: "<key>", Secret: "<secret>",
	Host: "<hostport>",
	EncryptionMasterKeyBase64: "<master>", // for private-encrypted- channels
}
err := client.Trigger("<channel>", "<event>", map[string]string{"text": "hi"})`

const terminal = `export BELFRY_URL=http://<key>:<secret>@<hostport>/apps/<id>

belfry subscribe <channel>
belfry trigger <channel> <event> '{"text":"hi"}'`
