package fanout

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/push/lane"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// retries are the waits before the second attempt at a device, the third, and so on.
var retries = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}

const (
	// jitter is by how much of a wait it differs, either way.
	jitter = 0.2
	// changing is how many devices are changed at once.
	changing = 32
)

// What became of a user, in the order in which it counts.
const (
	userNone   byte = iota // there is no device, or none that lives
	userFailed             // no provider has accepted it
	userTaken              // one has, for a device
)

// A target is a device, and how often it was tried.
type target struct {
	device  notification.Device
	attempt int
}

// A round is what became of sends to some devices of a page.
type round struct {
	run     *run
	began   time.Time
	pending []pending
	counts  map[notification.Platform]counts
	stopped map[int]string
	users   map[int]byte
	results []result
	changes []func(context.Context) error // of devices

	// untried says that no device could be tried before until, so that nothing is to be
	// written down.
	untried bool
	until   time.Time
}

// send sends to devices, and returns when something is known of each. alone says that there is
// no other device.
func (r *run) send(ctx context.Context, list []target, alone bool) *round {
	o := &round{
		run: r, began: time.Now(), counts: make(map[notification.Platform]counts),
		stopped: make(map[int]string), users: make(map[int]byte),
	}
	results := make([]lane.Result, len(list))
	places := make([]int, len(list))
	credentials, known := r.d.cfg.Apps.Credentials(r.p.App)
	var all sync.WaitGroup
	for i := range list {
		n, place := r.p.For(list[i].device)
		if places[i] = place; n == nil {
			continue
		}
		if results[i].Outcome = r.refuse(n, place, known, o.began); results[i].Verdict != "" {
			continue
		}
		all.Add(1)
		r.submit(&credentials, list[i].device, n, alone, func(got lane.Result) {
			results[i] = got
			all.Done()
		})
	}
	all.Wait()
	submitted := 0
	for i := range list {
		if places[i] >= 0 {
			o.take(&list[i], places[i], results[i])
			submitted++
		}
	}
	o.decide(submitted)
	o.apply(ctx)
	return o
}

// refuse returns the outcome of a notification that is not sent at all; the zero value if it is.
func (r *run) refuse(n *notification.Notification, place int, known bool, now time.Time) (o notification.Outcome) {
	reason, stopped := r.progress.Stopped[place]
	switch {
	case stopped:
	case !now.Before(r.expires(n)):
		reason = expired
	case !known:
		reason = "the app is gone"
	default:
		return o
	}
	return notification.Outcome{Verdict: notification.DeviceRefused, Reason: reason}
}

const expired = "expired before it could be delivered"

// expires is when a notification is worth nothing any more.
func (r *run) expires(n *notification.Notification) time.Time {
	oldest := r.p.Accepted.Add(MaxAge)
	if n.Expires.IsZero() || n.Expires.After(oldest) {
		return oldest
	}
	return n.Expires
}

// submit gives one send to the lane of its provider. done is called once.
func (r *run) submit(c *notification.Credentials, d notification.Device, n *notification.Notification, alone bool, done func(lane.Result)) {
	way, err := r.d.senders.way(c, d)
	if err != nil {
		done(r.d.unusable(r.p.App, d.Platform, err))
		return
	}
	id := notification.StableID(r.p.ID, d.ID)
	if alone && n.APNsID != "" {
		id = n.APNsID
	}
	r.d.lanes.Submit(way.key, way.limits, lane.Job{
		Publish:    r.p.ID,
		Credential: way.credential,
		Send: func(ctx context.Context) notification.Outcome {
			if !time.Now().Before(r.expires(n)) {
				return notification.Outcome{Verdict: notification.DeviceRefused, Reason: expired}
			}
			return way.sender.Send(ctx, id, d, n)
		},
		Done: func(got lane.Result) {
			r.d.told(r.p.App, d.Platform, got)
			done(got)
		},
	})
}

// take draws the conclusions of one result.
func (o *round) take(t *target, place int, got lane.Result) {
	d := &t.device
	n := &o.run.p.Notifications[place]
	c := o.counts[d.Platform]
	switch {
	case !got.Until.IsZero() && got.Until.Before(o.run.expires(n)):
		o.pending = append(o.pending, pending{d.ID, t.attempt, got.Until})
		if o.until.IsZero() || got.Until.Before(o.until) {
			o.until = got.Until
		}
	case !got.Until.IsZero():
		got.Reason = expired + ": " + got.Reason
		o.fail(d, &c, got.Outcome)
	case got.Verdict == notification.Retry:
		o.retry(t, n, &c, got.Outcome)
	case got.Verdict == notification.Accepted:
		c.Accepted++
		o.user(d, userTaken)
		o.keep(d, got.Outcome)
		o.accepted(*d, got.Outcome)
	case got.Verdict == notification.DeviceGone:
		c.Removed++
		o.keep(d, got.Outcome)
		o.gone(*d, got.Outcome)
	case got.Verdict == notification.DeviceMismatch:
		o.fail(d, &c, got.Outcome)
		o.mismatched(*d)
	default:
		if got.Verdict == notification.BadPayload {
			o.stopped[place] = got.Reason
		}
		o.fail(d, &c, got.Outcome)
	}
	o.counts[d.Platform] = c
	o.run.d.metrics.sent(d.Platform, got)
}

