package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/idempotency"
	"github.com/belfryhq/belfry/internal/rawjson"
)

// Calls that trigger events may have an idempotency key, and so may each event of a
// batch. What was triggered under a key is not triggered again: the repeat of a call
// is answered like the first one, and the repeat of an event is left out of its batch.
// A key is claimed when nothing is left that could be refused, but for
// a node that has too much to do; that gives it free again.

// headerReplayed is on the answer to a repeat.
const headerReplayed = "Idempotent-Replayed"

// idempotencyHeaders are those that may have the key of a call.
var idempotencyHeaders = [...]string{"Idempotency-Key", "X-Idempotency-Key"}

const (
	// maxRemembered is how long the body of an answer may be that is remembered.
	maxRemembered = 16 << 10
	// claimsAtOnce is how many keys of a batch are claimed at once.
	claimsAtOnce = 16
)

// keyed is what a call has under idempotency keys.
type keyed struct {
	call   *idempotency.Claim // nil: the call has no key
	events []*idempotency.Claim
	first  *precedent // of the call that this one repeats; nil: it is none
}

// A precedent is what is remembered of a call: its repeats are answered with it.
type precedent struct {
	Status    int             `json:"status"`
	Body      json.RawMessage `json:"body,omitempty"`
	EventIDs  string          `json:"event_ids,omitempty"`
	Receivers string          `json:"receivers,omitempty"`
}

// claim claims the key of the call, if it has one. If the call is a repeat, its answer
// is returned.
func (a *Handler) claim(c *call) (ans answer, repeat bool, err error) {
	key, err := c.idempotencyKey()
	if key == "" || err != nil || a.keys == nil {
		return answer{}, false, err
	}
	if c.hasty {
		return answer{}, false, errWouldWait
	}
	claim, first, err := a.keys.Claim(c.r.Context(), c.app.ID, key, c.digest())
	switch {
	case err != nil:
		return answer{}, false, errKey(err, "")
	case claim != nil:
		c.keyed.call = claim
		return answer{}, false, nil
	}
	c.keyed.first = new(precedent)
	if err := json.Unmarshal(first, c.keyed.first); err != nil {
		return answer{}, false, err
	}
	return c.keyed.first.answer(), true, nil
}

// idempotencyKey returns the key of the call, "" if it has none.
func (c *call) idempotencyKey() (key string, err error) {
	for _, name := range idempotencyHeaders {
		for _, value := range c.r.Header[name] {
			switch {
			case key != "" && value != key:
				return "", badRequest("There are two idempotency keys; a request can have one")
			case key == "":
				if err := checkIdempotencyKey(value); err != nil {
					return "", err
				}
			}
			key = value
		}
	}
	return key, nil
}

func checkIdempotencyKey(key string) error {
	switch {
	case key == "":
		return badRequest("Invalid idempotency key: it is empty")
	case len(key) > idempotency.MaxKey:
		return badRequest("Invalid idempotency key: it is longer than " + strconv.Itoa(idempotency.MaxKey) + " bytes")
	case !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return badRequest("Invalid idempotency key: it has characters that do not print")
	}
	return nil
}

// digest is what the call is told apart by: all of it but for the signature.
func (c *call) digest() idempotency.Digest {
	parts := [][]byte{[]byte(c.route.name), []byte(c.target), c.body}
	for _, p := range c.params {
		if !isAuthParam(p.Key) {
			parts = append(parts, []byte(p.Key), []byte(p.Value))
		}
	}
	return idempotency.DigestOf(parts...)
}

// claimEvents claims the keys of the events of a batch, and returns those events that
// are to be triggered. It claims all or none.
func (a *Handler) claimEvents(c *call) ([]hub.Targeted, error) {
	if a.keys == nil || !slices.ContainsFunc(c.keys, func(key string) bool { return key != "" }) {
		return c.events, nil
	}
	if c.hasty {
		return nil, errWouldWait
	}
	e := &keyedEvents{api: a, call: c, claims: make([]*idempotency.Claim, len(c.events)), errs: make([]error, len(c.events))}
	if err := e.find(); err != nil {
		return nil, err
	}
	e.claim()
	for i, claim := range e.claims {
		if claim != nil {
			c.keyed.events = append(c.keyed.events, claim)
		}
		if err := e.errs[i]; err != nil {
			return nil, errKey(err, "batch["+strconv.Itoa(i)+"]: ")
		}
	}
	var events []hub.Targeted
	for i := range c.events {
		if c.keys[i] == "" || e.claims[i] != nil {
			events = append(events, c.events[i])
		}
	}
	return events, nil
}

// keyedEvents are the events of a batch of which some have keys.
type keyedEvents struct {
	api     *Handler
	call    *call
	digests []idempotency.Digest
	firsts  []int                // events that are the first of the batch with their key
	claims  []*idempotency.Claim // by event; nil: it has no key, or is a repeat
	errs    []error
}

