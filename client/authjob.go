package client

import (
	"context"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"time"
)

// An authJob is something to ask an authorizer on behalf of one connection.
// Client.mu guards it, except where a field says otherwise.
type authJob struct {
	cn   *conn           // immutable
	name string          // immutable; of the channel; empty: the user
	with any             // immutable; the ChannelAuthorizer or UserAuthenticator
	ctx  context.Context // immutable; ends with the need for an answer
	stop context.CancelFunc

	attempt   int  // that is running or comes next, from 1
	retries   int  // after temporary errors
	refreshed bool // whether there was a second attempt after 401 or 403
	dropped   bool // nobody wants the answer
	timer     *timer

	granted func(Auth, UserAuth)            // with Client.mu held
	refused func(err error, willRetry bool) // with Client.mu held
}

// An authQueue has the requests of a client that wait for their turn.
type authQueue struct {
	waiting    [][]*authJob // the jobs of each
	collecting map[collector][]*authJob
	running    int
	used       []any // by channels that are gone, for sweep
}

// A collector is what jobs have in common that share a request.
type collector struct {
	with *BatchHTTPAuth
	cn   *conn
}

// authorizeLocked asks an authorizer and calls granted or refused.
func (c *Client) authorizeLocked(cn *conn, j *authJob) {
	j.cn, j.attempt = cn, 1
	j.ctx, j.stop = context.WithCancel(cn.ctx)
	c.enqueueLocked(j)
}

// enqueueLocked has a job wait for its turn. One for a batch authorizer waits
// for others before: for what is asked at the same moment, or for its delay.
func (c *Client) enqueueLocked(j *authJob) {
	b, ok := j.with.(*BatchHTTPAuth)
	if !ok || j.name == "" {
		c.auth.waiting = append(c.auth.waiting, []*authJob{j})
		c.startAuthLocked()
		return
	}
	key := collector{b, j.cn}
	if c.auth.collecting == nil {
		c.auth.collecting = make(map[collector][]*authJob)
	}
	c.auth.collecting[key] = append(c.auth.collecting[key], j)
	if len(c.auth.collecting[key]) == 1 {
		j.cn.s.afterLocked(b.Delay, func() { c.collectedLocked(key) })
	}
}

// collectedLocked ends collecting.
func (c *Client) collectedLocked(key collector) {
	jobs := slices.DeleteFunc(c.auth.collecting[key], (*authJob).unwantedLocked)
	delete(c.auth.collecting, key)
	c.auth.waiting = slices.AppendSeq(c.auth.waiting, slices.Chunk(jobs, key.with.most()))
	c.startAuthLocked()
}

// unwantedLocked reports whether nobody wants the answer.
func (j *authJob) unwantedLocked() bool { return j.dropped || j.cn.ctx.Err() != nil }

// startAuthLocked makes requests while there is room.
func (c *Client) startAuthLocked() {
	for c.auth.running < c.cfg.AuthConcurrency && len(c.auth.waiting) > 0 {
		jobs := slices.DeleteFunc(c.auth.waiting[0], (*authJob).unwantedLocked)
		c.auth.waiting = c.auth.waiting[1:]
		if len(jobs) == 0 {
			continue
		}
		requests := make([]AuthRequest, len(jobs))
		for i, j := range jobs {
			requests[i] = j.request()
		}
		with := jobs[0].with
		c.runLocked(jobs, func(ctx context.Context) []authResult {
			if b, ok := with.(*BatchHTTPAuth); ok && requests[0].Channel != "" {
				return b.authorize(ctx, requests)
			}
			return []authResult{ask(ctx, with, requests[0])}
		})
	}
}

// An authResult is what an authorizer said about one job.
type authResult struct {
	auth Auth
	user UserAuth
	err  error
}

func (j *authJob) request() AuthRequest {
	return AuthRequest{SocketID: j.cn.socketID, Channel: j.name, Attempt: j.attempt}
}

// ask asks an authorizer about a channel, or an authenticator about the user.
func ask(ctx context.Context, with any, request AuthRequest) (r authResult) {
	if request.Channel == "" {
		r.user, r.err = with.(UserAuthenticator).AuthenticateUser(ctx, request)
	} else {
		r.auth, r.err = with.(ChannelAuthorizer).AuthorizeChannel(ctx, request)
	}
	return r
}

