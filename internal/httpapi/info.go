package httpapi

import (
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// An info is the set of attributes of channels that a backend asks for.
type info uint8

const (
	userCount info = 1 << iota
	subscriptionCount
	connectionCount // what subscriptionCount was called until 2012
	cachedEvent
)

// parseInfo reads a comma-separated list, of which every attribute must be
// one of allowed. Blanks and repetitions do not matter, and an empty list is
// none.
func parseInfo(list string, allowed info) (info, error) {
	var set info
	for list != "" {
		var name string
		name, list, _ = strings.Cut(list, ",")
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		one := attribute(name)
		if one&allowed == 0 {
			return 0, badRequest("Unknown info attribute: " + printable(name))
		}
		set |= one
	}
	return set, nil
}

func attribute(name string) info {
	switch name {
	case "user_count":
		return userCount
	case "subscription_count":
		return subscriptionCount
	case "connection_count":
		return connectionCount
	case "cache":
		return cachedEvent
	}
	return 0
}

// parseTriggerInfo reads the info of an event. The counts of users are left
// out for channels that have none; only the app's setting is an error.
func parseTriggerInfo(app *apps.App, value []byte) (info, error) {
	if value == nil {
		return 0, nil
	}
	list, ok := rawjson.String(value)
	if !ok {
		return 0, badRequest("Expected info parameter to be a string")
	}
	asked, err := parseInfo(list, userCount|subscriptionCount)
	if err != nil {
		return 0, err
	}
	return asked, checkCounting(app, asked)
}

// checkCounting refuses counts of subscriptions to an app that does not tell.
func checkCounting(app *apps.App, asked info) error {
	if asked&(subscriptionCount|connectionCount) != 0 && !app.SubscriptionCount {
		return badRequest("Cannot retrieve the subscription count because subscription counting is not enabled")
	}
	return nil
}

// appendAttributes appends what was asked about a channel as an object. A user
// that is named like a channel has no attributes.
func (a *Handler) appendAttributes(dst []byte, app *apps.App, channel string, asked info) []byte {
	dst = append(dst, '{')
	if kind := protocol.KindOf(channel); asked != 0 && kind != protocol.User {
		dst = appendCounts(dst, a.hub.Channel(app, channel), kind, asked)
	}
	return append(dst, '}')
}

// appendCounts appends members of an object that may have some already.
func appendCounts(dst []byte, s hub.ChannelState, kind protocol.Kind, asked info) []byte {
	if asked&userCount != 0 && kind.Presence() {
		dst = appendCount(dst, `"user_count":`, s.Users)
	}
	if asked&subscriptionCount != 0 {
		dst = appendCount(dst, `"subscription_count":`, s.Subscriptions)
	}
	if asked&connectionCount != 0 {
		dst = appendCount(dst, `"connection_count":`, s.Subscriptions)
	}
	return dst
}

func appendCount(dst []byte, key string, n int) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, key...)
	return strconv.AppendInt(dst, int64(n), 10)
}
