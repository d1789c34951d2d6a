package fanout

import (
	"context"
	"errors"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/work"
)

// A run is one publish while this node works on it. Its goroutine alone touches it.
type run struct {
	d    *Dispatcher
	p    *notification.Publish
	item *work.Item

	progress progress
	revision uint64          // of the progress that is written down; 0: none is
	waiting  map[int]waiting // pages with devices that are to be tried again
	users    map[string]int  // the place of each user in the audience
}

// do works on the publish until it is finished, or has to wait for long, or somebody else
// goes on with it.
func (r *run) do() {
	ctx := context.Background() // steps are bounded by themselves, and a stop lets them end
	err := r.open(ctx)
	for err == nil && !r.d.ends() {
		var wait time.Duration
		var done bool
		wait, done, err = r.step(ctx)
		switch {
		case err != nil:
		case done:
			r.end(ctx)
			return
		case wait > short:
			r.item.Later(wait)
			return
		case wait > 0:
			r.d.sleep(wait)
		}
	}
	switch {
	case errors.Is(err, errTaken):
		r.item.Drop()
	case errors.Is(err, errEarly):
		r.item.Later(engineAgain)
	case err != nil:
		r.d.cfg.Log.Warn("push notifications can not go on now; trying again", "app", r.p.App, "publish", r.p.ID, "err", err)
		r.item.Later(engineAgain)
	default: // the node stops
		r.item.Later(0)
	}
}

// open reads how far the publish is, if anybody may have written that down. To write it once
// more keeps off whoever had the publish before.
func (r *run) open(ctx context.Context) (err error) {
	r.waiting = make(map[int]waiting)
	r.users = make(map[string]int, len(r.p.Audience.Users))
	for i, user := range r.p.Audience.Users {
		r.users[user] = i
	}
	if r.item.Again {
		if err := r.resume(ctx); err != nil {
			return err
		}
	}
	if r.progress.Counts == nil {
		r.progress.Counts = make(map[notification.Platform]counts)
	}
	if r.progress.Stopped == nil {
		r.progress.Stopped = make(map[int]string)
	}
	if len(r.progress.Users) != len(r.p.Audience.Users) {
		r.progress.Users = make([]byte, len(r.p.Audience.Users))
	}
	return nil
}

