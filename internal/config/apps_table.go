package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// appSettings is every setting of one app but its keys, in the order of the
// file.
var appSettings = []setting[apps.App]{
	{"id", "", kindText,
		"Names the app in the paths of the HTTP API. Required, and no two apps have the same. Digits only, if backends use the Go or Python library with a URL.",
		scalar(func(a *apps.App) *string { return &a.ID }, parseAppID)},
	{"name", `""`, kindText,
		"For people: logs and metrics call the app so.",
		scalar(func(a *apps.App) *string { return &a.Name }, parseAny)},
	{"disabled", "false", kindBool,
		"Refuses clients (4003) and backends (403) without forgetting the app.",
		scalar(func(a *apps.App) *bool { return &a.Disabled }, parseBool)},
	{"tls_only", "false", kindBool,
		"Refuses clients that connect without TLS (4000).",
		scalar(func(a *apps.App) *bool { return &a.TLSOnly }, parseBool)},
	{"client_events", "false", kindBool,
		"Whether clients may trigger client- events on private and presence channels.",
		scalar(func(a *apps.App) *bool { return &a.ClientEvents }, parseBool)},
	{"subscription_count", "false", kindBool,
		"Whether subscribers are told how many they are (pusher:subscription_count), and backends may ask for it.",
		scalar(func(a *apps.App) *bool { return &a.SubscriptionCount }, parseBool)},
	{"watchlist_events", "false", kindBool,
		"Whether signed-in users are told when those on their watchlist come and go.",
		scalar(func(a *apps.App) *bool { return &a.WatchlistEvents }, parseBool)},
	{"authorized_connections", "false", kindBool,
		"Closes connections (4009) that neither sign in nor subscribe to a private or presence channel within authorization_timeout.",
		scalar(func(a *apps.App) *bool { return &a.AuthorizedRequired }, parseBool)},
	{"authorization_timeout", "30s", kindDuration,
		"How long authorized_connections waits.",
		scalar(func(a *apps.App) *time.Duration { return &a.AuthorizationTimeout }, parseDuration(time.Second, day))},
	{"activity_timeout", "120s", kindDuration,
		"How long a connection may be silent before it is pinged; clients are told it in whole seconds. 10s to 600s is sensible.",
		scalar(func(a *apps.App) *time.Duration { return &a.ActivityTimeout }, parseActivityTimeout)},
	{"allowed_origins", `["*"]`, "list of host patterns",
		"Hosts whose pages may connect, such as `example.com` or `*.example.com`. `*` allows every client; anything else also refuses clients that are not browsers.",
		list(func(a *apps.App) *[]string { return &a.AllowedOrigins }, parseOrigin)},
	limit("connections", "0", "Connections at once; more are refused (4004).",
		func(l *apps.Limits) *int { return &l.Connections }),
	limit("channels_per_connection", "0", "Channels that one connection may subscribe to.",
		func(l *apps.Limits) *int { return &l.ChannelsPerConnection }),
	limit("client_events_per_second", "10", "Client events of one connection; more are dropped and answered with 4301.",
		func(l *apps.Limits) *int { return &l.ClientEventsPerSecond }),
	limit("channel_name_length", "200", "Bytes of a channel's name, prefix included.",
		func(l *apps.Limits) *int { return &l.ChannelNameLength }),
	limit("event_name_length", "200", "Characters of an event's name.",
		func(l *apps.Limits) *int { return &l.EventNameLength }),
	limitSize("event_data", "10KiB", "Bytes of an event's data.",
		func(l *apps.Limits) *int { return &l.EventData }),
	limit("channels_per_event", "100", "Channels that one call of the HTTP API may name.",
		func(l *apps.Limits) *int { return &l.ChannelsPerEvent }),
	limit("events_per_batch", "10", "Events of one batch call of the HTTP API.",
		func(l *apps.Limits) *int { return &l.EventsPerBatch }),
	limit("presence_members", "100", "Users on one presence channel.",
		func(l *apps.Limits) *int { return &l.PresenceMembers }),
	limit("presence_user_id", "128", "Characters of a user id on a presence channel.",
		func(l *apps.Limits) *int { return &l.PresenceUserID }),
	limitSize("presence_user_info", "1KiB", "Bytes of user_info on a presence channel, as JSON.",
		func(l *apps.Limits) *int { return &l.PresenceUserInfo }),
	limit("watchlist", "100", "User ids of one watchlist that are watched; the rest is ignored and answered with 4302.",
		func(l *apps.Limits) *int { return &l.Watchlist }),
	{"limits.cache_ttl", "30m", kindDuration,
		"How long a cache channel remembers its last event.",
		scalar(func(a *apps.App) *time.Duration { return &a.Limits.CacheTTL }, parseDuration(time.Second, 365*day))},
}

// keySettings are those of one element of an app's keys. The text of a
// mistake in them never repeats what was written.
var keySettings = []setting[apps.Key]{
	{"key", "", kindText, "Public: clients connect with it.",
		scalar(func(k *apps.Key) *string { return &k.Key }, parseKey)},
	{"secret", "", kindText, "Known to backends only: requests and subscriptions are signed with it.",
		scalar(func(k *apps.Key) *string { return &k.Secret }, parseSecret)},
}

func limit(name, initial, doc string, field func(*apps.Limits) *int) setting[apps.App] {
	return setting[apps.App]{"limits." + name, initial, kindNumber, doc + " 0 is no limit.",
		scalar(func(a *apps.App) *int { return field(&a.Limits) }, parseInt(0, maxInt))}
}

func limitSize(name, initial, doc string, field func(*apps.Limits) *int) setting[apps.App] {
	return setting[apps.App]{"limits." + name, initial, kindSize, doc + " 0 is no limit.",
		scalar(func(a *apps.App) *int { return field(&a.Limits) }, parseSize(0, maxSize))}
}

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
	d, err := parseDuration(time.Second, day)(text)
	if err == nil && d%time.Second != 0 {
		return 0, fmt.Errorf("%s is not a whole number of seconds", text)
	}
	return d, err
}
