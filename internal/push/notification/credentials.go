package notification

import "log/slog"

// Credentials are what an app has for its providers. A nil one means that the app
// does not use that provider. They are immutable, and secret: neither logs nor
// errors show them.
type Credentials struct {
	APNs *APNsCredentials
	FCM  *FCMCredentials
	Web  *WebCredentials
	// InstanceID is what Beams calls the app.
	InstanceID string
	// Webhooks are the endpoints of Beams that hear of users.
	Webhooks []Webhook
}

// LogValue is what logs show of them: nothing.
func (Credentials) LogValue() slog.Value { return slog.StringValue("(secret)") }

// APNsCredentials are those of Apple: a key, or else a certificate.
type APNsCredentials struct {
	TeamID, KeyID string
	Key           []byte // the .p8 file

	Certificate []byte // the .p12 file, or PEM with the certificate and its key
	Password    string // of the .p12

	Environment Environment // of devices that do not say; empty: Auto
	Topic       string      // of devices that have none
}

// FCMCredentials are those of a Firebase project.
type FCMCredentials struct {
	ServiceAccount []byte // the JSON file
}

// WebCredentials are the VAPID keys of an app.
type WebCredentials struct {
	// Keys are tried by their id, and the first is for new subscriptions.
	Keys []VAPIDKey
	// Contact is whom push services write to: a URL of mailto or https.
	Contact string
}

// A VAPIDKey is a key pair that browsers' subscriptions are bound to.
type VAPIDKey struct {
	ID      string
	Private []byte // the 32 bytes of the scalar, of P-256
}

// A Webhook is an endpoint that hears of an app's users and their notifications.
type Webhook struct {
	ID         string // a UUID
	URL        string
	Secret     string
	Events     []string // such as "v1.PublishToUsersAttempt"; empty: all
	CustomData []byte   // a JSON object; empty: {}
}
