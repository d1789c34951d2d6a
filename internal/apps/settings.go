package apps

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/hostname"
	"github.com/belfryhq/belfry/internal/setting"
)

// Settings is every setting of one app but its keys, in the order of the file.
// It is read-only.
var Settings = slices.Concat(settings, pushSettings)

// settings are those of channels.
var settings = []setting.Setting[App]{
	setting.Row("id", "", setting.KindText,
		"Names the app in the paths of the HTTP API. Required, and no two apps have the same. Digits only, if backends use the Go or Python library with a URL.",
		setting.Scalar(func(a *App) *string { return &a.ID }, parseAppID)),
	setting.Row("name", `""`, setting.KindText,
		"For people: logs and metrics call the app so.",
		setting.Scalar(func(a *App) *string { return &a.Name }, setting.Any)),
	setting.Row("disabled", "false", setting.KindBool,
		"Refuses clients (4003) and backends (403) without forgetting the app.",
		setting.Scalar(func(a *App) *bool { return &a.Disabled }, setting.Bool)),
	setting.Row("tls_only", "false", setting.KindBool,
		"Refuses clients that connect without TLS (4000).",
		setting.Scalar(func(a *App) *bool { return &a.TLSOnly }, setting.Bool)),
	setting.Row("client_events", "false", setting.KindBool,
		"Whether clients may trigger client- events on private and presence channels.",
		setting.Scalar(func(a *App) *bool { return &a.ClientEvents }, setting.Bool)),
	setting.Row("subscription_count", "false", setting.KindBool,
		"Whether subscribers are told how many they are (pusher:subscription_count), and backends may ask for it.",
		setting.Scalar(func(a *App) *bool { return &a.SubscriptionCount }, setting.Bool)),
	setting.Row("watchlist_events", "false", setting.KindBool,
		"Whether signed-in users are told when those on their watchlist come and go.",
		setting.Scalar(func(a *App) *bool { return &a.WatchlistEvents }, setting.Bool)),
	setting.Row("authorized_connections", "false", setting.KindBool,
		"Closes connections (4009) that neither sign in nor subscribe to a private or presence channel within authorization_timeout.",
		setting.Scalar(func(a *App) *bool { return &a.AuthorizedRequired }, setting.Bool)),
	setting.Row("hide_payloads", "false", setting.KindBool,
		"Never shows in the console, the admin API or on the command line what is sent: data of events, `user_info`, and bodies of webhooks with what is answered to them.",
		setting.Scalar(func(a *App) *bool { return &a.HidePayloads }, setting.Bool)),
	setting.Row("authorization_timeout", "30s", setting.KindDuration,
		"How long authorized_connections waits.",
		setting.Scalar(func(a *App) *time.Duration { return &a.AuthorizationTimeout }, setting.Duration(time.Second, setting.Day))),
	setting.Row("activity_timeout", "120s", setting.KindDuration,
		"How long a connection may be silent before it is pinged; clients are told it in whole seconds. 10s to 600s is sensible.",
		setting.Scalar(func(a *App) *time.Duration { return &a.ActivityTimeout }, parseActivityTimeout)),
	setting.Row("allowed_origins", `["*"]`, "list of host patterns",
		"Hosts whose pages may connect, such as `example.com` or `*.example.com`. `*` allows every client; anything else also refuses clients that send no `Origin`, as native apps do, unless `no-origin` is among the list. SockJS is refused where there is a list.",
		setting.List(func(a *App) *[]string { return &a.AllowedOrigins }, hostname.Pattern)),
	limit("connections", "0", "Connections at once; more are refused (4004).",
		func(l *Limits) *int { return &l.Connections }),
	limit("channels_per_connection", "10000", "Channels that one connection may subscribe to; more are refused. This default is ours: the hosted service has none that is known.",
		func(l *Limits) *int { return &l.ChannelsPerConnection }),
	limit("client_events_per_second", "10", "Client events of one connection; more are dropped and answered with 4301.",
		func(l *Limits) *int { return &l.ClientEventsPerSecond }),
	limit("backend_events_per_second", "0", "Events that backends may trigger, on each node and with a second's worth at once; more are refused (429).",
		rates[BackendEvents]),
	limit("read_requests_per_second", "0", "Requests of backends about channels and users, likewise.",
		rates[ReadRequests]),
	limit("channel_name_length", "200", "Bytes of a channel's name, prefix included.",
		func(l *Limits) *int { return &l.ChannelNameLength }),
	limit("event_name_length", "200", "Characters of an event's name.",
		func(l *Limits) *int { return &l.EventNameLength }),
	limitSize("event_data", "10KiB", "Bytes of an event's data.",
		func(l *Limits) *int { return &l.EventData }),
	limit("channels_per_event", "100", "Channels that one call of the HTTP API may name.",
		func(l *Limits) *int { return &l.ChannelsPerEvent }),
	limit("events_per_batch", "10", "Events of one batch call of the HTTP API.",
		func(l *Limits) *int { return &l.EventsPerBatch }),
	limit("presence_members", "100", "Users on one presence channel.",
		func(l *Limits) *int { return &l.PresenceMembers }),
	limit("presence_user_id", "128", "Characters of a user id on a presence channel.",
		func(l *Limits) *int { return &l.PresenceUserID }),
	limitSize("presence_user_info", "1KiB", "Bytes of user_info on a presence channel, as JSON.",
		func(l *Limits) *int { return &l.PresenceUserInfo }),
	limit("watchlist", "100", "User ids of one watchlist that are watched; the rest is ignored and answered with 4302.",
		func(l *Limits) *int { return &l.Watchlist }),
	limit("push_devices", "1000000", "Devices that are registered for push notifications; more are refused. In the engine they may have 1 KiB each, on an average.",
		func(l *Limits) *int { return &l.PushDevices }),
	limit("push_publishes_per_second", "100", "Push notifications that backends may publish, on each node and with a second's worth at once; more are refused (429).",
		func(l *Limits) *int { return &l.PushPublishesPerSecond }),
	setting.Row("limits.cache_ttl", "30m", setting.KindDuration,
		"How long a cache channel remembers its last event.",
		setting.Scalar(func(a *App) *time.Duration { return &a.Limits.CacheTTL }, setting.Duration(time.Second, 365*setting.Day))),
	setting.Row("history.enabled", "false", setting.KindBool,
		"Whether events are kept for a while, so that clients that were away get what they have missed; see docs/history.md. Off, nothing is kept and nothing changes.",
		setting.Scalar(func(a *App) *bool { return &a.History.Enabled }, setting.Bool)),
	setting.Row("history.channel_prefixes", "[]", "list of prefixes",
		"Only channels whose names begin with one of these have a history, such as `private-chat-`. Empty: all channels have.",
		setting.List(func(a *App) *[]string { return &a.History.Prefixes }, parsePrefix)),
	setting.Row("history.ttl", "2m", setting.KindDuration,
		"How long an event is kept.",
		setting.Scalar(func(a *App) *time.Duration { return &a.History.TTL }, setting.Duration(time.Second, setting.Day))),
	setting.Row("history.events", "1000", setting.KindNumber,
		"Events kept of one channel; the oldest go first.",
		setting.Scalar(func(a *App) *int { return &a.History.Events }, setting.Int(1, 10_000))),
	setting.Row("history.bytes", "256KiB", setting.KindSize,
		"Memory for the events of one channel. One that comes back is sent that much at once at most, so it is kept below what may wait for a client.",
		setting.Scalar(func(a *App) *int { return &a.History.Bytes }, setting.Size(1<<10, 512<<10))),
	setting.Row("history.app_bytes", "64MiB", setting.KindSize,
		"Memory for the events of all channels of the app, on each node; the oldest go first.",
		setting.Scalar(func(a *App) *int { return &a.History.AppBytes }, setting.Size(64<<10, 64<<30))),
	setting.Row("history.rewind", "100", setting.KindNumber,
		"How many of the last events a new subscriber may ask for. 0: none.",
		setting.Scalar(func(a *App) *int { return &a.History.Rewind }, setting.Int(0, 10_000))),
	setting.Row("history.durable", "false", setting.KindBool,
		"Whether events are kept in the engine too, so that they survive a restart of all nodes. A backend is answered when the engine has its event, and refused with 503 while it takes none; see docs/history.md.",
		setting.Scalar(func(a *App) *bool { return &a.History.Durable }, setting.Bool)),
}

