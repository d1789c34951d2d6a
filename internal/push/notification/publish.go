package notification

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// Limits of providers, in bytes of the final body.
const (
	MaxAPNs = 4096 // of the payload
	MaxFCM  = 4096 // of the data and the notification
	MaxWeb  = 3993 // of the plaintext
	// MaxCollapseID is how long a collapse id of Apple may be.
	MaxCollapseID = 64
	// MaxTTL is how long a provider keeps a notification at most.
	MaxTTL = 28 * 24 * time.Hour
)

// A Publish is one accepted request: what is sent, and to whom. It is immutable.
type Publish struct {
	ID       string   `json:"id"` // begins with "pubid-"
	App      string   `json:"app"`
	API      API      `json:"api"`
	Audience Audience `json:"audience"`
	// Notifications are tried in order: a device gets the first that is for it, and
	// nothing if none is.
	Notifications []Notification `json:"notifications"`
	Accepted      time.Time      `json:"accepted"`
	Callback      Callback       `json:"callback,omitzero"`
}

// For returns the notification that a device gets, and its place in the list. It
// returns nil if there is none.
func (p *Publish) For(d Device) (*Notification, int) {
	for i := range p.Notifications {
		if n := &p.Notifications[i]; n.Platform == d.Platform && (n.API == "" || n.API == d.API) {
			return n, i
		}
	}
	return nil, -1
}

// A Notification is what devices of one platform are sent, complete but for what
// differs from device to device.
type Notification struct {
	Platform Platform `json:"platform"`
	API      API      `json:"api,omitempty"` // of the devices that it is for; empty: of all

	// Body is for APNs the payload, for FCM and GCM the message of HTTP v1 without a
	// token, and for Web the plaintext. It is within the limits of the provider.
	Body json.RawMessage `json:"body"`
	// Expires is when it is worth nothing any more. Zero means never: it is tried
	// as long as there are attempts, and the provider keeps it as it likes to.
	Expires time.Time `json:"expires,omitzero"`

	// Of APNs alone.
	Expiration *int64 `json:"expiration,omitempty"` // Unix seconds as the backend gave them; 0: try once; nil: not said
	Priority   int    `json:"priority,omitempty"`   // 5 or 10; 0: what fits the payload
	CollapseID string `json:"collapse_id,omitempty"`
	APNsID     string `json:"apns_id,omitempty"` // a UUID, used if the publish reaches one device

	// Of FCM alone.
	ValidateOnly bool `json:"validate_only,omitempty"` // checked and not delivered

	// Of Web alone.
	TTL    time.Duration `json:"ttl,omitempty"`    // how long the push service keeps it, from Publish.Accepted on
	Urgent bool          `json:"urgent,omitempty"` // of urgency high, as what is visible
}

// A Callback says who hears what became of a publish. The zero value is nobody.
type Callback struct {
	URL   string `json:"url,omitempty"`
	Level Level  `json:"level,omitempty"` // of the native API
	// Request is the body of the request, as Beams repeats it in both calls.
	Request json.RawMessage `json:"request,omitempty"`
}

// A Level is how much the backend wants to hear.
type Level string

// The levels. Info is failures that the backend can do something about.
const (
	Info  Level = "INFO"
	Debug Level = "DEBUG"
)

// A Publisher takes publishes to be delivered.
type Publisher interface {
	// Publish returns when the publish is kept durably, so that it survives the end
	// of the process. With an error, nothing is known to be kept, and the backend
	// should try again: the same ID is kept once.
	Publish(context.Context, *Publish) error
}

// StableID is a UUID that is the same for the same parts: of a publish and a device, so
// that each attempt has it.
func StableID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8: of our own making
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