// retry has a device tried again, or gives it up.
func (o *round) retry(t *target, n *notification.Notification, c *counts, got notification.Outcome) {
	if t.attempt >= len(retries) {
		got.Reason = fmt.Sprintf("given up after %d attempts: %s", t.attempt+1, got.Reason)
		o.fail(&t.device, c, got)
		return
	}
	wait := retries[t.attempt]
	wait = max(wait+time.Duration((2*rand.Float64()-1)*jitter*float64(wait)), got.RetryAfter)
	due := time.Now().Add(wait)
	if !due.Before(o.run.expires(n)) {
		got.Reason = expired + ": " + got.Reason
		o.fail(&t.device, c, got)
		return
	}
	c.Retried++
	o.pending = append(o.pending, pending{t.device.ID, t.attempt + 1, due})
}

func (o *round) fail(d *notification.Device, c *counts, got notification.Outcome) {
	c.Failed++
	o.user(d, userFailed)
	o.keep(d, got)
}

// user notes what became of the user of a device.
func (o *round) user(d *notification.Device, what byte) {
	if i, ok := o.run.users[d.User]; ok && d.User != "" {
		o.users[i] = max(o.users[i], what)
	}
}

// keep keeps a result if the backend wants to hear of it.
func (o *round) keep(d *notification.Device, got notification.Outcome) {
	p := o.run.p
	if p.API != notification.Native || p.Callback.URL == "" {
		return
	}
	success := got.Verdict == notification.Accepted
	if p.Callback.Level != notification.Debug && (success || got.Verdict == notification.DeviceGone) {
		return
	}
	o.results = append(o.results, result{Platform: d.Platform, ClientID: d.ID, Success: success, Reason: got.Reason, ID: got.ID, Token: d.Token})
}

// decide finds out whether nothing could be tried at all.
func (o *round) decide(submitted int) {
	o.untried = submitted > 0 && len(o.pending) == submitted
	for _, c := range o.counts {
		if c != (counts{}) {
			o.untried = false
		}
	}
}

// accepted remembers what was found out about a device.
func (o *round) accepted(d notification.Device, got notification.Outcome) {
	devices := o.run.d.cfg.Devices
	if got.Environment != "" && got.Environment != d.Environment {
		o.change(func(ctx context.Context) error { return devices.SetEnvironment(ctx, d, got.Environment) })
	}
	if d.Mismatched != "" {
		o.change(func(ctx context.Context) error { return devices.SetMismatched(ctx, d, "") })
	}
}

// gone removes a device, unless it was confirmed after the provider has lost it.
func (o *round) gone(d notification.Device, got notification.Outcome) {
	until := o.began
	if !got.GoneAt.IsZero() && got.GoneAt.Before(until) {
		until = got.GoneAt
	}
	o.remove(d, until)
}

func (o *round) remove(d notification.Device, until time.Time) {
	o.change(func(ctx context.Context) error {
		_, err := o.run.d.cfg.Devices.Remove(ctx, d, until)
		return err
	})
}

// mismatched removes a device whose token belongs to another sender, the second publish in a
// row: at first the credentials may be what is wrong.
func (o *round) mismatched(d notification.Device) {
	if d.Mismatched != "" && d.Mismatched != o.run.p.ID {
		o.remove(d, o.began)
		return
	}
	o.change(func(ctx context.Context) error {
		return o.run.d.cfg.Devices.SetMismatched(ctx, d, o.run.p.ID)
	})
}

func (o *round) change(f func(context.Context) error) { o.changes = append(o.changes, f) }

// apply makes the changes of devices, some at once. One that fails is only told: the next
// publish finds out the same.
func (o *round) apply(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, longPatience)
	defer cancel()
	slots := make(chan struct{}, changing)
	var all sync.WaitGroup
	for _, change := range o.changes {
		slots <- struct{}{}
		all.Go(func() {
			if err := change(ctx); err != nil {
				o.run.d.cfg.Log.Debug("what a provider said of a device was not kept", "app", o.run.p.App, "err", err)
			}
			<-slots
		})
	}
	all.Wait()
}
