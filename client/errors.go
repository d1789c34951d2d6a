package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Conditions, for errors.Is.
var (
	ErrClosed             = errors.New("client: closed")
	ErrAbort              = errors.New("client: connection attempt aborted") // for Config.BeforeConnect to return
	ErrNotConnected       = errors.New("client: not connected")
	ErrNotSubscribed      = errors.New("client: not subscribed")
	ErrUnsubscribed       = errors.New("client: channel was unsubscribed")
	ErrInvalidChannelName = errors.New("client: invalid channel name")
	ErrInvalidEventName   = errors.New("client: invalid name of a client event")
	ErrNoAuthorizer       = errors.New("client: the channel needs an authorizer")
	ErrNoAuthenticator    = errors.New("client: signing in needs an authenticator")
	ErrUnsupported        = errors.New("client: not possible on this channel")
	ErrRateLimited        = errors.New("client: more client events than the configured rate")
	ErrHandshakeTimeout   = errors.New("client: handshake timed out")
	ErrPongTimeout        = errors.New("client: no answer to a ping in time")
	ErrMaxAttempts        = errors.New("client: reconnect attempts used up") // joined with the last cause
	ErrConfig             = errors.New("client: invalid configuration")
)

// A Failure is an error that no call returns: what the service objects to, bad
// messages, data that does not decode or decrypt, queues that are full.
type Failure struct {
	Err error // such as a *ServerError, *ProtocolError, *DecodeError, *DecryptError or *SlowConsumerError
}

// A CloseError says that the service closed the connection, and why.
type CloseError struct {
	Code   int    // WebSocket close code; 1005 when there was none in the Close frame
	Reason string // for people; may be empty
}

// Error returns the code and the reason.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("client: closed by the service with code %d", e.Code)
	}
	return fmt.Sprintf("client: closed by the service with code %d: %s", e.Code, e.Reason)
}

// Class returns what the code asks of a client.
func (e *CloseError) Class() CloseClass { return ClassifyClose(e.Code) }

// A DialError says that a connection could not be opened.
type DialError struct {
	Transport  Transport     // that was tried
	StatusCode int           // of an answer, of the service or a proxy, that was no upgrade; else 0
	RetryAfter time.Duration // what that answer asked for; else 0
	Err        error
}

// Error returns the transport and the cause.
func (e *DialError) Error() string { return fmt.Sprintf("client: %s: %v", e.Transport, e.Err) }

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// A ServerError is a pusher:error event: the service objects to something and
// the connection goes on.
type ServerError struct {
	Code    int    // 0 without one
	HasCode bool   // whether there was a code
	Message string // for people
}

// Error returns the message and, if there is one, the code.
func (e *ServerError) Error() string {
	if !e.HasCode {
		return "client: the service says: " + e.Message
	}
	return fmt.Sprintf("client: the service says: %s (%d)", e.Message, e.Code)
}

// A ProtocolError is a message that is no event, or one at the wrong time.
type ProtocolError struct {
	Frame string // its first 256 bytes
	Err   error
}

// Error returns the cause, without the message.
func (e *ProtocolError) Error() string { return fmt.Sprintf("client: unexpected message: %v", e.Err) }

// Unwrap returns the cause.
func (e *ProtocolError) Unwrap() error { return e.Err }

// protocolError makes a ProtocolError of a message.
func protocolError(frame []byte, err error) *ProtocolError {
	return &ProtocolError{Frame: string(frame[:min(len(frame), maxQuote)]), Err: err}
}

// maxQuote is how much of what a peer sent is kept in an error, in bytes.
const maxQuote = 256

// AuthErrorKind says how far an authorization came.
type AuthErrorKind uint8

// How authorization fails.
const (
	AuthRequestFailed AuthErrorKind = iota // there was no answer
	AuthRefused                            // a status other than 200 and 201
	AuthBadResponse                        // an answer that is no token
)

// An AuthError says that an authorizer gave no usable answer.
type AuthError struct {
	Kind       AuthErrorKind // how far it came
	Channel    string        // empty for user authentication
	StatusCode int           // 0 without an answer
	Body       string        // the first 256 bytes of a refusal
	RetryAfter time.Duration // what the answer asked for; else 0
	Err        error         // the cause; may be nil
}

// Error returns what was asked and how far it came.
func (e *AuthError) Error() string {
	what := "authentication of the user"
	if e.Channel != "" {
		what = "authorization for " + e.Channel
	}
	switch {
	case e.Kind == AuthRefused:
		return fmt.Sprintf("client: %s: status %d", what, e.StatusCode)
	case e.Err != nil:
		return fmt.Sprintf("client: %s: %v", what, e.Err)
	}
	return "client: " + what + ": no usable answer"
}

// Unwrap returns the cause.
func (e *AuthError) Unwrap() error { return e.Err }

// Temporary reports whether asking again can help: there was no answer, or
// its status was 408, 425, 429 or 5xx.
func (e *AuthError) Temporary() bool {
	switch e.Kind {
	case AuthRequestFailed:
		return !errors.Is(e.Err, context.Canceled)
	case AuthRefused:
		switch e.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return true
		}
		return e.StatusCode >= 500
	}
	return false
}

// temporary reports whether an authorizer may do better later: its error says
// so, or time ran out.
func temporary(err error) bool {
	if e, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err); ok {
		return e.Temporary()
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// What the Kind of a [SubscriptionError] can be.
const (
	SubscriptionAuth    = "auth"    // the authorizer, or what it answered
	SubscriptionServer  = "server"  // the service refused
	SubscriptionTimeout = "timeout" // the service did not answer
)

// A SubscriptionError says why a channel is not subscribed.
type SubscriptionError struct {
	Channel   string // its name
	Kind      string // SubscriptionAuth, SubscriptionServer or SubscriptionTimeout
	Type      string // what the service calls it, such as "AuthError"
	Status    int    // of the service or of the authorization endpoint; 0 if there is none
	Message   string
	WillRetry bool  // whether it is tried again on this connection
	Err       error // the cause; may be nil
}

// Error returns the channel and the reason.
func (e *SubscriptionError) Error() string {
	text := fmt.Sprintf("client: subscription to %s failed (%s)", e.Channel, e.Kind)
	switch {
	case e.Message != "":
		text += ": " + e.Message
	case e.Err != nil:
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *SubscriptionError) Unwrap() error { return e.Err }

// A DecodeError says that BindJSON could not decode the data of an event.
type DecodeError struct {
	Event Event // as it came
	Err   error // of encoding/json
}

// Error returns the event and the cause, without the data.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("client: data of %s on %s: %v", e.Event.Name, e.Event.Channel, e.Err)
}

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// A DecryptError says that an event on an encrypted channel was dropped.
type DecryptError struct {
	Channel string // its name
	Event   string // its name
	Err     error
}

// Error returns the event and the cause, without the data.
func (e *DecryptError) Error() string {
	return fmt.Sprintf("client: %s on %s can not be decrypted: %v", e.Event, e.Channel, e.Err)
}

// Unwrap returns the cause.
func (e *DecryptError) Unwrap() error { return e.Err }

// configError says what is wrong with a configuration.
func configError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

// isType reports whether an error is, or wraps, one of that type.
func isType[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
