// Package lane is the way of notifications to one provider: how many are under way at
// once, how fast they go, and when the provider has to be left alone.
//
// Publishes take turns in a lane, so that a large one does not hold up a small one. A
// lane whose provider asks for time, or can not be reached, is paused. Then nothing
// waits in it: jobs are handed back at once, with the time at which to come again.
// After a pause for which the provider has not asked, one job goes first.
//
// Credentials that the provider refuses are held back alone: one job a minute tries
// whether they are good again. Others that use the lane go on.
//
// # Locks
//
// Lanes.mu guards the list, and lane.mu the state of one lane. No job is called with either.
//
// # Goroutines
//
// One for each job that is under way. [Lanes.Stop] waits for them.
//
// # Bounds
//
// A lane has no more jobs than its callers give it: who sends a page waits for it. There
// are 1,024 lanes; beyond that, those without jobs are forgotten.
package lane

import (
	"context"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	// maxLanes is how many are kept.
	maxLanes = 1024
	// probeInterval is how often credentials that are refused are tried.
	probeInterval = time.Minute
	// maxStreak is how many jobs may fail one after the other until that counts as a
	// failure of the provider, and not of their devices.
	maxStreak = 20
	// rampStart is the share of a lane's rate with which it begins, and rampEvery
	// how often that doubles.
	rampStart = 10
	rampEvery = 10 * time.Second
)

// pause is how long a provider is left alone that does not say so itself.
var pause = backoff.Policy{First: time.Second, Most: time.Minute}

// A Key names a lane.
type Key struct {
	Platform notification.Platform
	To       string // the credential, or the host of a push service
}

// Limits are those of a lane.
type Limits struct {
	Concurrency int // jobs under way at once
	PerSecond   int // jobs begun in a second; zero: as many as there are
}

// A Job is one notification for one device.
type Job struct {
	Publish    string // among publishes turns are taken
	Credential string // by which the provider knows the sender
	// Send sends it. It is not called if the lane is paused.
	Send func(context.Context) notification.Outcome
	// Done is called once, after Send or instead of it, maybe by the caller of Submit.
	Done func(Result)
}

// A Result is what became of a job.
type Result struct {
	notification.Outcome
	// Until is when to submit the job again, if it does not count as tried. Zero says
	// that it was tried, and the outcome says the rest.
	Until time.Time
}

// Lanes are all lanes of a node. Make them with [New].
type Lanes struct {
	ctx     context.Context // ends with Stop: that of all jobs
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	all      map[Key]*lane
}

// New returns lanes. Whoever calls it must call Stop.
func New() *Lanes {
	ctx, cancel := context.WithCancel(context.Background())
	return &Lanes{ctx: ctx, cancel: cancel, all: make(map[Key]*lane)}
}

// Stop hands back all jobs that wait, and waits for those that are under way, until ctx
// ends; then it ends them.
func (l *Lanes) Stop(ctx context.Context) {
	l.mu.Lock()
	l.stopping = true
	l.mu.Unlock()
	stop := context.AfterFunc(ctx, l.cancel)
	for _, one := range l.list() {
		one.flush(time.Now(), "the service is stopping", "")
	}
	l.running.Wait()
	stop()
	l.cancel()
}

func (l *Lanes) list() []*lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*lane, 0, len(l.all))
	for _, one := range l.all {
		all = append(all, one)
	}
	return all
}

// Submit gives a job to a lane. It does not block.
func (l *Lanes) Submit(k Key, limits Limits, j Job) {
	l.mu.Lock()
	if l.stopping {
		l.mu.Unlock()
		j.Done(Result{Outcome: retry("the service is stopping"), Until: time.Now()})
		return
	}
	one := l.all[k]
	if one == nil {
		if len(l.all) >= maxLanes {
			l.forgetLocked()
		}
		one = &lane{lanes: l, key: k, limits: limits, refused: make(map[string]*refusal)}
		l.all[k] = one
	}
	one.mu.Lock()
	l.mu.Unlock()
	one.submit(j)
}

// forgetLocked forgets lanes that have nothing to do, under the lock.
func (l *Lanes) forgetLocked() {
	for k, one := range l.all {
		one.mu.Lock()
		if one.under == 0 && one.waiting == 0 {
			delete(l.all, k)
		}
		one.mu.Unlock()
	}
}

func retry(reason string) notification.Outcome {
	return notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice, Reason: reason}
}

// A lane is the way to one provider with one credential, or to one host.
type lane struct {
	lanes *Lanes
	key   Key

	mu       sync.Mutex
	limits   Limits
	turns    []*turn // publishes with jobs, the next first
	waiting  int     // jobs in turns
	under    int     // jobs under way
	until    time.Time
	reason   string    // why it is paused, or was last
	since    time.Time // of the first failure since it was well
	failures int       // pauses one after the other for which nobody asked
	streak   int       // jobs that failed one after the other
	suspect  bool      // it was paused so: one job goes first
	refused  map[string]*refusal

	slot  time.Time // when the next job may begin
	began time.Time // when the rate began to rise
}

// A turn is what one publish has in a lane.
type turn struct {
	publish string
	jobs    []Job
}

// A refusal is a credential that the provider does not take.
type refusal struct {
	reason      string
	since, next time.Time
}

// submit takes the lock from its caller, and releases it.
func (n *lane) submit(j Job) {
	now := time.Now()
	if until, reason := n.holdLocked(now, j.Credential); !until.IsZero() {
		n.mu.Unlock()
		j.Done(Result{Outcome: retry(reason), Until: until})
		return
	}
	if r := n.refused[j.Credential]; r != nil {
		r.next = now.Add(probeInterval) // this one tries whether it is good again
	}
	n.enterLocked(j)
	n.startLocked()
	n.mu.Unlock()
}

