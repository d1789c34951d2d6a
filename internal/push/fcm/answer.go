package fcm

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/push/exchange"
	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	fcmError   = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
	badRequest = "type.googleapis.com/google.rpc.BadRequest"
	// tokenField is the field that a violation names if the token is wrong.
	tokenField = "message.token"

	// quotaWait and busyWait are for answers that name no time.
	quotaWait, busyWait = time.Minute, 10 * time.Second
)

// refusal is what Google says of a message that it does not take.
type refusal struct {
	Error struct {
		Status  string `json:"status"`
		Details []struct {
			Type       string `json:"@type"`
			ErrorCode  string `json:"errorCode"`
			Violations []struct {
				Field string `json:"field"`
			} `json:"fieldViolations"`
		} `json:"details"`
	} `json:"error"`
}

// code is the most exact word for what is wrong.
func (r *refusal) code() string {
	for _, d := range r.Error.Details {
		if d.Type == fcmError && d.ErrorCode != "" {
			return d.ErrorCode
		}
	}
	return r.Error.Status
}

// ofToken reports whether it is the token that is wrong, rather than the message.
// Violations say so, and without any the detail of FCM itself does.
func (r *refusal) ofToken() bool {
	fields, detail := []string(nil), false
	for _, d := range r.Error.Details {
		detail = detail || d.Type == fcmError
		for _, v := range d.Violations {
			if d.Type == badRequest {
				fields = append(fields, v.Field)
			}
		}
	}
	if len(fields) > 0 {
		return slices.Contains(fields, tokenField)
	}
	return detail
}

// judge says what an answer of Google means, and whether another access token may help.
func judge(a *exchange.Answer, now time.Time) (o notification.Outcome, stale bool) {
	if a.Status == http.StatusOK {
		var sent struct {
			Name string `json:"name"`
		}
		_ = json.Unmarshal(a.Body, &sent) // it is accepted, whatever its name
		return notification.Outcome{Verdict: notification.Accepted, ID: sent.Name[strings.LastIndex(sent.Name, "/")+1:]}, false
	}
	var r refusal
	_ = json.Unmarshal(a.Body, &r) // or else the status says it
	code := r.code()
	o.Reason = a.Word(code)
	switch {
	case code == "UNREGISTERED":
		o.Verdict = notification.DeviceGone
	case code == "SENDER_ID_MISMATCH":
		o.Verdict = notification.DeviceMismatch
	case code == "THIRD_PARTY_AUTH_ERROR":
		o.Verdict = notification.DeviceRefused
	case a.Status == http.StatusBadRequest && r.ofToken():
		o.Verdict = notification.DeviceGone
	case a.Status == http.StatusBadRequest:
		o.Verdict = notification.BadPayload
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		o.Verdict, stale = notification.BadCredentials, true
		o.Reason += a.Clock(now)
	case a.Status == http.StatusNotFound:
		o.Verdict = notification.BadCredentials // there is no such project
	case a.Status == http.StatusTooManyRequests:
		o.Verdict, o.Scope = notification.Retry, notification.Credential
		o.RetryAfter = wait(a, quotaWait)
	case a.Status >= http.StatusInternalServerError:
		o.Verdict, o.Scope, o.RetryAfter = notification.Retry, notification.OneDevice, busyWait
		if after := a.RetryAfter(); after > 0 {
			o.Scope, o.RetryAfter = notification.Credential, after
		}
	case a.Status == http.StatusRequestEntityTooLarge:
		o.Verdict = notification.BadPayload
	default:
		o.Verdict = notification.DeviceRefused
	}
	return o, stale
}

// wait is how long Google wants to be left alone, or so long if it does not say.
func wait(a *exchange.Answer, otherwise time.Duration) time.Duration {
	if after := a.RetryAfter(); after > 0 {
		return after
	}
	return otherwise
}
