package httpapi

import (
	"net/http"
	"strconv"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
)

// triggerBatch answers POST /apps/{app_id}/batch_events: several events on one
// channel each.
func (a *Handler) triggerBatch(c *call) (answer, error) {
	batch, err := c.batch()
	if err != nil {
		return answer{}, err
	}
	if err := c.readBatch(batch); err != nil {
		return answer{}, err
	}
	if err := a.admit(c, apps.BackendEvents, len(c.events)); err != nil {
		return answer{}, err
	}
	if ans, repeat, err := a.claim(c); repeat || err != nil {
		return ans, err
	}
	return c.settle(a.triggerEvents(c))
}

// triggerEvents hands c.events to the hub, but for those that are repeats.
func (a *Handler) triggerEvents(c *call) (answer, error) {
	events, err := a.claimEvents(c)
	if err != nil {
		return answer{}, err
	}
	if len(events) == 0 {
		return a.batchInfo(c), nil
	}
	if c.hasty && a.mayWait(c.app, channelsOf(events)) {
		return answer{}, errWouldWait
	}
	ctx := &patience{Context: c.r.Context(), none: c.hasty}
	defer ctx.stop()
	if c.receipt, err = a.hub.TriggerBatch(ctx, c.app, events); err != nil {
		return answer{}, c.overloaded(err)
	}
	a.metrics.events.Add(float64(len(events)))
	return a.batchInfo(c), nil
}

// batch returns the one member of the body.
func (c *call) batch() ([]byte, error) {
	var batch []byte
	if len(c.body) > 0 {
		err := rawjson.Object(c.body, func(key, value []byte) {
			if string(key) == "batch" && !rawjson.IsNull(value) {
				batch = value
			}
		})
		if err != nil {
			return nil, c.errJSON()
		}
	}
	if batch == nil {
		return nil, badRequest("Missing required parameter: batch")
	}
	return batch, nil
}

// readBatch reads all events into c.events, and what is asked about their
// channels into c.infos. It goes on counting after the first error, because
// too many events are reported before anything about one of them.
func (c *call) readBatch(array []byte) error {
	c.events, c.infos, c.keys = c.events[:0], c.infos[:0], c.keys[:0]
	count, limit := 0, c.app.Limits.EventsPerBatch
	var first error
	err := rawjson.Array(array, func(element []byte) {
		count++
		if first == nil && (limit <= 0 || count <= limit) {
			first = c.readTargeted(element)
		}
	})
	switch {
	case err != nil:
		return badRequest("Expected batch parameter to be an array")
	case count == 0:
		return badRequest("Missing required parameter: batch")
	case limit > 0 && count > limit:
		return badRequest("Batch too large (" + strconv.Itoa(count) + " > " + strconv.Itoa(limit) + ")")
	}
	return first
}

// readTargeted reads one event of a batch.
func (c *call) readTargeted(element []byte) error {
	if !rawjson.IsObject(element) {
		return badRequest("Expected batch parameter to be an array of objects")
	}
	var f fields
	if err := rawjson.Object(element, f.set); err != nil {
		return errInvalidJSON
	}
	if f.channel == nil {
		return badRequest("Missing required parameter: channel")
	}
	channel, ok := rawjson.String(f.channel)
	if !ok {
		return badRequest("Expected channel parameter to be a string")
	}
	if err := checkTarget(c.app, channel); err != nil {
		return err
	}
	e, err := c.event(&f)
	if err != nil {
		return err
	}
	except, err := except(f.socketID)
	if err != nil {
		return err
	}
	asked, err := parseTriggerInfo(c.app, f.info)
	if err != nil {
		return err
	}
	key, err := parseEventKey(f.key)
	if err != nil {
		return err
	}
	c.events = append(c.events, hub.Targeted{Event: e, Channel: channel, Except: except})
	c.infos = append(c.infos, asked)
	c.keys = append(c.keys, key)
	return nil
}

// batchInfo answers with an object for every event if any of them asked for
// something.
func (a *Handler) batchInfo(c *call) answer {
	var all info
	for _, asked := range c.infos {
		all |= asked
	}
	if all == 0 {
		return emptyObject
	}
	out := append(c.out[:0], `{"batch":[`...)
	for i, asked := range c.infos {
		if i > 0 {
			out = append(out, ',')
		}
		out = a.appendAttributes(out, c.app, c.events[i].Channel, asked)
	}
	c.out = append(out, "]}"...)
	return answer{status: http.StatusOK, body: c.out}
}