// authGrace is how long an authorizer that ignores its context may take
// beyond its time before its job is taken to have timed out.
const authGrace = time.Second

// runLocked asks in a goroutine of its own, which is bounded in time.
func (c *Client) runLocked(jobs []*authJob, ask func(context.Context) []authResult) {
	c.auth.running++
	c.stats.AuthRequests++
	parent := jobs[0].cn.ctx
	if len(jobs) == 1 {
		parent = jobs[0].ctx
	}
	answered := false // guarded by Client.mu
	late := jobs[0].cn.s.afterLocked(c.cfg.AuthTimeout+authGrace, func() {
		answered = true
		for _, j := range jobs {
			c.answerLocked(j, authResult{err: context.DeadlineExceeded})
		}
	})
	c.life.start(func() {
		ctx, cancel := context.WithTimeout(parent, c.cfg.AuthTimeout)
		results := c.guard(len(jobs), func() []authResult { return ask(ctx) })
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.auth.running--
		jobs[0].cn.s.cancelLocked(late)
		for i, j := range jobs {
			if !answered {
				c.answerLocked(j, results[i])
			}
		}
		c.startAuthLocked()
	})
}

// errPanic is what an authorizer that panics is taken to have answered.
var errPanic = errors.New("the authorizer panicked")

// guard calls functions of the program as Config.OnPanic wants it.
func (c *Client) guard(n int, ask func() []authResult) (results []authResult) {
	if c.cfg.OnPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				c.cfg.OnPanic(v, debug.Stack())
				results = slices.Repeat([]authResult{{err: errPanic}}, n)
			}
		}()
	}
	return ask()
}

// answerLocked takes the result of a job, unless nobody wants it any more.
func (c *Client) answerLocked(j *authJob, r authResult) {
	if j.dropped || j.cn.ctx.Err() != nil {
		return
	}
	if r.err == nil {
		r.err = j.checkAnswer(r)
	}
	if r.err == nil {
		c.finishAuthLocked(j)
		j.granted(r.auth, r.user)
		return
	}
	c.stats.AuthFailures++
	again, delay := c.retryAuth(j, r.err)
	if !again {
		c.finishAuthLocked(j)
		j.refused(r.err, false)
		return
	}
	j.attempt++
	j.refused(r.err, true)
	if j.dropped { // by what was just told
		return
	}
	j.timer = j.cn.s.afterLocked(delay, func() { c.enqueueLocked(j) })
}

// checkAnswer refuses what can be no token.
func (j *authJob) checkAnswer(r authResult) error {
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
	case isEncrypted(j.name):
		if _, err := sharedSecret(r.auth.SharedSecret); err != nil {
			return bad(err.Error())
		}
	}
	return nil
}

// sharedSecret is the key of an encrypted channel.
func sharedSecret(text string) (*[32]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 {
		return nil, errors.New("the shared_secret is not 32 bytes of base64")
	}
	return (*[32]byte)(key), nil
}

// maxAuthDelay is the longest back-off between attempts to authorize.
const maxAuthDelay = 30 * time.Second

// retryAuth decides whether a job is tried again, and when.
func (c *Client) retryAuth(j *authJob, err error) (again bool, delay time.Duration) {
	e, isAuth := errors.AsType[*AuthError](err)
	if isAuth && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden) {
		if j.refreshed {
			return false, 0
		}
		j.refreshed = true
		return true, 0
	}
	if !temporary(err) || j.retries >= c.cfg.AuthRetries {
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

// finishAuthLocked says that nothing follows for a job.
func (c *Client) finishAuthLocked(j *authJob) {
	j.dropped = true
	j.cn.s.cancelLocked(j.timer)
	j.stop()
}

// cancelAuthLocked gives up a job, whether it runs or waits. It may be nil.
func (c *Client) cancelAuthLocked(j *authJob) {
	if j != nil && !j.dropped {
		c.finishAuthLocked(j)
	}
}

// dropLocked forgets what waits for a connection that is gone.
func (q *authQueue) dropLocked(cn *conn) {
	q.waiting = slices.DeleteFunc(q.waiting, func(jobs []*authJob) bool { return jobs[0].cn == cn })
	for key := range q.collecting {
		if key.cn == cn {
			delete(q.collecting, key)
		}
	}
}
