package apns

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/push/exchange"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// Reasons of Apple that are acted on.
const (
	badDeviceToken       = "BadDeviceToken"
	expiredProviderToken = "ExpiredProviderToken"
	tooManyUpdates       = "TooManyProviderTokenUpdates"
)

// tooManyUpdatesWait is how long Apple is left alone that has seen too many tokens.
const tooManyUpdatesWait = time.Minute

// verdicts are of reasons that mean something else than others of their status.
var verdicts = map[string]notification.Verdict{
	badDeviceToken:           notification.DeviceGone,
	"DeviceTokenNotForTopic": notification.DeviceRefused, // the topic may be what is wrong
	"IdleTimeout":            notification.Retry,
}

// byStatus are the verdicts of all other reasons: those are an open set.
var byStatus = map[int]notification.Verdict{
	http.StatusOK:                    notification.Accepted,
	http.StatusBadRequest:            notification.BadPayload,
	http.StatusForbidden:             notification.BadCredentials,
	http.StatusNotFound:              notification.DeviceRefused,
	http.StatusMethodNotAllowed:      notification.DeviceRefused,
	http.StatusGone:                  notification.DeviceGone,
	http.StatusRequestEntityTooLarge: notification.BadPayload,
	http.StatusTooManyRequests:       notification.Retry,
}

// judge says what an answer of Apple means.
func judge(a *exchange.Answer, now time.Time) notification.Outcome {
	var body struct {
		Reason    string `json:"reason"`
		Timestamp int64  `json:"timestamp"` // in milliseconds
	}
	_ = json.Unmarshal(a.Body, &body) // or else the status says it
	o := notification.Outcome{Verdict: byStatus[a.Status], ID: a.Header.Get("apns-id")}
	if v, ok := verdicts[body.Reason]; ok && a.Status == http.StatusBadRequest {
		o.Verdict = v
	}
	if o.Verdict == notification.Accepted {
		return o
	}
	o.Reason = a.Word(body.Reason)
	switch {
	case o.Verdict == "" && a.Status >= 500:
		o.Verdict = notification.Retry
		fallthrough
	case o.Verdict == notification.Retry:
		o.Scope, o.RetryAfter = notification.OneDevice, a.RetryAfter()
		if body.Reason == tooManyUpdates {
			o.Scope, o.RetryAfter = notification.Credential, max(o.RetryAfter, tooManyUpdatesWait)
		}
	case o.Verdict == "":
		o.Verdict = notification.DeviceRefused
	case o.Verdict == notification.DeviceGone && body.Timestamp > 0:
		o.GoneAt = time.UnixMilli(body.Timestamp)
	case o.Verdict == notification.BadCredentials:
		o.Reason += a.Clock(now)
	}
	return o
}

// expired reports whether a reason is that a token is too old.
func expired(reason string) bool { return strings.HasPrefix(reason, expiredProviderToken) }

// ofTopic reports whether a reason is about the topic, and not about what is sent.
func ofTopic(reason string) bool {
	return reason == "BadTopic" || reason == "TopicDisallowed" || reason == "MissingTopic"
}