// find finds out which keys are to be claimed. An event may stand in a batch twice, and
// counts once.
func (e *keyedEvents) find() error {
	seen := make(map[string]int)
	e.digests = make([]idempotency.Digest, len(e.call.events))
	for i, key := range e.call.keys {
		if key == "" {
			continue
		}
		event := &e.call.events[i]
		e.digests[i] = idempotency.DigestOf([]byte("event"), []byte(event.Channel), []byte(event.Name), event.Data, []byte(event.Except.String()))
		first, again := seen[key]
		switch {
		case !again:
			seen[key] = i
			e.firsts = append(e.firsts, i)
		case e.digests[i] != e.digests[first]:
			return errKey(idempotency.ErrOtherRequest, "batch["+strconv.Itoa(i)+"]: ")
		}
	}
	return nil
}

// claim claims the keys, several at once.
func (e *keyedEvents) claim() {
	ctx, cancel := context.WithTimeout(e.call.r.Context(), overloadWait)
	defer cancel()
	for some := range slices.Chunk(e.firsts, claimsAtOnce) {
		var all sync.WaitGroup
		for _, i := range some {
			all.Go(func() {
				e.claims[i], _, e.errs[i] = e.api.keys.Claim(ctx, e.call.app.ID, e.call.keys[i], e.digests[i])
			})
		}
		all.Wait()
	}
}

// settle ends the claims of a call: with its answer, or without if it has done nothing.
func (c *call) settle(ans answer, err error) (answer, error) {
	k := &c.keyed
	if k.call == nil && k.events == nil {
		return ans, err
	}
	if err != nil && !errors.Is(err, hub.ErrNotKept) { // that much was done
		for _, claim := range k.events {
			claim.Release()
		}
		if k.call != nil {
			k.call.Release()
		}
		return ans, err
	}
	for some := range slices.Chunk(k.events, claimsAtOnce) {
		var all sync.WaitGroup
		for _, claim := range some {
			all.Go(func() { claim.Done([]byte("{}")) })
		}
		all.Wait()
	}
	if k.call != nil {
		told := ans
		if err != nil {
			told = answer{status: errNotKept.status}
		}
		k.call.Done(c.precedent(told))
	}
	return ans, err
}

// precedent is what is remembered of the call.
func (c *call) precedent(ans answer) []byte {
	o := precedent{Status: ans.status}
	if len(ans.body) <= maxRemembered {
		o.Body = ans.body
	}
	if c.receipt.Events > 0 {
		o.EventIDs, o.Receivers = named(c.receipt), received(c.receipt)
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // the body of a success is JSON
	}
	return b
}

// answer is that of a repeat.
func (o *precedent) answer() answer {
	ans := answer{status: o.Status, body: o.Body, header: headerReplayed, value: "true"}
	switch {
	case ans.status == errNotKept.status:
		ans.body = []byte(errNotKept.message + "\n")
	case ans.status == http.StatusOK && ans.body == nil:
		ans.body = emptyObject.body
	}
	return ans
}

// acknowledge says what the first call was told about its events.
func (o *precedent) acknowledge(h http.Header) {
	if o.EventIDs != "" {
		h[headerEventID], h[headerReceivers] = []string{o.EventIDs}, []string{o.Receivers}
	}
}

// errKey is how a call is refused whose key can not be claimed. Nothing has happened
// then. Which says whose key it is.
func errKey(err error, which string) error {
	switch {
	case errors.Is(err, idempotency.ErrOtherRequest):
		return &statusError{status: http.StatusConflict, message: which + "The idempotency key was used for something else"}
	case errors.Is(err, idempotency.ErrInProgress):
		return &statusError{
			status: http.StatusConflict, message: which + "A request with this idempotency key is under way, try again",
			header: "Retry-After", value: "1",
		}
	case errors.Is(err, idempotency.ErrUnfinished):
		return &statusError{status: http.StatusConflict, message: which + "Whether the request with this idempotency key was carried out is not known, " +
			"because its node has ended; send it with another key if it may happen twice"}
	case errors.Is(err, idempotency.ErrFull):
		return &statusError{
			status: http.StatusTooManyRequests, message: which + "Too many idempotency keys; each is remembered for " + strconv.Itoa(int(idempotency.Kept.Minutes())) + " minutes",
			header: "Retry-After", value: "60",
		}
	}
	return &statusError{
		status: http.StatusServiceUnavailable, message: which + "The idempotency key can not be remembered now, try again",
		header: "Retry-After", value: "1",
	}
}

// parseEventKey reads the key of one event of a batch.
func parseEventKey(value []byte) (string, error) {
	if value == nil {
		return "", nil
	}
	key, ok := rawjson.String(value)
	if !ok {
		return "", badRequest("Expected idempotency_key parameter to be a string")
	}
	return key, checkIdempotencyKey(key)
}
