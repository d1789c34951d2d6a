package conformance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// An app is one app of the server under test, as a client and a backend need
// to know it.
type app struct {
	id, key, secret string

	addr    string // host:port
	secure  bool   // addr speaks TLS
	tlsAddr string // a second address that speaks TLS; empty when there is none
	prefix  string // in front of /app and /apps
	counts  bool   // sends pusher_internal:subscription_count
}

// Apps of the fixture, one for every setting that a statement asks for.
const (
	plain          = "plain" // app A: everything off, every limit at its default
	clientEventsOn = "client_events"
	countsOn       = "subscription_count"
	watchlistOn    = "watchlist_events"
	authorizedOn   = "authorized_connections" // deadline 1 s
	disabled       = "disabled"
	tlsOnly        = "tls_only"
	quotaOfTwo     = "quota_of_two"
	quotaFreed     = "quota_freed" // the same quota, for another test
	originsLimited = "origins"
	timeoutOf30    = "activity_timeout_30"
	secondKey      = "second_key"
	cacheOfASecond = "cache_ttl_1s"
	empty          = "empty" // nobody subscribes to anything here
	otherApp       = "other"
	impatient      = "impatient" // activity timeout 2 s, pong wait 1 s
	proxied        = "proxied"   // TLS-only, behind a trusted proxy
	smallBodies    = "small_bodies"
	prefixed       = "prefixed" // under /ws
	compressed     = "compressed"
	silent         = "silent"   // nobody but one test uses its service
	draining       = "draining" // for services that a test stops
	pushing        = "push"
)

// A fixtureApp says where an app is and what is set in its configuration.
type fixtureApp struct {
	service  string
	about    string // what a test needs it for, after "an app …"
	settings map[string]any
}

var fixtureApps = map[string]fixtureApp{
	plain:          {"main", "with defaults", nil},
	otherApp:       {"main", "beside the one that is given", nil},
	empty:          {"main", "that nobody uses", nil},
	clientEventsOn: {"main", "with client_events on", map[string]any{"client_events": true}},
	countsOn:       {"main", "with subscription_count on", map[string]any{"subscription_count": true}},
	watchlistOn:    {"main", "with watchlist_events on", map[string]any{"watchlist_events": true}},
	authorizedOn: {"main", "with authorized connections and a deadline of 1 s",
		map[string]any{"authorized_connections": true, "authorization_timeout": "1s"}},
	disabled:       {"main", "that is disabled", map[string]any{"disabled": true}},
	tlsOnly:        {"main", "that is TLS-only", map[string]any{"tls_only": true}},
	quotaOfTwo:     {"main", "with a quota of two connections", map[string]any{"limits": map[string]any{"connections": 2}}},
	quotaFreed:     {"main", "with a quota of two connections", map[string]any{"limits": map[string]any{"connections": 2}}},
	originsLimited: {"main", "with a list of origins", map[string]any{"allowed_origins": []string{"*.example.com"}}},
	timeoutOf30:    {"main", "with an activity timeout of 30 s", map[string]any{"activity_timeout": "30s"}},
	secondKey:      {"main", "with two pairs of credentials", nil}, // fixtureConfig adds the second
	cacheOfASecond: {"main", "whose cache lives 1 s", map[string]any{"limits": map[string]any{"cache_ttl": "1s"}}},
	impatient:      {"quick", "with an activity timeout of 2 s and a pong wait of 1 s", map[string]any{"activity_timeout": "2s"}},
	proxied:        {"quick", "that is TLS-only behind a trusted proxy", map[string]any{"tls_only": true}},
	smallBodies:    {"quick", "with a small limit of request bodies", nil},
	prefixed:       {"prefixed", "under the path prefix /ws", nil},
	compressed:     {"compressed", "on a service with compression", nil},
	silent:         {"silent", "on a service that nobody else uses", map[string]any{"client_events": true}},
	pushing: {"push", "with push notifications", map[string]any{"push": map[string]any{
		"enabled": true, "instance_id": pushInstance, "secret_key": pushSecret,
	}}},
	draining: {"draining", "on a service that may be stopped", nil},
}

// switches are the settings that an external app may have on without being
// unfit for the rest of the suite.
var switches = []string{clientEventsOn, countsOn, watchlistOn}

// fixtureKeys are the credentials of a fixture app. Those of the app A are
// published ones; the checklists name them.
func fixtureKeys(name string) (id, key, secret string) {
	if name == plain {
		return "3", "278d425bdf160c739803", "7ad3773142a6692b25b8"
	}
	return "id-" + name, "key-" + name, "secret-of-" + name
}

