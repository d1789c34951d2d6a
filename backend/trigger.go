package backend

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Attribute is something to be told about a channel.
type Attribute string

// The attributes of channels.
const (
	UserCount         Attribute = "user_count"         // distinct users; presence channels only
	SubscriptionCount Attribute = "subscription_count" // connections; if the app has counting switched on
	CachedEvent       Attribute = "cache"              // the last event; cache channels, and only of Client.Channel
)

// A ChannelInfo is what the service tells about a channel. What was not asked
// for, or does not apply to the channel, is nil.
type ChannelInfo struct {
	Occupied          bool    `json:"occupied"`           // only of Client.Channel
	UserCount         *int    `json:"user_count"`         // users, each once
	SubscriptionCount *int    `json:"subscription_count"` // connections
	Cache             *Cached `json:"cache"`              // nil also when nothing is cached
}

// A Cached is the last event of a cache channel.
type Cached struct {
	Data string `json:"data"` // as it was published
	TTL  int    `json:"ttl"`  // seconds until it is forgotten
}

// A TriggerResult is what the service told about the channels of a trigger.
type TriggerResult struct {
	// Repeated says that the service had carried out a request with the idempotency
	// key before. So this one did nothing, and the rest is what the first was told.
	Repeated bool                   `json:"-"`
	Channels map[string]ChannelInfo `json:"channels"` // nil if nothing was asked for
}

// A TriggerOption changes one trigger.
type TriggerOption func(*trigger) error

// A trigger is one call that is being put together.
type trigger struct {
	socketID string
	info     string
	key      string
	extra    []member
}

// ExcludeSocket leaves out the connection with that id, usually the one that
// caused the event.
func ExcludeSocket(id string) TriggerOption {
	return func(t *trigger) error {
		t.socketID = id
		return checkSocketID(id)
	}
}

// WantInfo asks for attributes of the channels, UserCount and
// SubscriptionCount. Belfry answers with one entry for each channel.
func WantInfo(attrs ...Attribute) TriggerOption {
	return func(t *trigger) (err error) {
		t.info, err = triggerInfo(attrs)
		return err
	}
}

// IdempotencyKey makes the trigger one that happens once, however often it is called
// with that key and the same arguments, also by another process: Belfry remembers the key
// for ten minutes. It has 1 to 255 bytes without control characters. With other
// arguments the error is an ErrConflict. On encrypted channels it always is, because no two calls
// encrypt alike: there the key only prevents a second delivery.
func IdempotencyKey(key string) TriggerOption {
	return func(t *trigger) error {
		t.key = key
		return checkIdempotencyKey(key)
	}
}

func checkIdempotencyKey(key string) error {
	const longest = 255
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if key == "" || len(key) > longest || !utf8.ValidString(key) || strings.ContainsFunc(key, control) || strings.TrimSpace(key) != key {
		return invalid(ErrInvalidParameter, "idempotency key", key, "it has 1 to 255 bytes, no control characters, and no space at its ends")
	}
	return nil
}

// triggerInfo is how attributes are asked for on publishing.
func triggerInfo(attrs []Attribute) (string, error) {
	for _, a := range attrs {
		if a != UserCount && a != SubscriptionCount {
			return "", invalid(ErrInvalidAttribute, "attribute", string(a), "")
		}
	}
	return joinAttributes(attrs), nil
}

func joinAttributes(attrs []Attribute) string {
	names := make([]string, 0, len(attrs))
	for _, a := range attrs {
		if !slices.Contains(names, string(a)) {
			names = append(names, string(a))
		}
	}
	return strings.Join(names, ",")
}

// Param adds a member to the body of the request, for services that know more
// than the documented ones, which it may not be.
func Param(name string, v any) TriggerOption {
	return func(t *trigger) error {
		taken := slices.ContainsFunc(t.extra, func(m member) bool { return m.name == name })
		if taken || slices.Contains([]string{"", "name", "channels", "channel", "data", "socket_id", "info"}, name) {
			return invalid(ErrInvalidParameter, "parameter", name, "it is set otherwise")
		}
		t.extra = append(t.extra, member{name, v})
		return nil
	}
}

