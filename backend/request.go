package backend

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxReply is how much of an answer is read. The list of a million channels is
// longer than any other answer.
const maxReply = 64 << 20

// A Response is the answer to Get or Post: success, with any 2xx status.
type Response struct {
	Status int         // from 200 to 299
	Header http.Header // of the answer
	Body   []byte      // in full

	method, path string
}

// Decode reads the body as JSON into v. The error is a [*DecodeError].
func (r *Response) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return &DecodeError{Method: r.method, Path: r.path, Body: r.Body[:min(len(r.Body), 256)], Err: err}
	}
	return nil
}

// Get asks for a path below the app, as in "/channels", for what the package
// has no method for. It is repeated as other queries are.
func (c *Client) Get(ctx context.Context, path string, query url.Values) (*Response, error) {
	return c.do(ctx, call{method: http.MethodGet, path: path, query: query, retries: c.retries})
}

// Post sends body as JSON to a path below the app, for what the package has
// no method for. A string, []byte or [json.RawMessage] is sent as it is, nil
// as no body. It is never repeated.
func (c *Client) Post(ctx context.Context, path string, body any) (*Response, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = encodeData(body); err != nil {
			return nil, err
		}
	}
	return c.do(ctx, call{method: http.MethodPost, path: path, body: text})
}

// publish makes a request that triggers events, under a key of the caller or, if it
// may be repeated, a random one.
func (c *Client) publish(ctx context.Context, path string, body []byte, key string) (*Response, error) {
	if c.triggerRetries > 0 && key == "" {
		key = rand.Text()
	}
	return c.do(ctx, call{method: http.MethodPost, path: path, body: body, key: key, retries: c.triggerRetries})
}

// A call is what the service is asked for.
type call struct {
	method, path string
	api          string // in front of /apps; empty: the HTTP API
	query        url.Values
	body         []byte
	key          string // of idempotency; empty: none
	retries      int
}

// do makes a request, and up to retries more of them while that may help.
func (c *Client) do(ctx context.Context, ask call) (*Response, error) {
	if err := checkPath(ask.method, ask.path); err != nil {
		return nil, err
	}
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	for attempt := 0; ; attempt++ {
		response, err := c.once(ctx, ask)
		if err == nil || attempt >= ask.retries || !mayPass(ctx, err) {
			return response, err
		}
		if !pause(ctx, c.backOff(attempt, err)) {
			return nil, err
		}
	}
}

// mayPass reports whether a call that failed with err can go better now.
func mayPass(ctx context.Context, err error) bool {
	e, ok := errors.AsType[Error](err)
	return ok && e.Temporary() && ctx.Err() == nil
}

// backOff is how long to wait before another attempt: what the service asks
// for, or 100 ms that double, give or take a quarter.
func (c *Client) backOff(attempt int, err error) time.Duration {
	if e, ok := errors.AsType[*APIError](err); ok {
		if d := retryAfter(e.Header, c.now()); d > 0 {
			return d
		}
	}
	d := 100 * time.Millisecond << attempt
	return d*3/4 + mathrand.N(d/2)
}

// pause waits, unless ctx would end before.
func pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once makes one request and tells the log and the observer of it.
func (c *Client) once(ctx context.Context, ask call) (*Response, error) {
	start := time.Now()
	response, err := c.exchange(ctx, ask)
	info := RequestInfo{Method: ask.method, Path: c.base.EscapedPath() + ask.api + "/apps/" + c.appID + ask.path, Duration: time.Since(start), Err: err}
	if response != nil {
		info.Status = response.Status
	} else if e, ok := errors.AsType[*APIError](err); ok {
		info.Status = e.Status
	}
	c.log.DebugContext(ctx, "request", "method", ask.method, "path", info.Path, "status", info.Status, "duration", info.Duration)
	if c.observer != nil {
		c.observer(info)
	}
	return response, err
}

// exchange sends a request and reads the answer.
func (c *Client) exchange(ctx context.Context, ask call) (*Response, error) {
	method, path, body := ask.method, ask.path, ask.body
	target, err := c.signedURL(ask.api, method, path, ask.query, body)
	if err != nil {
		return nil, err
	}
	var content io.Reader
	if len(body) > 0 {
		content = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, &TransportError{method, path, plainCause(err)}
	}
	request.Header.Set("X-Pusher-Library", c.library)
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	if ask.key != "" {
		request.Header.Set("Idempotency-Key", ask.key)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, &TransportError{method, path, plainCause(err)}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply+1))
	if err != nil {
		return nil, &TransportError{method, path, plainCause(err)}
	}
	if len(text) > maxReply {
		return nil, &DecodeError{method, path, text[:256], errors.New("the answer is too long")}
	}
	if answer.StatusCode/100 != 2 {
		return nil, &APIError{
			Status: answer.StatusCode, Message: strings.TrimSuffix(string(text), "\n"),
			Method: method, Path: path, Header: answer.Header, Body: text,
		}
	}
	return &Response{answer.StatusCode, answer.Header, text, method, path}, nil
}

// plainCause takes off what prints the URL, which has the signature.
func plainCause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// encodeData returns the text of an event's data or a body: strings, bytes and
// raw JSON as they are, anything else as JSON in which <, > and & stay as they
// are.
func encodeData(v any) ([]byte, error) {
	switch d := v.(type) {
	case string:
		return []byte(d), nil
	case []byte:
		return d, nil
	case json.RawMessage:
		return d, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, invalid(ErrInvalidData, "data", "", err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// A member of an object is written in the order that it is given.
type member struct {
	name  string
	value any
}

// object returns the JSON of an object.
func object(members ...member) ([]byte, error) {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := encodeJSON(m.name)
		if err != nil {
			return nil, err
		}
		value, err := encodeJSON(m.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// encodeJSON is encodeData for values that always become JSON.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, invalid(ErrInvalidData, "data", "", err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
