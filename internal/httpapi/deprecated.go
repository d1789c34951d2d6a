package httpapi

import (
	"net/http"
	"unicode/utf8"
)

// The calls that the protocol replaced in September 2012.

// triggerOnChannel answers POST /apps/{app_id}/channels/{channel_name}/events:
// the body is the data of the event, and all else is in the query.
func (a *Handler) triggerOnChannel(c *call) (answer, error) {
	if err := checkTarget(c.app, c.target); err != nil {
		return answer{}, err
	}
	name, ok := c.param("name")
	if !ok {
		return answer{}, badRequest("Missing required parameter: name")
	}
	if !utf8.Valid(c.body) {
		return answer{}, errInvalidUTF8
	}
	f := fields{name: c.quote(name), data: c.quoteBytes(c.body)}
	if id, ok := c.param("socket_id"); ok {
		f.socketID = c.quote(id)
	}
	e, err := c.event(&f)
	if err != nil {
		return answer{}, err
	}
	except, err := except(f.socketID)
	if err != nil {
		return answer{}, err
	}
	c.channels = append(c.channels[:0], c.target)
	if ans, repeat, err := a.admitTrigger(c); repeat || err != nil {
		return ans, err
	}
	ans, err := a.trigger(c, e, except, 0)
	if err == nil {
		ans = answer{status: http.StatusAccepted} // empty: a library reads any other body as JSON
	}
	return c.settle(ans, err)
}

// channelStats answers GET /apps/{app_id}/channels/{channel_name}/stats: all
// that is known about a channel, under the names that it had.
func (a *Handler) channelStats(c *call) (answer, error) {
	if err := checkChannel(c.app, c.target); err != nil {
		return answer{}, err
	}
	asked := userCount
	if c.app.SubscriptionCount {
		asked |= connectionCount
	}
	return a.channelState(c, asked), nil
}
