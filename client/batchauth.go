package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// BatchHTTPAuth asks for many channels in one request, as the plug-in
// pusher-js-auth does. The form has channel_name[0], channel_name[1] and so
// on. The answer is a JSON object with a member for each channel, which has
// a status and, with status 200, the usual data. A channel without an answer
// counts as refused with 404. Users are authenticated one at a time.
//
// The client collects the channels of a connection. Decode is not used.
type BatchHTTPAuth struct {
	HTTPAuth
	Delay    time.Duration // collect for so long; zero: what is asked for at the same moment
	MaxBatch int           // channels in a request; default 100
}

func (b *BatchHTTPAuth) most() int { return max(cmp.Or(b.MaxBatch, 100), 1) }

// AuthorizeChannel asks for one channel alone.
func (b *BatchHTTPAuth) AuthorizeChannel(ctx context.Context, r AuthRequest) (Auth, error) {
	result := b.authorize(ctx, []AuthRequest{r})[0]
	return result.auth, result.err
}

// authorize asks for several channels of a connection. The result has an
// element for each of them.
func (b *BatchHTTPAuth) authorize(ctx context.Context, requests []AuthRequest) []authResult {
	form := url.Values{"socket_id": {requests[0].SocketID}}
	for i, r := range requests {
		form.Set(fmt.Sprintf("channel_name[%d]", i), r.Channel)
	}
	answers, err := b.answers(ctx, requests, form)
	results := make([]authResult, len(requests))
	for i, r := range requests {
		if err != nil {
			results[i].err = forChannel(err, r.Channel)
			continue
		}
		results[i].auth, results[i].err = answers[r.Channel].auth(r.Channel)
	}
	return results
}

// forChannel says the same about one of several channels.
func forChannel(err error, channel string) error {
	if e, ok := errors.AsType[*AuthError](err); ok {
		own := *e
		own.Channel = channel
		return &own
	}
	return err
}

// A batchAnswer is what one channel got.
type batchAnswer struct {
	Status *int            `json:"status"`
	Data   json.RawMessage `json:"data"`
}

// answers sends the request and reads what each channel got. Hooks are told of
// the highest attempt among them, so that one that needs a new token gets it.
func (b *BatchHTTPAuth) answers(ctx context.Context, requests []AuthRequest, form url.Values) (map[string]batchAnswer, error) {
	latest := slices.MaxFunc(requests, func(a, b AuthRequest) int { return cmp.Compare(a.Attempt, b.Attempt) })
	response, err := b.post(ctx, latest, form)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := readAnswer(response, "", maxAuthAnswer*int64(len(requests)))
	if err != nil {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, &AuthError{Kind: AuthBadResponse, StatusCode: http.StatusOK, Body: string(text[:min(len(text), maxQuote)]), Err: err}
	}
	answers := make(map[string]batchAnswer, len(raw))
	for channel, one := range raw {
		var a batchAnswer
		if json.Unmarshal(one, &a) != nil {
			a = batchAnswer{Data: one} // refused below as what it is
		}
		answers[channel] = a
	}
	return answers, nil
}

// auth is the answer for one channel.
func (a batchAnswer) auth(channel string) (Auth, error) {
	status := http.StatusOK
	switch {
	case a.Status != nil:
		status = *a.Status
	case a.Data == nil:
		status = http.StatusNotFound
	}
	if status != http.StatusOK && status != http.StatusCreated {
		return Auth{}, &AuthError{Kind: AuthRefused, Channel: channel, StatusCode: status}
	}
	return decodeAuth(a.Data, channel)
}