// Trigger sends an event to the subscribers of a channel. Data that is a
// string, []byte or [json.RawMessage] is sent as it is; anything else as JSON.
// On an encrypted channel it is encrypted first.
//
// Trigger returns once the service has taken the event, which is then on its
// way. A [*TransportError] leaves open whether it was taken; calling again may
// send the event twice, unless it has an [IdempotencyKey].
func (c *Client) Trigger(ctx context.Context, channel, event string, data any, opts ...TriggerOption) (*TriggerResult, error) {
	return c.TriggerMulti(ctx, []string{channel}, event, data, opts...)
}

// TriggerMulti is Trigger on up to 100 channels at once. A channel that is
// given twice counts once. An encrypted channel can not be one of several,
// because each has a key of its own.
func (c *Client) TriggerMulti(ctx context.Context, channels []string, event string, data any, opts ...TriggerOption) (*TriggerResult, error) {
	body, key, err := c.triggerBody(channels, event, data, opts)
	if err != nil {
		return nil, err
	}
	response, err := c.publish(ctx, "/events", body, key)
	if err != nil {
		return nil, err
	}
	result := &TriggerResult{Repeated: repeated(response)}
	return result, decodeReply(response, result)
}

// SendToUser sends an event to every connection that is signed in as a user.
func (c *Client) SendToUser(ctx context.Context, userID, event string, data any, opts ...TriggerOption) error {
	if err := c.checkUserID(userID); err != nil {
		return err
	}
	_, err := c.Trigger(ctx, UserChannel(userID), event, data, opts...)
	return err
}

// triggerBody checks what is to be triggered and returns the body of the
// request, and its idempotency key.
func (c *Client) triggerBody(channels []string, event string, data any, opts []TriggerOption) (body []byte, key string, err error) {
	targets, err := c.targets(channels)
	if err != nil {
		return nil, "", err
	}
	if err := c.checkEventName(event); err != nil {
		return nil, "", err
	}
	var t trigger
	for _, o := range opts {
		if err := o(&t); err != nil {
			return nil, "", err
		}
	}
	text, err := c.payload(targets[0], data)
	if err != nil {
		return nil, "", err
	}
	members := []member{{"name", event}, {"channels", targets}, {"data", text}}
	if t.socketID != "" {
		members = append(members, member{"socket_id", t.socketID})
	}
	if t.info != "" {
		members = append(members, member{"info", t.info})
	}
	body, err = object(append(members, t.extra...)...)
	return body, t.key, err
}

// targets checks the channels of a trigger and returns each of them once.
func (c *Client) targets(channels []string) ([]string, error) {
	if len(channels) == 0 {
		return nil, invalid(ErrNoChannels, "channels", "", "")
	}
	targets := make([]string, 0, len(channels))
	seen := make(map[string]bool, len(channels))
	encrypted := ""
	for _, channel := range channels {
		if err := c.checkTarget(channel); err != nil {
			return nil, err
		}
		if IsEncrypted(channel) {
			encrypted = channel
		}
		if !seen[channel] {
			seen[channel] = true
			targets = append(targets, channel)
		}
	}
	if above(len(targets), c.limits.Channels) {
		return nil, invalid(ErrTooManyChannels, "channels", "", fmt.Sprintf("%d, at most %d", len(targets), c.limits.Channels))
	}
	if encrypted != "" && len(targets) > 1 {
		return nil, invalid(ErrEncryptedMulti, "channels", encrypted, "")
	}
	return targets, nil
}

// payload returns the data of an event as it is published on a channel.
func (c *Client) payload(channel string, data any) (string, error) {
	text, err := encodeData(data)
	if err != nil {
		return "", err
	}
	published := string(text)
	if IsEncrypted(channel) {
		if published, err = c.EncryptData(channel, text); err != nil {
			return "", err
		}
	}
	if !utf8.ValidString(published) {
		return "", invalid(ErrInvalidData, "data", "", "not UTF-8")
	}
	if above(len(published), c.limits.DataBytes) {
		return "", invalid(ErrDataTooLarge, "data", "", fmt.Sprintf("%d bytes, at most %d", len(published), c.limits.DataBytes))
	}
	return published, nil
}

// repeated reports whether the service has done nothing, because it did before.
func repeated(r *Response) bool { return r.Header.Get("Idempotent-Replayed") == "true" }

// decodeReply reads the answer to a publish. One without a body is as good as
// one that tells nothing.
func decodeReply(r *Response, v any) error {
	if r.Status == http.StatusAccepted && len(r.Body) == 0 {
		return nil
	}
	return r.Decode(v)
}