// KeySettings are those of one element of an app's keys. The text of a
// mistake in them never repeats what was written.
var KeySettings = []setting.Setting[Key]{
	setting.Row("key", "", setting.KindText, "Public: clients connect with it.",
		setting.Scalar(func(k *Key) *string { return &k.Key }, parseKey)),
	setting.Row("secret", "", setting.KindText, "Known to backends only: requests and subscriptions are signed with it.",
		setting.Scalar(func(k *Key) *string { return &k.Secret }, parseSecret)),
}

func limit(name, initial, doc string, field func(*Limits) *int) setting.Setting[App] {
	return setting.Row("limits."+name, initial, setting.KindNumber, doc+" 0 is no limit.",
		setting.Scalar(func(a *App) *int { return field(&a.Limits) }, setting.Limit(setting.MaxInt)))
}

func limitSize(name, initial, doc string, field func(*Limits) *int) setting.Setting[App] {
	return setting.Row("limits."+name, initial, setting.KindSize, doc+" 0 is no limit.",
		setting.Scalar(func(a *App) *int { return field(&a.Limits) }, setting.SizeLimit(setting.MaxSize)))
}

// New returns an app that has every default, and neither an id nor keys. Its
// lists are shared by all: replace them, do not write into them.
func New() *App {
	a := initial().app
	return &a
}

