package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// The names of webhook events.
const (
	EventChannelOccupied   = "channel_occupied"
	EventChannelVacated    = "channel_vacated"
	EventMemberAdded       = "member_added"
	EventMemberRemoved     = "member_removed"
	EventClientEvent       = "client_event"
	EventCacheMiss         = "cache_miss"
	EventSubscriptionCount = "subscription_count"
)

// The headers of webhooks.
const (
	HeaderKey       = "X-Pusher-Key"
	HeaderSignature = "X-Pusher-Signature"
)

// maxWebhook is how long the body of a webhook may be.
const maxWebhook = 1 << 20

// A Webhook is what the service told the application.
type Webhook struct {
	TimeMS int64  // when it was made, in milliseconds since 1970
	Key    string // of the token that signed it
	Events []WebhookEvent
}

// Time returns when the webhook was made.
func (w *Webhook) Time() time.Time { return time.UnixMilli(w.TimeMS) }

// A WebhookEvent is one thing that happened. Which fields are set depends on
// its name; what the package does not know is in Raw.
type WebhookEvent struct {
	Name    string // such as EventMemberAdded
	Channel string
	UserID  string // of member events, and of client events on presence channels

	Event    string // name of a client event
	Data     string // of a client event; decrypted if Decrypted
	SocketID string // of the connection that triggered a client event

	SubscriptionCount int

	// Decrypted says that the data came encrypted. It stays as it came when
	// there is no master key, which is no error, and when DecryptErr says why
	// it could not be decrypted.
	Decrypted  bool
	DecryptErr error

	Raw json.RawMessage // the event as it came
}

// Webhook checks a webhook and returns what it says. The body is the exact
// bytes that were received. It may be signed with the app's own token, with
// one of Config.WebhookTokens, or with one of extra; all tokens of the key
// that the header names are tried. The error is a [*WebhookError].
func (c *Client) Webhook(h http.Header, body []byte, extra ...Token) (*Webhook, error) {
	key, err := c.verifyWebhook(h, body, extra)
	if err != nil {
		c.log.Warn("webhook refused", "err", err)
		return nil, err
	}
	w, err := c.readWebhook(body)
	if err != nil {
		c.log.Warn("webhook refused", "err", err)
		return nil, err
	}
	w.Key = key
	return w, nil
}

// verifyWebhook checks who sent a webhook and in what form, and returns the
// key of the sender.
func (c *Client) verifyWebhook(h http.Header, body []byte, extra []Token) (string, error) {
	key, signature := h.Get(HeaderKey), h.Get(HeaderSignature)
	if key == "" || signature == "" {
		return "", &WebhookError{Reason: ErrWebhookHeader}
	}
	known, right := false, false
	for _, tokens := range [][]Token{c.tokens, extra} {
		for _, t := range tokens {
			if t.Key == key {
				known = true
				right = right || t.Verify(body, signature)
			}
		}
	}
	switch {
	case !known:
		return "", &WebhookError{Reason: ErrWebhookKey}
	case !right:
		return "", &WebhookError{Reason: ErrWebhookSignature}
	}
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/json" {
		return "", &WebhookError{Reason: ErrWebhookContentType}
	}
	return key, nil
}

// readWebhook reads a body whose signature was right.
func (c *Client) readWebhook(body []byte) (*Webhook, error) {
	var parsed struct {
		TimeMS *int64            `json:"time_ms"`
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(body, &parsed); err != nil {
		return nil, &WebhookError{Reason: ErrWebhookBody, Err: err}
	}
	if parsed.TimeMS == nil {
		return nil, &WebhookError{Reason: ErrWebhookBody, Err: errors.New("there is no time_ms")}
	}
	w := &Webhook{TimeMS: *parsed.TimeMS, Events: make([]WebhookEvent, len(parsed.Events))}
	if age := c.now().Sub(w.Time()).Abs(); c.maxAge > 0 && age > c.maxAge {
		return nil, &WebhookError{Reason: ErrWebhookStale, Err: fmt.Errorf("made %s from now", age.Round(time.Millisecond))}
	}
	for i, raw := range parsed.Events {
		if err := w.Events[i].read(raw); err != nil {
			return nil, &WebhookError{Reason: ErrWebhookBody, Err: fmt.Errorf("event %d: %w", i, err)}
		}
		c.decryptEvent(&w.Events[i])
	}
	return w, nil
}

// read takes over what raw says.
func (e *WebhookEvent) read(raw json.RawMessage) error {
	var parsed struct {
		Name              text        `json:"name"`
		Channel           text        `json:"channel"`
		UserID            text        `json:"user_id"`
		Event             text        `json:"event"`
		Data              text        `json:"data"`
		SocketID          text        `json:"socket_id"`
		SubscriptionCount json.Number `json:"subscription_count"`
	}
	if err := json.Unmarshal(raw, &parsed); err != nil {
		return err
	}
	*e = WebhookEvent{
		Name: string(parsed.Name), Channel: string(parsed.Channel), UserID: string(parsed.UserID),
		Event: string(parsed.Event), Data: string(parsed.Data), SocketID: string(parsed.SocketID),
		Raw: raw,
	}
	if parsed.SubscriptionCount != "" {
		n, err := parsed.SubscriptionCount.Int64()
		if err != nil {
			return fmt.Errorf("subscription_count: %w", err)
		}
		e.SubscriptionCount = int(n)
	}
	return nil
}

// decryptEvent decrypts the data of a client event on an encrypted channel, if
// there is a key. Other events of such channels have no data.
func (c *Client) decryptEvent(e *WebhookEvent) {
	if e.Name != EventClientEvent || !IsEncrypted(e.Channel) || c.master == nil {
		return
	}
	data, err := c.DecryptData(e.Channel, e.Data)
	if err != nil {
		e.DecryptErr = err
		return
	}
	e.Data, e.Decrypted = string(data), true
}

// WebhookFromRequest is Webhook for a request, of whose body at most 1 MiB is
// read. The body can be read again afterwards.
func (c *Client) WebhookFromRequest(r *http.Request, extra ...Token) (*Webhook, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxWebhook+1))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	switch {
	case err != nil:
		return nil, &WebhookError{Reason: ErrWebhookBody, Err: err}
	case len(body) > maxWebhook:
		return nil, &WebhookError{Reason: ErrWebhookBody, Err: errors.New("longer than 1 MiB")}
	}
	return c.Webhook(r.Header, body, extra...)
}

// WebhookHandler is an endpoint for webhooks. It answers 401 to what Webhook
// refuses; then it calls f and answers 200, or 500 if f returns an error, so that the service sends the
// webhook again. The same webhook may arrive more than once.
func (c *Client) WebhookHandler(f func(ctx context.Context, w *Webhook) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		hook, err := c.WebhookFromRequest(r)
		if err != nil {
			http.Error(w, "Invalid webhook", http.StatusUnauthorized)
			return
		}
		if err := f(r.Context(), hook); err != nil {
			c.log.ErrorContext(r.Context(), "webhook not handled", "err", err)
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}
