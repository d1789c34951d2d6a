package callback

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" // receivers of Beams check this one
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// The events of Beams.
const (
	PublishToUsersAttempt           = "v1.PublishToUsersAttempt"
	UserNotificationAcknowledgement = "v1.UserNotificationAcknowledgement"
	UserNotificationOpen            = "v1.UserNotificationOpen"
)

// beamsTime is how Beams writes times.
const beamsTime = "2006-01-02T15:04:05-0700"

// BeamsEvent is something that happened, for a webhook of Beams.
type BeamsEvent struct {
	App  string
	Type string
	// ID is the same whenever the same event is told of, and differs for every other.
	ID      string
	At      time.Time
	Payload any
}

// Wanted reports whether a webhook is told of events of a type.
func Wanted(w notification.Webhook, event string) bool {
	return len(w.Events) == 0 || slices.Contains(w.Events, event)
}

// Beams makes the call that tells a webhook of an event.
func Beams(w notification.Webhook, e BeamsEvent) (*Call, error) {
	type metadata struct {
		CreatedAt string `json:"created_at"`
		EventType string `json:"event_type"`
		EventID   string `json:"event_id"`
		Product   string `json:"product"`
	}
	custom := json.RawMessage(w.CustomData)
	if len(custom) == 0 {
		custom = json.RawMessage("{}")
	}
	body, err := encode(struct {
		Payload    any             `json:"payload"`
		Metadata   metadata        `json:"metadata"`
		CustomData json.RawMessage `json:"custom_data"`
	}{e.Payload, metadata{e.At.UTC().Format(beamsTime), e.Type, notification.StableID(e.ID), "beams"}, custom})
	if err != nil {
		return nil, err
	}
	id := notification.StableID(e.ID, w.ID)
	return &Call{
		ID: id, App: e.App, URL: w.URL, Body: body, Schedule: BeamsSchedule,
		Header: map[string]string{
			"User-Agent": "pusher-webhooks", "Content-Type": "application/json",
			"Webhook-Event-Type": e.Type, "Webhook-ID-UUID": w.ID, "Webhook-Request-ID-UUID": id,
			"Webhook-Signature": BeamsSignature(w.Secret, body),
		},
	}, nil
}

// BeamsSignature is what Beams signs a body with.
func BeamsSignature(secret string, body []byte) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Signed are the headers of a call that an app's key signs, as webhooks of channels are.
func Signed(key, secret string, body []byte) map[string]string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return map[string]string{
		"Content-Type": "application/json", "X-Pusher-Key": key, "X-Pusher-Signature": hex.EncodeToString(mac.Sum(nil)),
	}
}

// encode is JSON as it is, without escapes for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("callback: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
