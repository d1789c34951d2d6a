package delivery

import (
	"container/heap"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/sent"
	"github.com/belfryhq/belfry/protocol"
)

// Headers of ours. Receivers need none of them.
const (
	headerIDs     = "X-Belfry-Event-Ids" // of the events, in their order, with commas
	headerAttempt = "X-Belfry-Attempt"   // 1 at first
)

const userAgent = "Belfry-Webhook/1"

// A request is some events on their way to an endpoint. Its body is the same
// at every attempt.
type request struct {
	term      *queue.Term
	company   company
	items     []item
	lanes     []*lane // that wait for it
	body      []byte
	key       string // that signed
	secret    string
	signature string

	formed   time.Time
	until    time.Time // no attempt starts later
	next     time.Time // attempt, of one that has failed
	attempts int
	refusals int         // of them, because of what is in it
	failure  outcome     // of the last attempt
	spent    time.Time   // when it was given up, if it is no dead letter yet
	sent     *sent.Entry // nil until it was
}

// body is what an endpoint gets: compact JSON, without an end of line.
func body(now time.Time, items []item) []byte {
	size := 64
	for _, it := range items {
		size += len(it.event.Body) + 1
	}
	b := append(make([]byte, 0, size), `{"time_ms":`...)
	b = strconv.AppendInt(b, now.UnixMilli(), 10)
	b = append(b, `,"events":[`...)
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it.event.Body...)
	}
	return append(b, `]}`...)
}

// sign signs with the oldest key of the app, unless the request is signed with
// one that is still valid.
func (r *request) sign(app *apps.App) {
	if secret, ok := app.Secret(r.key); ok && r.signature != "" && secret == r.secret {
		return
	}
	oldest := app.Keys[0]
	r.key, r.secret = oldest.Key, oldest.Secret
	r.signature = protocol.SignWebhook(oldest.Secret, r.body)
}

// header is that of the next attempt.
func (r *request) header(hook *apps.Webhook) http.Header {
	h := make(http.Header, 6+len(hook.Headers))
	for _, extra := range hook.Headers {
		h.Add(extra.Name, extra.Value)
	}
	if len(h["User-Agent"]) == 0 {
		h.Set("User-Agent", userAgent)
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Pusher-Key", r.key)
	h.Set("X-Pusher-Signature", r.signature)
	h.Set(headerIDs, r.ids())
	h.Set(headerAttempt, strconv.Itoa(r.attempts+1))
	return h
}

// ids are the ids of the events, in their order, separated by commas.
func (r *request) ids() string {
	var b []byte
	for i, it := range r.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = it.event.ID.Append(b)
	}
	return string(b)
}

// nextWait is how long to wait for the next attempt. It is twice as long
// each time up to most, with a jitter of a fifth, and as long as the
// endpoint asks for. It reports false if the request is to be given up.
func (r *request) nextWait(first, most, asked time.Duration, now time.Time) (time.Duration, bool) {
	doubled := backoff.Policy{First: first, Most: most}.Wait(r.attempts)
	wait := time.Duration(float64(doubled) * (0.8 + 0.4*rand.Float64()))
	left := r.until.Sub(now)
	if asked > wait && asked < left {
		wait = asked
	}
	return wait, wait < left
}

// retries are requests that wait for their next attempt, by its time.
type retries struct{ list []*request }

func (rs *retries) Len() int           { return len(rs.list) }
func (rs *retries) Less(i, j int) bool { return rs.list[i].next.Before(rs.list[j].next) }
func (rs *retries) Swap(i, j int)      { rs.list[i], rs.list[j] = rs.list[j], rs.list[i] }
func (rs *retries) Push(r any)         { rs.list = append(rs.list, r.(*request)) }

// Pop takes the last, for package heap.
func (rs *retries) Pop() any {
	last := len(rs.list) - 1
	r := rs.list[last]
	rs.list[last] = nil
	rs.list = rs.list[:last]
	return r
}

func (rs *retries) first() *request { return rs.list[0] }

func (rs *retries) push(r *request) { heap.Push(rs, r) }

// due takes a request whose time has come, or returns nil.
func (rs *retries) due(now time.Time) *request {
	if len(rs.list) == 0 || rs.list[0].next.After(now) {
		return nil
	}
	return heap.Pop(rs).(*request)
}

// within lets none of them wait for longer than that, because the endpoint
// answers; but it may have asked for more.
func (rs *retries) within(now time.Time, longest time.Duration) {
	latest := now.Add(longest)
	for _, r := range rs.list {
		if r.next.After(latest) && r.spent.IsZero() && r.failure.retryAfter == 0 {
			r.next = latest
		}
	}
	heap.Init(rs)
}
