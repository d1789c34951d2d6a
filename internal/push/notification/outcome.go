package notification

import (
	"context"
	"time"
)

// A Sender hands a notification to a provider. Its methods are safe for concurrent
// use. It tries once, and never repeats by itself what a provider may have taken.
type Sender interface {
	// Send blocks until the provider has answered or ctx ends. id is of this
	// publish and device, and the same in each attempt.
	Send(ctx context.Context, id string, d Device, n *Notification) Outcome
	// Close ends the connections, once nothing is being sent.
	Close()
}

// An Outcome says what became of a send, and what to do next.
type Outcome struct {
	Verdict    Verdict
	Scope      Scope         // what has to wait, for Retry
	RetryAfter time.Duration // for Retry, if the provider has named one
	ID         string        // by which the provider knows it; may be empty
	// Reason is the provider's own word, such as BadTopic, or a few words of ours
	// in lower case. It has no token, key or secret, and goes into logs.
	Reason string
	// GoneAt is since when the token is not valid, for DeviceGone; zero: not said.
	GoneAt time.Time
	// Environment is where the token was accepted, if that is to be remembered.
	Environment Environment
}

// A Verdict is the kind of an outcome.
type Verdict string

// The verdicts.
const (
	Accepted       Verdict = "accepted"
	Retry          Verdict = "retry"           // nobody has it, or it is not known
	DeviceGone     Verdict = "device_gone"     // remove the device
	DeviceMismatch Verdict = "device_mismatch" // the token is of another sender: a device, or the settings, are wrong
	DeviceRefused  Verdict = "device_refused"  // this device can not have it, and stays
	BadPayload     Verdict = "bad_payload"     // the same for every device of the platform
	BadCredentials Verdict = "bad_credentials" // the same for every publish of the app
)

// A Scope is what has to wait after a [Retry].
type Scope string

// The scopes. Host is that of the endpoint, for Web, and for others like Credential.
const (
	OneDevice  Scope = "device"
	Host       Scope = "host"
	Credential Scope = "credential"
)
