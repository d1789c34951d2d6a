package backend

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// A HistoryQuery says which events of a channel's history are read.
type HistoryQuery struct {
	// After is where to go on: the position of the page before, or a client's. Empty
	// is the beginning: the oldest event that is kept, or the latest with Backwards.
	After     string
	Backwards bool // from later events to earlier ones
	Limit     int  // of events in a page; 0: that of the service, 100
}

// A HistoryPage is some of the events that a service keeps of a channel.
type HistoryPage struct {
	Events   []KeptEvent
	Position string // where the next page begins
	More     bool   // there are more events now
}

// A KeptEvent is one that was triggered on a channel, as its subscribers got it.
type KeptEvent struct {
	Name     string
	Data     string // decrypted on an encrypted channel
	UserID   string // who sent it, of client events on presence channels
	Position string // its place in the history of the channel
	Time     time.Time
}

// History returns a page of the events that are kept of a channel. It is an addition of
// Belfry, for apps that keep a history; elsewhere the error is ErrNotFound. No event is left
// out between a page and the next one. If some are not kept any more, the
// error of the next page is ErrPositionGone.
func (c *Client) History(ctx context.Context, channel string, q HistoryQuery) (*HistoryPage, error) {
	if err := c.checkChannel(channel); err != nil {
		return nil, err
	}
	query := url.Values{}
	if q.After != "" {
		query.Set("after", q.After)
	}
	if q.Backwards {
		query.Set("direction", "backwards")
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	response, err := c.Get(ctx, "/channels/"+channel+"/events", query)
	if err != nil {
		return nil, err
	}
	var reply struct {
		Events []struct {
			Event, Data, Position string
			UserID                text  `json:"user_id"`
			TimeMS                int64 `json:"time_ms"`
		}
		Position string
		More     bool
	}
	if err := response.Decode(&reply); err != nil {
		return nil, err
	}
	page := &HistoryPage{Position: reply.Position, More: reply.More}
	for _, e := range reply.Events {
		kept := KeptEvent{Name: e.Event, Data: e.Data, UserID: string(e.UserID), Position: e.Position, Time: time.UnixMilli(e.TimeMS)}
		if IsEncrypted(channel) {
			plain, err := c.DecryptData(channel, e.Data)
			if err != nil {
				return nil, err
			}
			kept.Data = string(plain)
		}
		page.Events = append(page.Events, kept)
	}
	return page, nil
}

// AllHistory reads page after page, and ends where there are no more events. The last
// element has the error that ended it before that, if there is one.
func (c *Client) AllHistory(ctx context.Context, channel string, q HistoryQuery) iter.Seq2[KeptEvent, error] {
	return func(yield func(KeptEvent, error) bool) {
		for more := true; more; {
			page, err := c.History(ctx, channel, q)
			if err != nil {
				yield(KeptEvent{}, err)
				return
			}
			for _, e := range page.Events {
				if !yield(e, nil) {
					return
				}
			}
			q.After, more = page.Position, page.More
		}
	}
}
