package backend

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An Error is any error of this package: [*APIError], [*TransportError],
// [*DecodeError], [*ValidationError], [*WebhookError], [*ConfigError] and the
// conditions below.
type Error interface {
	error
	// Temporary reports whether the same call can succeed later.
	Temporary() bool

	backendError()
}

// A condition is an Error that is told apart with errors.Is.
type condition string

func (e condition) Error() string   { return "backend: " + string(e) }
func (e condition) Temporary() bool { return false }
func (e condition) backendError()   {}

// Conditions of configuration, keys and permissions.
const (
	ErrConfig     = condition("invalid configuration")
	ErrMasterKey  = condition("no usable encryption master key")
	ErrDecrypt    = condition("data can not be decrypted")
	ErrAuthDenied = condition("authorization denied") // for functions that decide, see ChannelAuthFunc
)

// What a [*ValidationError] is about.
const (
	ErrInvalidChannel   = condition("invalid channel name")
	ErrInvalidEventName = condition("invalid event name")
	ErrInvalidSocketID  = condition("invalid socket id")
	ErrInvalidUserID    = condition("invalid user id")
	ErrInvalidData      = condition("invalid data")
	ErrInvalidAttribute = condition("attribute can not be asked for here")
	ErrInvalidParameter = condition("invalid parameter")
	ErrNoChannels       = condition("no channels")
	ErrTooManyChannels  = condition("too many channels")
	ErrBatchSize        = condition("batch is empty or too long")
	ErrDataTooLarge     = condition("data too large")
	ErrEncryptedMulti   = condition("an encrypted channel beside others")
	ErrMemberRequired   = condition("a presence channel needs a member")
	ErrPublicChannel    = condition("public channels need no authorization")
)

// What an [*APIError] is about, by its status.
const (
	ErrBadRequest      = condition("bad request")            // 400
	ErrUnauthorized    = condition("unauthorized")           // 401: key, signature or clock
	ErrForbidden       = condition("forbidden")              // 403: the app is disabled, or over its quota
	ErrNotFound        = condition("not found")              // 404
	ErrConflict        = condition("conflict")               // 409: of idempotency keys
	ErrPositionGone    = condition("position gone")          // 410: events behind it are not kept any more
	ErrProxyAuth       = condition("proxy authentication")   // 407
	ErrPayloadTooLarge = condition("payload too large")      // 413
	ErrRateLimited     = condition("rate limited")           // 429
	ErrServer          = condition("the service has failed") // 5xx
)

// What a [*WebhookError] is about.
const (
	ErrWebhookHeader      = condition("webhook without key or signature")
	ErrWebhookKey         = condition("webhook signed with an unknown key")
	ErrWebhookSignature   = condition("webhook with a wrong signature")
	ErrWebhookContentType = condition("webhook that is not application/json")
	ErrWebhookBody        = condition("webhook with a body that is no webhook")
	ErrWebhookStale       = condition("webhook too old or from the future")
)

// A ConfigError says what is wrong with a Config or URL. It is an ErrConfig.
type ConfigError struct {
	Reason string // without secrets
}

func configError(reason string) error { return &ConfigError{reason} }

// Error returns the reason.
func (e *ConfigError) Error() string { return "backend: " + e.Reason }

// Unwrap returns ErrConfig.
func (e *ConfigError) Unwrap() error { return ErrConfig }

// Temporary reports false.
func (e *ConfigError) Temporary() bool { return false }
func (e *ConfigError) backendError()   {}

// A ValidationError is a call that was refused before anything was sent,
// because the service would refuse it.
type ValidationError struct {
	Field  string // which argument, such as "channel"
	Value  string // what it was, cut to a readable length; empty where it could be secret
	Reason error  // one of the conditions above
	Detail string // more about it, or empty
}

