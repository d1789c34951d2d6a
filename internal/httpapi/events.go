package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// triggerEvent answers POST /apps/{app_id}/events: one event on one or more
// channels.
func (a *Handler) triggerEvent(c *call) (answer, error) {
	var f fields
	if len(c.body) > 0 {
		if err := rawjson.Object(c.body, f.set); err != nil {
			return answer{}, c.errJSON()
		}
	}
	c.fillFromQuery(&f)
	e, err := c.event(&f)
	if err != nil {
		return answer{}, err
	}
	if err := c.targets(&f); err != nil {
		return answer{}, err
	}
	except, err := except(f.socketID)
	if err != nil {
		return answer{}, err
	}
	asked, err := parseTriggerInfo(c.app, f.info)
	if err != nil {
		return answer{}, err
	}
	if ans, repeat, err := a.admitTrigger(c); repeat || err != nil {
		return ans, err
	}
	return c.settle(a.trigger(c, e, except, asked))
}

// admitTrigger refuses what is beyond the app's rate, and claims the key of the call.
// If the call is a repeat, its answer is returned.
func (a *Handler) admitTrigger(c *call) (ans answer, repeat bool, err error) {
	if err := a.admit(c, apps.BackendEvents, len(c.channels)); err != nil {
		return answer{}, false, err
	}
	return a.claim(c)
}

// trigger hands e to the hub, for c.channels, and answers with what was asked about
// them.
func (a *Handler) trigger(c *call, e hub.Event, except protocol.SocketID, asked info) (answer, error) {
	if c.hasty && a.mayWait(c.app, slices.Values(c.channels)) {
		return answer{}, errWouldWait
	}
	ctx := &patience{Context: c.r.Context(), none: c.hasty}
	defer ctx.stop()
	var err error
	if c.receipt, err = a.hub.Trigger(ctx, c.app, c.channels, e, except); err != nil {
		return answer{}, c.overloaded(err)
	}
	a.metrics.events.Add(float64(len(c.channels)))
	if asked == 0 {
		return emptyObject, nil
	}
	return a.channelsInfo(c, asked), nil
}

// channelsInfo answers with what was asked about each of c.channels.
func (a *Handler) channelsInfo(c *call, asked info) answer {
	out := append(c.out[:0], `{"channels":{`...)
	for i, name := range c.channels {
		if i > 0 {
			out = append(out, ',')
		}
		out = rawjson.AppendString(out, name)
		out = append(out, ':')
		out = a.appendAttributes(out, c.app, name, asked)
	}
	c.out = append(out, "}}"...)
	return answer{status: http.StatusOK, body: c.out}
}

// fillFromQuery takes from the query what the body does not have.
func (c *call) fillFromQuery(f *fields) {
	fill := func(field *[]byte, key string) {
		if *field != nil {
			return
		}
		if value, ok := c.param(key); ok {
			*field = c.quote(value)
		}
	}
	fill(&f.name, "name")
	fill(&f.data, "data")
	fill(&f.socketID, "socket_id")
	if list := c.info(); f.info == nil && list != "" {
		f.info = c.quote(list)
	}
	if f.channels != nil || f.channel != nil {
		return
	}
	if f.channels = c.queryArray("channels[]"); f.channels == nil {
		fill(&f.channels, "channels") // which is no array, and refused as that
		fill(&f.channel, "channel")
	}
}

// queryArray returns all values of a key as a JSON array, or nil if there is
// none.
func (c *call) queryArray(key string) []byte {
	start := len(c.scratch)
	separator := byte('[')
	for _, p := range c.params {
		if p.Key == key {
			c.scratch = append(c.scratch, separator)
			c.scratch = rawjson.AppendString(c.scratch, p.Value)
			separator = ','
		}
	}
	if separator == '[' {
		return nil
	}
	c.scratch = append(c.scratch, ']')
	return c.scratched(start)
}

// targets sets c.channels to where the event goes, each once.
func (c *call) targets(f *fields) error {
	switch {
	case f.channels != nil:
		if err := c.readChannels(f.channels); err != nil {
			return err
		}
	case f.channel != nil:
		name, ok := rawjson.String(f.channel)
		if !ok {
			return badRequest("Expected channel parameter to be a string")
		}
		c.channels = append(c.channels[:0], name)
	default:
		return badRequest("Missing required parameter: channels")
	}
	c.channels = unique(c.channels)
	for _, name := range c.channels {
		if err := checkTarget(c.app, name); err != nil {
			return err
		}
		// Each such channel has a key of its own, so what one can read is
		// noise on the others.
		if len(c.channels) > 1 && protocol.KindOf(name).Encrypted() {
			return badRequest("An event for an encrypted channel can have no other channels")
		}
	}
	return nil
}

// readChannels reads an array of names into c.channels. Beyond the limit it
// only counts.
func (c *call) readChannels(array []byte) error {
	names, limit := c.channels[:0], c.app.Limits.ChannelsPerEvent
	count, onlyStrings := 0, true
	err := rawjson.Array(array, func(element []byte) {
		count++
		if limit > 0 && count > limit {
			return
		}
		name, ok := rawjson.String(element)
		onlyStrings = onlyStrings && ok
		names = append(names, name)
	})
	c.channels = names
	switch {
	case err != nil:
		return badRequest("Expected channels parameter to be an array")
	case count == 0:
		return badRequest("Missing required parameter: channels")
	case limit > 0 && count > limit:
		return badRequest("Too many channels (" + strconv.Itoa(count) + " > " + strconv.Itoa(limit) + ")")
	case !onlyStrings:
		return badRequest("Expected channels parameter to be an array of strings")
	}
	return nil
}

// unique removes repetitions in place, and keeps the order.
func unique(names []string) []string {
	const few = 16 // compared with each other, which is faster than a map
	if len(names) > few {
		return uniqueByMap(names)
	}
	kept := names[:0]
next:
	for _, name := range names {
		for _, other := range kept {
			if name == other {
				continue next
			}
		}
		kept = append(kept, name)
	}
	return kept
}

func uniqueByMap(names []string) []string {
	seen := make(map[string]struct{}, len(names))
	kept := names[:0]
	for _, name := range names {
		if _, ok := seen[name]; !ok {
			seen[name] = struct{}{}
			kept = append(kept, name)
		}
	}
	return kept
}

// errJSON says what is wrong with a body that is not a JSON object.
func (c *call) errJSON() error {
	if !utf8.Valid(c.body) {
		return errInvalidUTF8
	}
	return errInvalidJSON
}

// overloadWait is how long a backend waits for a node that has too much to do,
// before it is told to come back. Official libraries give up after five seconds.
const overloadWait = 2 * time.Second

// A patience is a context that ends overloadWait after somebody first waits
// for its end. It costs next to nothing when nobody does, which is the rule.
// One goroutine uses it.
type patience struct {
	context.Context                 // of the request
	none            bool            // the wait is over when it begins
	waiting         context.Context // of the first that waits; a patience is one itself
	cancel          context.CancelFunc
}

// Done starts the wait.
func (p *patience) Done() <-chan struct{} {
	if p.none {
		return over
	}
	if p.waiting == nil {
		p.waiting, p.cancel = context.WithTimeout(p.Context, overloadWait)
	}
	return p.waiting.Done()
}

// Err is not nil once the wait is over, or the request.
func (p *patience) Err() error {
	if p.none {
		return errWouldWait
	}
	if p.waiting != nil {
		return p.waiting.Err()
	}
	return p.Context.Err()
}

// stop lets go of the timer.
func (p *patience) stop() {
	if p.cancel != nil {
		p.cancel()
	}
}
