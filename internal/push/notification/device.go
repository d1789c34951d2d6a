// Package notification has the words that push notifications are spoken of in: a
// device, what it is sent, what became of that, and the credentials for it.
//
// Whoever accepts requests makes a [Publish], whoever delivers hands its
// [Notification] to a [Sender] for every [Device]. The package keeps nothing and
// takes no locks. It knows neither providers nor where devices are stored.
package notification

import (
	"context"
	"log/slog"
	"time"
)

// A Platform is the kind of provider that a device is reached by.
type Platform string

// The platforms. GCM is the one of 2016: its devices are reached by FCM today.
const (
	APNs Platform = "apns"
	GCM  Platform = "gcm"
	FCM  Platform = "fcm"
	Web  Platform = "web"
)

// Provider is the platform whose provider delivers for this one: FCM does for GCM.
func (p Platform) Provider() Platform {
	if p == GCM {
		return FCM
	}
	return p
}

// An API is the one that a device was registered by, or a publish came by.
type API string

// The APIs.
const (
	Native API = "native" // of 2016
	Beams  API = "beams"
)

// An Environment is which of Apple's two hosts knows a token.
type Environment string

// The environments. Auto, and empty, is the one that accepts the token: it is found
// out with the first notification, and remembered.
const (
	Auto       Environment = "auto"
	Production Environment = "production"
	Sandbox    Environment = "sandbox"
)

// A Device is an installation that receives.
type Device struct {
	App string
	ID  string // unique in its app; never given again
	API API

	Platform Platform
	// Token is the address at the provider: lower-case hex for APNs, and for Web the
	// subscription as [Subscription.Token] writes it. It is a secret, so no log line,
	// metric or error has it.
	Token       string
	Topic       string      // the bundle identifier, for APNs; empty: that of the credentials
	Environment Environment // for APNs
	VAPIDKey    string      // the [VAPIDKey.ID] that a subscription is bound to, for Web

	User string // whose device it is; empty: nobody has signed in
	// Confirmed is when the installation last said that the token is its own. What a
	// provider says of an earlier time is not about this registration.
	Confirmed time.Time
	// Mismatched is the publish after which the provider last said that the token
	// belongs to another sender; empty: never.
	Mismatched string
}

// LogValue is what logs show of a device: never its token.
func (d Device) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", d.ID), slog.String("platform", string(d.Platform)))
}

// An Audience is whom a publish is for: the devices that are subscribed to any of
// the interests, or those of any of the users. One of the two is empty.
type Audience struct {
	Interests []string `json:"interests,omitempty"`
	Users     []string `json:"users,omitempty"`
}

// Devices are those of all apps, wherever they are kept. All methods are safe for
// concurrent use. They see what this node has heard of changes.
type Devices interface {
	// Page returns devices of an audience whose ids are greater than after, in the
	// order of their ids as bytes, each once, and at most limit of them. Fewer than
	// limit are the last ones. The caller may keep them.
	Page(ctx context.Context, app string, of Audience, after string, limit int) ([]Device, error)
	// Device returns one device, and whether there is one.
	Device(ctx context.Context, app, id string) (Device, bool, error)
	// Remove removes a device that has the token and was not confirmed after the
	// given time. It reports whether it did; that there is none is no error.
	Remove(ctx context.Context, d Device, confirmedUntil time.Time) (bool, error)
	// SetEnvironment remembers which of Apple's hosts has accepted the token.
	SetEnvironment(ctx context.Context, d Device, e Environment) error
	// SetMismatched remembers the publish after which the token was said to be of
	// another sender. Empty says that it was accepted after all.
	SetMismatched(ctx context.Context, d Device, publish string) error
}
