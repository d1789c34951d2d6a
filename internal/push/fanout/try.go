package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// Errors of [Dispatcher.Try].
var (
	ErrNoApp    = errors.New("fanout: there is no such app")
	ErrNoDevice = errors.New("fanout: the app has no such device")
)

// A Trial is what became of a notification that an operator has sent to try a device.
type Trial struct {
	notification.Outcome
	Platform notification.Platform
	Took     time.Duration
}

// Try sends a notification to one device at once, beside the queue, and returns what its provider
// says. It removes nothing and remembers nothing of that. If the credentials can not be read, it
// returns the reason as the outcome.
func (d *Dispatcher) Try(ctx context.Context, app, device string) (Trial, error) {
	c, ok := d.cfg.Apps.Credentials(app)
	if !ok {
		return Trial{}, ErrNoApp
	}
	to, ok, err := d.cfg.Devices.Device(ctx, app, device)
	switch {
	case err != nil:
		return Trial{}, fmt.Errorf("fanout: %w", err)
	case !ok:
		return Trial{}, ErrNoDevice
	}
	t := Trial{Platform: to.Platform}
	way, err := d.senders.way(&c, to)
	if err != nil {
		t.Outcome = notification.Outcome{Verdict: notification.BadCredentials, Reason: err.Error()}
		return t, nil
	}
	begun := time.Now()
	n := sample(to.Platform.Provider(), c.InstanceID)
	t.Outcome = way.sender.Send(ctx, notification.StableID(app, device, begun.String()), to, &n)
	t.Took = time.Since(begun)
	return t, nil
}

// sample is what is sent to try a device.
func sample(platform notification.Platform, instance string) notification.Notification {
	const title, body = "Test", "Push notifications arrive here."
	n := notification.Notification{Platform: platform, TTL: time.Hour, Urgent: true}
	text := map[string]any{"title": title, "body": body}
	var v any
	switch platform {
	case notification.APNs:
		v = map[string]any{"aps": map[string]any{"alert": text}}
	case notification.Web:
		v = map[string]any{"notification": text, "data": map[string]any{"pusher": map[string]any{
			"instanceId": instance, "publishId": "pubid-test", "hasDisplayableContent": true, "hasData": false,
		}}}
	default:
		v = map[string]any{"android": map[string]any{"notification": text}}
	}
	n.Body, _ = json.Marshal(v) // of texts alone
	return n
}