// defaults are an app that has them all, and how AppendSettings writes each.
type defaults struct {
	app     App
	written [][]byte
}

var initial = sync.OnceValue(func() defaults {
	var d defaults
	for _, s := range Settings {
		s.SetDefault(&d.app)
		d.written = append(d.written, written(s, &d.app))
	}
	return d
})

// maxAppID is longer than any id that was seen, and short enough for a log.
const maxAppID = 128

func parseAppID(text string) (string, error) {
	switch {
	case text == "":
		return "", fmt.Errorf("is empty")
	case len(text) > maxAppID:
		return "", fmt.Errorf("is longer than %d characters", maxAppID)
	case strings.Trim(text, ".") == "" || strings.ContainsFunc(text, notInPath):
		return "", fmt.Errorf("%q can not stand in a URL; use letters, digits, dashes and underscores", text)
	}
	return text, nil
}

func notInPath(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r))
}

func parsePrefix(text string) (string, error) {
	if text == "" {
		return "", fmt.Errorf("is empty; leave the list empty for all channels")
	}
	return text, nil
}

func parseKey(text string) (string, error) {
	switch {
	case text == "":
		return "", fmt.Errorf("is empty")
	case len(text) > maxAppID:
		return "", fmt.Errorf("is longer than %d characters", maxAppID)
	case strings.Trim(text, ".") == "" || strings.ContainsFunc(text, notInPath):
		return "", fmt.Errorf("has a character that can not stand in a URL; use letters, digits, dashes and underscores")
	}
	return text, nil
}

func parseSecret(text string) (string, error) {
	switch {
	case text == "":
		return "", fmt.Errorf("is empty; make one with: openssl rand -hex 20")
	case strings.TrimSpace(text) != text:
		return "", fmt.Errorf("begins or ends with white space")
	}
	return text, nil
}

func parseActivityTimeout(text string) (time.Duration, error) {
	d, err := setting.Duration(time.Second, setting.Day)(text)
	if err == nil && d%time.Second != 0 {
		return 0, fmt.Errorf("%s is not a whole number of seconds", text)
	}
	return d, err
}
