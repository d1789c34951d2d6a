package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// listChannels answers GET /apps/{app_id}/channels: the occupied channels.
func (a *Handler) listChannels(c *call) (answer, error) {
	prefix, _ := c.param("filter_by_prefix")
	asked, err := parseInfo(c.info(), userCount|subscriptionCount)
	switch {
	case err != nil:
		return answer{}, err
	case asked&subscriptionCount != 0:
		return answer{}, badRequest("Cannot retrieve the subscription count of a list of channels")
	case asked&userCount != 0 && !protocol.KindOf(prefix).Presence():
		return answer{}, badRequest("user_count may only be requested for presence channels - " +
			"please supply filter_by_prefix begining with presence-") // sic: tools match it
	}
	out := append(c.out[:0], `{"channels":{`...)
	first := len(out)
	a.hub.Channels(c.app, prefix, func(name string, s hub.ChannelState) {
		if strings.HasPrefix(name, "#") {
			return
		}
		if len(out) > first {
			out = append(out, ',')
		}
		out = rawjson.AppendString(out, name)
		out = append(out, ":{"...)
		out = appendCounts(out, s, protocol.KindOf(name), asked)
		out = append(out, '}')
	})
	c.out = append(out, "}}"...)
	return answer{status: http.StatusOK, body: c.out}, nil
}

// countConnections answers GET /apps/{app_id}/connections, which Laravel Reverb
// has: how many connections of the app this node has.
func (a *Handler) countConnections(c *call) (answer, error) {
	out := append(c.out[:0], `{"connections":`...)
	out = strconv.AppendInt(out, int64(a.hub.ConnectionsHere(c.app)), 10)
	c.out = append(out, '}')
	return answer{status: http.StatusOK, body: c.out}, nil
}

// showChannel answers GET /apps/{app_id}/channels/{channel_name}: the state of
// one channel. That nobody is on it is no error.
func (a *Handler) showChannel(c *call) (answer, error) {
	if err := checkChannel(c.app, c.target); err != nil {
		return answer{}, err
	}
	asked, err := parseInfo(c.info(), userCount|subscriptionCount|connectionCount|cachedEvent)
	if err != nil {
		return answer{}, err
	}
	kind := protocol.KindOf(c.target)
	switch {
	case asked&userCount != 0 && !kind.Presence():
		return answer{}, badRequest("Cannot retrieve the user count unless the channel is a presence channel")
	case asked&cachedEvent != 0 && !kind.Cache():
		return answer{}, badRequest("Cannot retrieve the cache unless the channel is a cache channel")
	}
	if err := checkCounting(c.app, asked); err != nil {
		return answer{}, err
	}
	return a.channelState(c, asked), nil
}

// channelState answers with whether a channel is occupied, and what was asked
// about it.
func (a *Handler) channelState(c *call, asked info) answer {
	s := a.hub.Channel(c.app, c.target)
	out := append(c.out[:0], `{"occupied":`...)
	out = strconv.AppendBool(out, s.Occupied)
	out = appendCounts(out, s, protocol.KindOf(c.target), asked)
	if asked&cachedEvent != 0 {
		out = a.appendCached(out, c)
	}
	c.out = append(out, '}')
	return answer{status: http.StatusOK, body: c.out}
}

// appendCached appends the event that a cache channel remembers.
func (a *Handler) appendCached(dst []byte, c *call) []byte {
	event, ok := a.hub.Cached(c.app, c.target)
	if !ok {
		return append(dst, `,"cache":null`...)
	}
	dst = append(dst, `,"cache":{"data":`...)
	dst = append(dst, event.Data...)
	dst = append(dst, `,"ttl":`...)
	dst = strconv.AppendInt(dst, int64(event.TTL/time.Second), 10)
	return append(dst, '}')
}
