package backend

import (
	"context"
	"fmt"
	"slices"
)

// An Event is one element of a batch.
type Event struct {
	Channel  string      // one, of any kind
	Name     string      // of the event
	Data     any         // as in Client.Trigger
	SocketID string      // of a connection that is left out; empty: none
	Info     []Attribute // to be told about the channel
	// IdempotencyKey makes the event one that is delivered once, in whatever
	// batches it stands; see [IdempotencyKey]. Empty means none.
	IdempotencyKey string
}

// A BatchResult is what the service told about the channels of a batch.
type BatchResult struct {
	// Events has one element for each event of the batch, in its order. It is
	// nil if no event asked for anything.
	Events []ChannelInfo `json:"batch"`
}

// TriggerBatch sends up to ten events, each to one channel, in one request.
// The service takes all of them or none. Events on one channel arrive in the
// order of the batch. Encrypted channels and others may stand side by side.
// The slice stays unchanged.
func (c *Client) TriggerBatch(ctx context.Context, events []Event) (*BatchResult, error) {
	if len(events) == 0 || above(len(events), c.limits.Batch) {
		return nil, invalid(ErrBatchSize, "batch", "", fmt.Sprintf("%d events, from 1 to %d are possible", len(events), c.limits.Batch))
	}
	body, err := c.batchBody(events)
	if err != nil {
		return nil, err
	}
	return c.postBatch(ctx, body)
}

func (c *Client) postBatch(ctx context.Context, body []byte) (*BatchResult, error) {
	response, err := c.publish(ctx, "/batch_events", body, "")
	if err != nil {
		return nil, err
	}
	result := new(BatchResult)
	return result, decodeReply(response, result)
}

// TriggerAll sends any number of events, ten in a request, one request after
// the other. It stops at the first request that fails and returns what it
// knows until then: the events before were taken. Everything is checked before
// anything is sent. The timeout of the client is that of each request.
//
// In the result, the events of a request in which none asked for anything
// have empty elements, if any other event did ask.
func (c *Client) TriggerAll(ctx context.Context, events []Event) (*BatchResult, error) {
	all := new(BatchResult)
	size := c.limits.Batch
	if size <= 0 {
		size = max(len(events), 1)
	}
	var bodies [][]byte
	for part := range slices.Chunk(events, size) {
		body, err := c.batchBody(part)
		if err != nil {
			return all, err
		}
		bodies = append(bodies, body)
	}
	for i, body := range bodies {
		result, err := c.postBatch(ctx, body)
		if err != nil {
			return all, err
		}
		if result.Events != nil {
			all.Events = append(all.Events, make([]ChannelInfo, max(i*size-len(all.Events), 0))...)
			all.Events = append(all.Events, result.Events...)
		}
	}
	if all.Events != nil {
		all.Events = append(all.Events, make([]ChannelInfo, max(len(events)-len(all.Events), 0))...)
	}
	return all, nil
}

// batchBody checks events and returns the body of a request for them.
func (c *Client) batchBody(events []Event) ([]byte, error) {
	b := []byte(`{"batch":[`)
	for i, e := range events {
		element, err := c.batchElement(e)
		if err != nil {
			return nil, fmt.Errorf("backend: event %d of the batch: %w", i, err)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, element...)
	}
	return append(b, `]}`...), nil
}

func (c *Client) batchElement(e Event) ([]byte, error) {
	if err := c.checkTarget(e.Channel); err != nil {
		return nil, err
	}
	if err := c.checkEventName(e.Name); err != nil {
		return nil, err
	}
	data, err := c.payload(e.Channel, e.Data)
	if err != nil {
		return nil, err
	}
	members := []member{{"channel", e.Channel}, {"name", e.Name}, {"data", data}}
	if e.SocketID != "" {
		if err := checkSocketID(e.SocketID); err != nil {
			return nil, err
		}
		members = append(members, member{"socket_id", e.SocketID})
	}
	if len(e.Info) > 0 {
		info, err := triggerInfo(e.Info)
		if err != nil {
			return nil, err
		}
		members = append(members, member{"info", info})
	}
	if e.IdempotencyKey != "" {
		if err := checkIdempotencyKey(e.IdempotencyKey); err != nil {
			return nil, err
		}
		members = append(members, member{"idempotency_key", e.IdempotencyKey})
	}
	return object(members...)
}
