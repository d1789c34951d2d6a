package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
)

// Events of one page of a history.
const (
	defaultHistoryLimit = 100
	maxHistoryLimit     = 1000
)

// readHistory answers GET /apps/{app_id}/channels/{channel_name}/events, an addition of
// ours: a page of the events that are kept of a channel.
func (a *Handler) readHistory(c *call) (answer, error) {
	if err := checkChannel(c.app, c.target); err != nil {
		return answer{}, err
	}
	q, err := c.historyQuery()
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), overloadWait)
	defer cancel()
	page, reason, err := a.hub.History(ctx, c.app, c.target, q)
	switch {
	case errors.Is(err, hub.ErrNoHistory):
		return answer{}, notFound("No history is kept of channel " + printable(c.target))
	case errors.Is(err, hub.ErrSilentPeers):
		return answer{}, errSilentNodes
	case err != nil:
		return answer{}, err
	case reason == history.Unknown:
		return answer{}, notFound("Unknown position: " + printable(q.After.String()))
	case reason != history.Complete:
		return answer{}, &statusError{status: http.StatusGone, message: "Events behind this position are not kept any more: " + printable(q.After.String())}
	}
	return c.historyPage(page), nil
}

var errSilentNodes = &statusError{
	status:  http.StatusServiceUnavailable,
	message: "Some nodes have not answered, try again",
	header:  "Retry-After",
	value:   "1",
}

func notFound(message string) error {
	return &statusError{status: http.StatusNotFound, message: message}
}

// historyQuery reads the parameters.
func (c *call) historyQuery() (q history.Query, err error) {
	q.Limit = defaultHistoryLimit
	if text, given := c.param("limit"); given {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > maxHistoryLimit {
			return q, badRequest("Expected limit parameter to be a number from 1 to " + strconv.Itoa(maxHistoryLimit))
		}
	}
	switch direction, given := c.param("direction"); {
	case direction == "backwards":
		q.Backwards = true
	case given && direction != "forwards":
		return q, badRequest(`Expected direction parameter to be "forwards" or "backwards"`)
	}
	text, given := c.param("after")
	if !given {
		return q, nil
	}
	var ok bool
	if q.After, ok = history.ParsePosition(text); !ok || text == "" {
		return q, badRequest("Invalid position: " + printable(text))
	}
	q.GoingOn = true
	return q, nil
}

// historyPage answers with events as clients got them, each with the time at which it
// was published.
func (c *call) historyPage(page history.Page) answer {
	out := append(c.out[:0], `{"events":[`...)
	for i, e := range page.Events {
		if i > 0 {
			out = append(out, ',')
		}
		message := e.Frame.Message()
		out = append(out, message[:len(message)-len("}")]...)
		out = append(out, `,"time_ms":`...)
		out = strconv.AppendInt(out, e.At.UnixMilli(), 10)
		out = append(out, '}')
	}
	out = append(out, `],"position":`...)
	out = rawjson.AppendString(out, page.Position.String())
	out = append(out, `,"more":`...)
	out = strconv.AppendBool(out, page.More)
	c.out = append(out, '}')
	return answer{status: http.StatusOK, body: c.out}
}
