package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// authorizations are the requests to authorizers: a few at a time, and again
// after errors that may pass. What they are for is known to who asks.
type authorizations struct {
	// Immutable.
	cfg        *Config
	goroutines *goroutines
	n          *counters

	mu sync.Mutex
	// Guarded by mu, with the state of every job.
	waiting    [][]*authJob // requests that wait for their turn, with the jobs of each
	collecting map[collector][]*authJob
	running    int
}

// A collector is what jobs have in common that share a request.
type collector struct {
	with *BatchHTTPAuth
	cn   *conn
}

// An authJob is something to ask an authorizer on behalf of one connection.
type authJob struct {
	// Immutable.
	cn   *conn
	name string // of the channel; empty: the user
	with any    // the ChannelAuthorizer or UserAuthenticator
	// granted and refused take the answer. They are called without any lock,
	// so that the job may have been cancelled meanwhile.
	granted func(Auth, UserAuth)
	refused func(err error, willRetry bool)

	// Guarded by authorizations.mu.
	attempt   int  // that is running or comes next, from 1
	retries   int  // after temporary errors
	refreshed bool // whether there was a second attempt after 401 or 403
	dropped   bool // nobody wants the answer
	timer     *timer
	stop      context.CancelFunc // ends a request for this job alone; nil if there was none
}

// ask asks an authorizer. It does not wait.
func (a *authorizations) ask(j *authJob) {
	j.attempt = 1
	a.enqueue(j)
}

// enqueue has a job wait for its turn. One for a batch authorizer waits for
// others before: for what is asked at the same moment, or for its delay.
func (a *authorizations) enqueue(j *authJob) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, ok := j.with.(*BatchHTTPAuth)
	if !ok || j.name == "" {
		a.waiting = append(a.waiting, []*authJob{j})
		a.startLocked()
		return
	}
	key := collector{b, j.cn}
	if a.collecting == nil {
		a.collecting = make(map[collector][]*authJob)
	}
	a.collecting[key] = append(a.collecting[key], j)
	if len(a.collecting[key]) == 1 {
		j.cn.agenda.after(b.Delay, func() { a.collected(key) })
	}
}

// collected ends collecting.
func (a *authorizations) collected(key collector) {
	a.mu.Lock()
	defer a.mu.Unlock()
	jobs := slices.DeleteFunc(a.collecting[key], (*authJob).unwantedLocked)
	delete(a.collecting, key)
	a.waiting = slices.AppendSeq(a.waiting, slices.Chunk(jobs, key.with.most()))
	a.startLocked()
}

// unwantedLocked reports whether nobody wants the answer.
func (j *authJob) unwantedLocked() bool { return j.dropped || j.cn.ctx.Err() != nil }

// startLocked makes requests while there is room.
func (a *authorizations) startLocked() {
	for a.running < a.cfg.AuthConcurrency && len(a.waiting) > 0 {
		jobs := slices.DeleteFunc(a.waiting[0], (*authJob).unwantedLocked)
		a.waiting = a.waiting[1:]
		if len(jobs) > 0 {
			a.requestLocked(jobs)
		}
	}
}

// authGrace is how long an authorizer that ignores its context may take
// beyond its time before its job is taken to have timed out.
const authGrace = time.Second

// An authRequest is one that is being made.
type authRequest struct {
	jobs     []*authJob
	late     *timer // answers for an authorizer that does not
	answered bool   // guarded by authorizations.mu
}

// requestLocked asks in a goroutine of its own, which is bounded in time.
func (a *authorizations) requestLocked(jobs []*authJob) {
	with, cn := jobs[0].with, jobs[0].cn
	requests := make([]AuthRequest, len(jobs))
	for i, j := range jobs {
		requests[i] = AuthRequest{SocketID: cn.socketID, Channel: j.name, Attempt: j.attempt}
	}
	ctx, cancel := context.WithTimeout(cn.ctx, a.cfg.AuthTimeout)
	if len(jobs) == 1 {
		jobs[0].stop = cancel
	}
	r := &authRequest{jobs: jobs}
	r.late = cn.agenda.after(a.cfg.AuthTimeout+authGrace, func() {
		a.answer(r, slices.Repeat([]authResult{{err: context.DeadlineExceeded}}, len(jobs)))
	})
	a.running++
	a.n.authRequests.Add(1)
	a.goroutines.start(func() {
		results := a.guard(len(jobs), func() []authResult { return askAuthorizer(ctx, with, requests) })
		cancel()
		cn.agenda.cancel(r.late)
		a.mu.Lock()
		a.running--
		a.mu.Unlock()
		a.answer(r, results)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.startLocked()
	})
}

// An authResult is what an authorizer said about one job.
type authResult struct {
	auth Auth
	user UserAuth
	err  error
}