func (r *run) resume(ctx context.Context) (err error) {
	if r.progress, r.revision, err = r.d.states.load(ctx, r.p.ID); err != nil || r.revision == 0 || r.progress.Ended {
		return err
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	if r.waiting, err = r.d.states.waiting(ctx, r.p.ID); err == nil && len(r.waiting) < r.progress.Waiting {
		err = errEarly
	}
	return err
}

// save writes down how far the publish is.
func (r *run) save(ctx context.Context) error {
	revision, err := r.d.states.save(ctx, r.p.ID, &r.progress, r.revision)
	if err == nil {
		r.revision = revision
	}
	return err
}

// step does what is next. It returns how long there is nothing to do, or that all is done.
func (r *run) step(ctx context.Context) (wait time.Duration, done bool, err error) {
	page, at := r.next()
	now := time.Now()
	switch {
	case r.progress.Ended:
		return 0, true, nil
	case !r.progress.Told && r.p.API == notification.Beams && r.p.Callback.URL != "":
		return 0, false, r.tellBegun(ctx)
	case page >= 0 && !now.Before(at):
		return 0, false, r.again(ctx, page)
	case !r.progress.Read:
		wait, err = r.page(ctx)
		return wait, false, err
	case page >= 0:
		return at.Sub(now), false, nil
	}
	return r.finish(ctx)
}

// next is the page whose devices are due first, -1 if there is none.
func (r *run) next() (page int, at time.Time) {
	page = -1
	for n, w := range r.waiting {
		if page < 0 || w.at.Before(at) {
			page, at = n, w.at
		}
	}
	return page, at
}

// page sends to the next page of devices. It returns how long it has to wait with that.
func (r *run) page(ctx context.Context) (wait time.Duration, err error) {
	devices, err := r.d.cfg.Devices.Page(ctx, r.p.App, r.p.Audience, r.progress.Cursor, PageSize)
	if err != nil {
		return 0, err
	}
	list := make([]target, len(devices))
	for i := range devices {
		list[i] = target{device: devices[i]}
	}
	last := len(devices) < PageSize
	round := r.send(ctx, list, last && len(devices) == 1 && r.progress.Step == 0)
	if round.untried {
		return max(time.Until(round.until), time.Millisecond), nil // it is read again then
	}
	if r.progress.Read = last; len(devices) > 0 {
		r.progress.Cursor = devices[len(devices)-1].ID
	}
	return 0, r.record(ctx, r.progress.Step, round)
}

// again sends to those devices of a page that are to be tried again.
func (r *run) again(ctx context.Context, page int) error {
	list, err := r.d.states.pending(ctx, r.p.ID, page, r.waiting[page].revision)
	if err != nil {
		return err
	}
	var due []target
	var left []pending
	now := time.Now()
	for _, p := range list {
		if now.Before(p.Due) {
			left = append(left, p)
			continue
		}
		d, found, err := r.d.cfg.Devices.Device(ctx, r.p.App, p.Device)
		if err != nil {
			return err
		}
		if found { // or else it has left meanwhile
			due = append(due, target{device: d, attempt: p.Attempt})
		}
	}
	round := r.send(ctx, due, false)
	if round.untried {
		r.waiting[page] = waiting{round.until, r.waiting[page].revision}
		return nil
	}
	round.pending = append(round.pending, left...)
	return r.record(ctx, page, round)
}

// record writes down what became of a round: first what has to be done again, and then how
// far the publish is. If the process ends between the two, the round is done once more. A
// publish that is finished with its only page needs nothing written down.
func (r *run) record(ctx context.Context, page int, round *round) error {
	r.progress.add(round)
	step := r.progress.Step
	r.progress.Step++
	if r.revision == 0 && r.progress.Read && len(round.pending) == 0 && len(round.results) == 0 {
		return nil
	}
	if len(round.results) > 0 {
		if err := r.d.states.addResults(ctx, r.p.ID, step, round.results); err != nil {
			return err
		}
		r.progress.Results += len(round.results)
	}
	if err := r.wait(ctx, page, round.pending); err != nil {
		return err
	}
	return r.save(ctx)
}

// wait writes down which devices of a page are to be tried again.
func (r *run) wait(ctx context.Context, page int, list []pending) error {
	if _, was := r.waiting[page]; !was && len(list) == 0 {
		return nil
	}
	revision, err := r.d.states.setPending(ctx, r.p.ID, page, list)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		r.waiting[page] = waiting{earliest(list), revision}
	} else {
		delete(r.waiting, page)
	}
	r.progress.Waiting = len(r.waiting)
	return nil
}

// add counts what became of a round.
func (p *progress) add(round *round) {
	for platform, c := range round.counts {
		sum := p.Counts[platform]
		sum.Accepted += c.Accepted
		sum.Failed += c.Failed
		sum.Removed += c.Removed
		sum.Retried += c.Retried
		p.Counts[platform] = sum
	}
	for i, reason := range round.stopped {
		p.Stopped[i] = reason
	}
	for i, what := range round.users {
		p.Users[i] = max(p.Users[i], what)
	}
}

// end removes the publish, and what is written down of it.
func (r *run) end(ctx context.Context) {
	if err := r.item.Done(ctx); err != nil {
		r.d.cfg.Log.Debug("a publish that was delivered is not known to be removed", "publish", r.p.ID, "err", err)
		return // whoever gets it again finds that it has ended
	}
	r.d.metrics.finished.Inc()
	if r.revision > 0 {
		if err := r.d.states.forget(ctx, r.p.ID); err != nil {
			r.d.cfg.Log.Debug("the progress of a publish was not removed; it ends by itself", "publish", r.p.ID, "err", err)
		}
	}
}