// holdLocked returns until when a job has to wait, and why; zero if it can go.
func (n *lane) holdLocked(now time.Time, credential string) (time.Time, string) {
	if now.Before(n.until) {
		return n.until, n.reason
	}
	if r := n.refused[credential]; r != nil && now.Before(r.next) {
		return r.next, r.reason
	}
	return time.Time{}, ""
}

func (n *lane) enterLocked(j Job) {
	n.waiting++
	for _, t := range n.turns {
		if t.publish == j.Publish {
			t.jobs = append(t.jobs, j)
			return
		}
	}
	n.turns = append(n.turns, &turn{j.Publish, []Job{j}})
}

// nextLocked takes the job whose turn it is. There is one.
func (n *lane) nextLocked() Job {
	t := n.turns[0]
	j := t.jobs[0]
	t.jobs[0] = Job{}
	t.jobs = t.jobs[1:]
	n.turns = n.turns[1:]
	if len(t.jobs) > 0 {
		n.turns = append(n.turns, t)
	}
	n.waiting--
	return j
}

// startLocked starts as many jobs as may be under way.
func (n *lane) startLocked() {
	limit := n.limits.Concurrency
	if n.suspect {
		limit = 1
	}
	for n.under < limit && n.waiting > 0 {
		n.under++
		n.lanes.running.Go(n.run)
	}
}

// run does jobs until there are none, or too many are under way.
func (n *lane) run() {
	for {
		n.mu.Lock()
		if n.waiting == 0 || n.suspect && n.under > 1 {
			n.under--
			n.mu.Unlock()
			return
		}
		j := n.nextLocked()
		n.mu.Unlock()
		if !n.pace() {
			j.Done(Result{Outcome: retry("the service is stopping"), Until: time.Now()})
			continue
		}
		n.ended(j, j.Send(n.lanes.ctx))
	}
}

// pace waits for the next moment at which the rate lets a job go. It returns false if
// the lanes end.
func (n *lane) pace() bool {
	if n.limits.PerSecond == 0 {
		return true
	}
	n.mu.Lock()
	now := time.Now()
	if n.began.IsZero() {
		n.began = now
	}
	doubled := min(int(now.Sub(n.began)/rampEvery), 10)
	most := min(max(n.limits.PerSecond/rampStart, 1)<<doubled, n.limits.PerSecond)
	if n.slot.Before(now) {
		n.slot = now
	}
	wait := n.slot.Sub(now)
	n.slot = n.slot.Add(time.Second / time.Duration(most))
	n.mu.Unlock()
	return wait <= 0 || backoff.Sleep(n.lanes.ctx, wait)
}

// ended draws the conclusions of an outcome, and hands it back.
func (n *lane) ended(j Job, o notification.Outcome) {
	now := time.Now()
	result := Result{Outcome: o}
	var flushed []Job
	n.mu.Lock()
	switch {
	case n.lanes.ctx.Err() != nil && o.Verdict == notification.Retry:
		result.Until = now
	case o.Verdict == notification.BadCredentials:
		r := n.refused[j.Credential]
		if r == nil {
			r = &refusal{since: now}
			n.refused[j.Credential] = r
		}
		r.reason, r.next = o.Reason, now.Add(probeInterval)
		result.Until = r.next
		flushed = n.takeLocked(j.Credential)
		n.wellLocked()
	case o.Verdict == notification.Retry:
		flushed = n.failedLocked(now, &result)
	default:
		delete(n.refused, j.Credential)
		n.wellLocked()
	}
	until, reason := n.holdLocked(now, j.Credential)
	n.startLocked()
	n.mu.Unlock()
	for _, f := range flushed {
		f.Done(Result{Outcome: retry(reason), Until: until})
	}
	j.Done(result)
}

// wellLocked says that the provider has answered.
func (n *lane) wellLocked() {
	n.failures, n.streak, n.suspect, n.since = 0, 0, false, time.Time{}
}

// failedLocked says that a job has to be tried again, and pauses the lane if it is not a
// matter of the device alone. It returns the jobs that can not go then.
func (n *lane) failedLocked(now time.Time, r *Result) []Job {
	n.streak++
	wide := r.Scope != notification.OneDevice || n.streak >= maxStreak
	if !wide {
		return nil
	}
	asked := r.Scope != notification.OneDevice && r.RetryAfter > 0
	until := now.Add(r.RetryAfter)
	if !asked {
		if !now.Before(n.until) { // or else it is of the same failure
			n.failures++
		}
		until, n.suspect = now.Add(pause.Wait(n.failures)), true
	}
	if n.since.IsZero() {
		n.since = now
	}
	if until.After(n.until) {
		n.until = until
	}
	n.reason, n.streak = r.Reason, 0
	n.began = now
	if asked {
		r.Until = n.until
	}
	return n.takeLocked("")
}

// takeLocked takes out all jobs that wait, or those of one credential.
func (n *lane) takeLocked(credential string) (taken []Job) {
	var left []*turn
	n.waiting = 0
	for _, t := range n.turns {
		var jobs []Job
		for _, j := range t.jobs {
			if credential == "" || j.Credential == credential {
				taken = append(taken, j)
			} else {
				jobs = append(jobs, j)
			}
		}
		if len(jobs) > 0 {
			left = append(left, &turn{t.publish, jobs})
			n.waiting += len(jobs)
		}
	}
	n.turns = left
	return taken
}

// flush hands back what waits.
func (n *lane) flush(until time.Time, reason, credential string) {
	n.mu.Lock()
	taken := n.takeLocked(credential)
	n.mu.Unlock()
	for _, j := range taken {
		j.Done(Result{Outcome: retry(reason), Until: until})
	}
}