// askAuthorizer asks about channels, or an authenticator about the user.
func askAuthorizer(ctx context.Context, with any, requests []AuthRequest) []authResult {
	var r authResult
	if b, ok := with.(*BatchHTTPAuth); ok && requests[0].Channel != "" {
		return b.authorize(ctx, requests)
	} else if requests[0].Channel == "" {
		r.user, r.err = with.(UserAuthenticator).AuthenticateUser(ctx, requests[0])
	} else {
		r.auth, r.err = with.(ChannelAuthorizer).AuthorizeChannel(ctx, requests[0])
	}
	return []authResult{r}
}

// errPanic is what an authorizer that panics is taken to have answered.
var errPanic = errors.New("the authorizer panicked")

// guard calls functions of the program as Config.OnPanic wants it.
func (a *authorizations) guard(n int, ask func() []authResult) (results []authResult) {
	if a.cfg.OnPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				a.cfg.OnPanic(v, debug.Stack())
				results = slices.Repeat([]authResult{{err: errPanic}}, n)
			}
		}()
	}
	return ask()
}

// answer takes the results of a request, of which there is one for each job.
// Only the first answer counts.
func (a *authorizations) answer(r *authRequest, results []authResult) {
	a.mu.Lock()
	answered := r.answered
	r.answered = true
	a.mu.Unlock()
	if answered {
		return
	}
	for i, j := range r.jobs {
		a.take(j, results[i])
	}
}

// take takes the result of one job and says what it means.
func (a *authorizations) take(j *authJob, r authResult) {
	if r.err == nil {
		r.err = j.check(r)
	}
	wanted, again, delay := a.judge(j, r.err)
	switch {
	case !wanted:
	case r.err == nil:
		j.granted(r.auth, r.user)
	case !again:
		j.refused(r.err, false)
	default:
		j.refused(r.err, true)
		a.retry(j, delay)
	}
}

// check refuses what can be no token.
func (j *authJob) check(r authResult) error {
	bad := func(text string) error {
		return &AuthError{Kind: AuthBadResponse, Channel: j.name, Err: errors.New(text)}
	}
	switch {
	case j.name == "" && (r.user.Auth == "" || r.user.UserData == ""):
		return bad("the answer has no auth, or no user_data")
	case j.name == "":
		return nil
	case r.auth.Auth == "":
		return bad("the answer has no auth")
	case protocol.KindOf(j.name).Encrypted():
		if _, err := r.auth.key(); err != nil {
			return bad(err.Error())
		}
	}
	return nil
}

// maxAuthDelay is the longest back-off between attempts to authorize.
const maxAuthDelay = 30 * time.Second

// judge decides whether a job is tried again, and when. It is not wanted if it
// was cancelled, and done with if there is no error or no other attempt.
func (a *authorizations) judge(j *authJob, err error) (wanted, again bool, delay time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if j.unwantedLocked() {
		return false, false, 0
	}
	if err != nil {
		a.n.authFailures.Add(1)
		again, delay = j.againLocked(err, a.cfg.AuthRetries)
	}
	if again {
		j.attempt++
	} else {
		j.dropped = true
	}
	return true, again, delay
}

// againLocked decides whether and when a job is tried again after an error.
func (j *authJob) againLocked(err error, most int) (again bool, delay time.Duration) {
	e, isAuth := errors.AsType[*AuthError](err)
	if isAuth && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden) {
		again, j.refreshed = !j.refreshed, true
		return again, 0
	}
	if !temporary(err) || j.retries >= most {
		return false, 0
	}
	delay = min(time.Second<<min(j.retries, 10), maxAuthDelay)
	delay -= time.Duration(rand.Float64() * 0.2 * float64(delay))
	if isAuth {
		delay = max(delay, e.RetryAfter)
	}
	j.retries++
	return true, delay
}

// retry has a job wait for its next attempt, unless it was cancelled.
func (a *authorizations) retry(j *authJob, delay time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !j.dropped {
		j.timer = j.cn.agenda.after(delay, func() { a.enqueue(j) })
	}
}

// cancel gives up a job, whether it runs or waits. It may be nil.
func (a *authorizations) cancel(j *authJob) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if j == nil || j.dropped {
		return
	}
	j.dropped = true
	j.cn.agenda.cancel(j.timer)
	if j.stop != nil {
		j.stop()
	}
}

// forget drops what waits for a connection that is gone.
func (a *authorizations) forget(cn *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = slices.DeleteFunc(a.waiting, func(jobs []*authJob) bool { return jobs[0].cn == cn })
	for key := range a.collecting {
		if key.cn == cn {
			delete(a.collecting, key)
		}
	}
}