// secondKeyOf is the second pair of credentials of the app secondKey.
func secondKeyOf() (key, secret string) { return "key-of-the-second", "secret-of-the-second" }

func fixtureSecrets() []string {
	_, second := secondKeyOf()
	secrets := []string{second}
	for name := range fixtureApps {
		_, _, secret := fixtureKeys(name)
		secrets = append(secrets, secret)
	}
	return secrets
}

// fixtureConfig is the configuration of one of the services, without its
// addresses.
func fixtureConfig(service string) map[string]any {
	var list []any
	for _, name := range slices.Sorted(maps.Keys(fixtureApps)) {
		fixture := fixtureApps[name]
		if fixture.service != service {
			continue
		}
		id, key, secret := fixtureKeys(name)
		keys := []any{map[string]any{"key": key, "secret": secret}}
		if name == secondKey {
			key, secret := secondKeyOf()
			keys = append(keys, map[string]any{"key": key, "secret": secret})
		}
		settings := map[string]any{"id": id, "name": name, "keys": keys}
		if historyOn {
			settings["history"] = map[string]any{"enabled": true}
		}
		maps.Copy(settings, fixture.settings)
		list = append(list, settings)
	}
	config := map[string]any{"apps": list, "drain_timeout": "100ms"}
	if service == "main" || overTLSOnly {
		config["tls"] = map[string]any{
			"cert_file": filepath.Join(target.dir, "cert.pem"), "key_file": filepath.Join(target.dir, "key.pem"),
		}
	}
	switch service {
	case "quick":
		config["trusted_proxies"] = []string{"127.0.0.1/32"}
		config["websocket"] = map[string]any{"pong_timeout": "1s"}
		config["http_api"] = map[string]any{"max_body_size": smallBodySize}
	case "prefixed":
		config["path"] = "/ws"
	case "compressed":
		config["websocket"] = map[string]any{"compression": true}
	case "draining":
		config["drain_timeout"] = "2s"
	}
	return config
}

// smallBodySize is the whole-body limit of the HTTP API of the app
// smallBodies: nothing near it is buffered by accident.
const smallBodySize = 64 << 10

// overTLSOnly has every test connect over TLS that does not need to connect
// without.
var overTLSOnly = os.Getenv("BELFRY_TEST_TLS") == "true"

// fixture returns the app of that name. Against an external server only the
// plain app exists, and it stands for a switched app when the environment
// says that the switch is on there; otherwise the test is skipped.
func fixture(t *testing.T, name string) *app {
	t.Helper()
	if target.external != nil {
		if name != plain && !target.switches[name] {
			reason := "needs an app " + fixtureApps[name].about + ": the suite must start the service itself"
			if slices.Contains(switches, name) {
				reason += ", or BELFRY_TEST_SWITCHES must name " + name
			}
			skip(t, reason)
		}
		return target.external
	}
	s := target.service(t, fixtureApps[name].service)
	return s.app(name)
}

// app returns a fixture app as the service serves it.
func (s *service) app(name string) *app {
	a := &app{addr: s.addr, counts: name == countsOn}
	a.id, a.key, a.secret = fixtureKeys(name)
	switch name {
	case prefixed:
		a.prefix = "/ws"
	case draining:
	default:
		if fixtureApps[name].service == "main" {
			a.tlsAddr = s.tlsAddr
		}
	}
	if overTLSOnly && name != tlsOnly && name != proxied { // which say what happens without
		a.addr, a.secure = s.tlsAddr, true
	}
	return a
}

// plainWithout returns app A for a statement that needs the switch off.
func plainWithout(t *testing.T, switchName string) *app {
	t.Helper()
	if target.switches[switchName] {
		skip(t, "needs an app with "+switchName+" off, and BELFRY_TEST_SWITCHES says it is on")
	}
	return fixture(t, plain)
}

var (
	uniqueRun   = fmt.Sprintf("%x", time.Now().UnixNano()&0xffffff)
	uniqueCount atomic.Int64
)

// unique returns a name that nothing else in this run or a recent one uses,
// in the characters that are legal everywhere.
func unique(prefix string) string {
	return fmt.Sprintf("%s-%s-%d", prefix, uniqueRun, uniqueCount.Add(1))
}

// eventually polls until ok returns true. It is for effects that a server may
// take its time over, such as noticing that a socket is gone.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const bound, pause = 10 * time.Second, 10 * time.Millisecond
	for start := time.Now(); time.Since(start) < bound; time.Sleep(pause) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within %v: %s", bound, what)
}

// short cuts a text for a failure message.
func short(text string) string {
	const most = 400
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:most], ""), len(text))
}
