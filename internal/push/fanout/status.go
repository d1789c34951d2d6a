package fanout

import (
	"errors"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/push/lane"
	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	// unusableAgain is how long a platform is left alone whose credentials can not be read:
	// until somebody may have given others.
	unusableAgain = time.Minute
	// maxWarned is how many apps and platforms it is remembered of that the log was told.
	maxWarned = 4096
)

// A State is how a platform of an app is.
type State string

// The states.
const (
	Working State = "ok"
	Missing State = "missing" // the app has no credentials for it
	Invalid State = "invalid" // they can not be read
	Refused State = "refused" // the provider does not take them
	Paused  State = "paused"  // the provider has asked for time, or can not be reached
)

// A Status is how a platform of an app is on this node, for operators.
type Status struct {
	Platform notification.Platform `json:"platform"`
	State    State                 `json:"state"`
	Cause    string                `json:"cause,omitempty"` // in words; no secret is in it
	Host     string                `json:"host,omitempty"`  // the push service that it is about, for web
	Since    time.Time             `json:"since,omitzero"`
	Next     time.Time             `json:"next,omitzero"` // when it is tried again
}

// Status says how the platforms of an app are. It reports false if there is no such app.
func (d *Dispatcher) Status(app string) ([]Status, bool) {
	c, ok := d.cfg.Apps.Credentials(app)
	if !ok {
		return nil, false
	}
	troubles := d.lanes.Troubles()
	var all []Status
	for _, platform := range []notification.Platform{notification.APNs, notification.FCM, notification.Web} {
		one, print, err := d.senders.sender(&c, platform)
		switch {
		case errors.Is(err, errMissing):
			all = append(all, Status{Platform: platform, State: Missing})
		case err != nil:
			all = append(all, Status{Platform: platform, State: Invalid, Cause: err.Error()})
		default:
			all = append(all, statuses(platform, one.lane, print, troubles)...)
		}
	}
	return all, true
}

// statuses are those of a platform whose credentials can be read.
func statuses(platform notification.Platform, to, print string, troubles []lane.Trouble) (all []Status) {
	for _, t := range troubles {
		s := Status{Platform: platform, State: Paused, Cause: t.Reason, Since: t.Since, Next: t.Next}
		switch {
		case t.Key.Platform != platform, t.Credential != "" && t.Credential != print:
			continue
		case platform == notification.Web:
			s.Host = t.Key.To
		case strings.TrimSuffix(t.Key.To, sandboxLane) != to:
			continue
		}
		if t.Credential != "" {
			s.State = Refused
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		all = append(all, Status{Platform: platform, State: Working})
	}
	return all
}

// unusable is the result of a device whose app has no credentials, or none that can be read.
// Those that are wrong may be mended before the notification expires.
func (d *Dispatcher) unusable(app string, platform notification.Platform, err error) lane.Result {
	if errors.Is(err, errMissing) {
		return lane.Result{Outcome: notification.Outcome{Verdict: notification.DeviceRefused, Reason: err.Error()}}
	}
	d.warn(app, platform, err.Error())
	return lane.Result{
		Outcome: notification.Outcome{Verdict: notification.BadCredentials, Reason: err.Error()},
		Until:   time.Now().Add(unusableAgain),
	}
}

// told tells the log of a provider that does not take notifications, and of its doing so again.
func (d *Dispatcher) told(app string, platform notification.Platform, got lane.Result) {
	switch {
	case got.Verdict == notification.Accepted:
		d.warn(app, platform, "")
	case got.Verdict == notification.BadCredentials,
		got.Verdict == notification.Retry && (got.Scope == notification.Host || got.Scope == notification.Credential):
		d.warn(app, platform, got.Reason)
	}
}

// warn tells the log what is wrong with a platform of an app, if that is not what it was told
// last. Empty is that nothing is.
func (d *Dispatcher) warn(app string, platform notification.Platform, reason string) {
	key := app + "\x00" + string(platform.Provider())
	d.mu.Lock()
	was, known := d.warned[key]
	switch {
	case reason == "":
		delete(d.warned, key)
	case known || len(d.warned) < maxWarned:
		d.warned[key] = reason
	}
	d.mu.Unlock()
	if reason == was {
		return
	}
	left, ok := d.repeats.Tell(time.Now(), key)
	switch {
	case !ok:
	case reason == "":
		d.cfg.Log.Info("push notifications are taken again", "app", app, "platform", platform.Provider())
	default:
		d.cfg.Log.Warn("push notifications wait", "app", app, "platform", platform.Provider(), "cause", reason, "not_told", left)
	}
}