// Error returns the argument, its value and the reason.
func (e *ValidationError) Error() string {
	text := "backend: " + e.Field
	if e.Value != "" {
		text += " " + strconv.Quote(e.Value)
	}
	text += ": " + strings.TrimPrefix(e.Reason.Error(), "backend: ")
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap returns the reason.
func (e *ValidationError) Unwrap() error { return e.Reason }

// Temporary reports false.
func (e *ValidationError) Temporary() bool { return false }
func (e *ValidationError) backendError()   {}

// invalid makes a ValidationError.
func invalid(reason error, field, value, detail string) error {
	const readable = 80
	if len(value) > readable {
		value = strings.ToValidUTF8(value[:readable], "") + "…"
	}
	return &ValidationError{Field: field, Value: value, Reason: reason, Detail: detail}
}

// An APIError is an answer of the service other than success.
type APIError struct {
	Status  int         // of HTTP; never 2xx
	Message string      // the body without the line feed that ends it
	Method  string      // of the request
	Path    string      // of the request, below the app
	Header  http.Header // of the answer
	Body    []byte      // as it came, at most 1 MiB
}

// Error returns the request, the status and the message.
func (e *APIError) Error() string {
	const readable = 500
	message := e.Message
	if len(message) > readable {
		message = strings.ToValidUTF8(message[:readable], "") + "…"
	}
	return fmt.Sprintf("backend: %s %s: status %d: %s", e.Method, e.Path, e.Status, message)
}

// Temporary reports whether the same call can succeed later: after 429, after
// 5xx except 501 and 505, and after 409 if the service says when.
func (e *APIError) Temporary() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	case http.StatusConflict:
		return e.Header.Get("Retry-After") != ""
	}
	return e.Status >= 500
}

// RetryAfter returns how long the service asks to wait, or zero. A date is
// taken as the time from now.
func (e *APIError) RetryAfter() time.Duration { return retryAfter(e.Header, time.Now()) }

// Is reports whether target is the condition of the status, such as
// ErrUnauthorized for 401.
func (e *APIError) Is(target error) bool {
	return target == statusCondition(e.Status)
}

func (e *APIError) backendError() {}

func statusCondition(status int) error {
	switch status {
	case http.StatusBadRequest:
		return ErrBadRequest
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusGone:
		return ErrPositionGone
	case http.StatusProxyAuthRequired:
		return ErrProxyAuth
	case http.StatusRequestEntityTooLarge:
		return ErrPayloadTooLarge
	case http.StatusTooManyRequests:
		return ErrRateLimited
	}
	if status >= 500 {
		return ErrServer
	}
	return nil
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

// A TransportError is a call without an answer: the network, TLS, a proxy, or
// the time that a call may take. Whether the service has done what it was
// asked is unknown. The cause is wrapped, so that errors.Is(err,
// context.DeadlineExceeded) works.
type TransportError struct {
	Method string // of the request
	Path   string // of the request, below the app
	Err    error  // the cause; never a *url.Error
}

// Error returns the request and the cause, without the signature.
func (e *TransportError) Error() string {
	return fmt.Sprintf("backend: %s %s: %v", e.Method, e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// Timeout reports whether time ran out.
func (e *TransportError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// Temporary reports true: the network may be better later. It says nothing
// about whether the call took effect.
func (e *TransportError) Temporary() bool { return true }
func (e *TransportError) backendError()   {}

// A DecodeError is an answer that says success in a form that is no answer,
// for instance the page of a proxy.
type DecodeError struct {
	Method string // of the request
	Path   string // of the request, below the app
	Body   []byte // the first bytes of the answer, at most 256
	Err    error  // the cause
}

// Error returns the request, the first bytes of the answer and the cause.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("backend: %s %s: unexpected answer %q: %v", e.Method, e.Path, e.Body, e.Err)
}

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// Temporary reports false.
func (e *DecodeError) Temporary() bool { return false }
func (e *DecodeError) backendError()   {}

// A WebhookError is a webhook that was refused.
type WebhookError struct {
	Reason error // one of the conditions above, such as ErrWebhookSignature
	Err    error // the cause; may be nil
}

// Error returns the reason and the cause.
func (e *WebhookError) Error() string {
	if e.Err == nil {
		return e.Reason.Error()
	}
	return e.Reason.Error() + ": " + e.Err.Error()
}

// Unwrap returns the reason and the cause.
func (e *WebhookError) Unwrap() []error { return []error{e.Reason, e.Err} }

// Temporary reports false.
func (e *WebhookError) Temporary() bool { return false }
func (e *WebhookError) backendError()   {}
