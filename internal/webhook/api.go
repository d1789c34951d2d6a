package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// APIPath is where the handler of [Sender.Handler] is to be served. It asks
// for no token itself.
const APIPath = "/api/v1/webhooks"

// Handler returns the part of the admin API that tells how endpoints are,
// lists what was given up for them and replays it, and tries them.
func (s *Sender) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET " + APIPath:               s.listEndpoints,
		"GET " + APIPath + "/given-up": s.listGivenUp,
		"POST " + APIPath + "/replay":  s.replay,
		"POST " + APIPath + "/test":    s.test,
		APIPath:                        wrongMethod("GET, HEAD"),
		APIPath + "/given-up":          wrongMethod("GET, HEAD"),
		APIPath + "/replay":            wrongMethod("POST"),
		APIPath + "/test":              wrongMethod("POST"),
		APIPath + "/":                  nothingHere,
	} {
		mux.Handle(pattern, jsonhttp.Handler(s.log, serve))
	}
	return mux
}

func nothingHere(http.ResponseWriter, *http.Request) error {
	return jsonhttp.Refuse(http.StatusNotFound, "There is nothing at this path; /openapi.yaml says what there is.")
}

func wrongMethod(allow string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", allow)
		return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked %s.", allow)
	}
}

// States of an endpoint.
const (
	stateOK      = "ok"
	stateFailing = "failing" // the last attempts have failed
	stateDown    = "down"    // so many that it is tried with one request at a time
)

// An endpointView is what an operator is told of an endpoint.
type endpointView struct {
	App         string   `json:"app"`
	Endpoint    string   `json:"endpoint"`
	URL         string   `json:"url"` // without a password
	Events      []string `json:"events"`
	State       string   `json:"state"`
	QueuedBytes int64    `json:"queued_bytes"`
	Oldest      float64  `json:"oldest_seconds"`
	Failures    int      `json:"failures"`
	LastSuccess string   `json:"last_success,omitempty"`
	LastFailure string   `json:"last_failure,omitempty"`
	LastStatus  int      `json:"last_status,omitempty"`
	LastError   string   `json:"last_error,omitempty"`
}

// view returns what is known of an endpoint of an app.
func (s *Sender) view(app *apps.App, w *apps.Webhook) endpointView {
	v := endpointView{App: app.ID, Endpoint: w.Name(), URL: w.Redacted(), Events: w.Events.Names(), State: stateOK}
	to := address{app.ID, v.Endpoint}
	s.endpoints.mu.Lock()
	e := s.endpoints.all[to]
	s.endpoints.mu.Unlock()
	var o oldest
	s.recorder.seeOldest(&o, &to)
	if e != nil {
		e.seeOldest(&o)
	}
	v.Oldest = o.age(time.Now()).Round(time.Millisecond).Seconds()
	if e == nil {
		return v
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	v.QueuedBytes, v.Failures = e.queued, e.health.failures
	switch {
	case e.health.open():
		v.State = stateDown
	case e.health.lastError != "":
		v.State = stateFailing
	}
	v.LastSuccess, v.LastFailure = stamp(e.health.lastSuccess), stamp(e.health.lastFailure)
	v.LastStatus, v.LastError = e.health.lastStatus, e.health.lastError
	return v
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// listEndpoints lists the endpoints of the apps, ordered by app.
func (s *Sender) listEndpoints(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "app", "after", "limit"); err != nil {
		return err
	}
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	answer := struct {
		Endpoints []endpointView `json:"endpoints"`
		Next      string         `json:"next,omitempty"`
	}{Endpoints: []endpointView{}}
	only := r.URL.Query().Get("app")
	if only != "" && s.cfg.Apps.ByID(only) == nil {
		return jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")
	}
	last := ""
	for _, app := range s.cfg.Apps.All() {
		if app.ID <= after || only != "" && app.ID != only || len(app.Webhooks) == 0 {
			continue
		}
		if len(answer.Endpoints) >= limit {
			answer.Next = last
			break
		}
		for i := range app.Webhooks {
			answer.Endpoints = append(answer.Endpoints, s.view(app, &app.Webhooks[i]))
		}
		last = app.ID
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// A burialView is what an operator is told of events that were given up.
type burialView struct {
	ID       uint64      `json:"id"`
	App      string      `json:"app"`
	Endpoint string      `json:"endpoint"`
	Host     string      `json:"host,omitempty"`
	Reason   buryReason  `json:"reason"`
	Status   int         `json:"status,omitempty"`
	Error    string      `json:"error,omitempty"`
	Attempts int         `json:"attempts"`
	At       string      `json:"at"`
	Events   []eventView `json:"events"`
}

// An eventView is one event as it stands in requests, and its id.
type eventView struct {
	ID    string          `json:"id"`
	Event json.RawMessage `json:"event"`
}

func (b *burial) view() burialView {
	v := burialView{ID: b.seq, App: b.to.app, Endpoint: b.to.endpoint, Host: b.host, Reason: b.reason, Status: b.status,
		Error: b.err, Attempts: b.attempts, At: stamp(time.UnixMilli(b.at))}
	for i := range b.events {
		v.Events = append(v.Events, eventView{b.events[i].id.String(), b.events[i].body})
	}
	return v
}

// listGivenUp lists what was given up, the oldest first.
func (s *Sender) listGivenUp(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "app", "endpoint", "after", "limit"); err != nil {
		return err
	}
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	from, err := cursor(after)
	if err != nil {
		return err
	}
	answer := struct {
		GivenUp []burialView `json:"given_up"`
		Next    string       `json:"next,omitempty"`
	}{GivenUp: []burialView{}}
	q := r.URL.Query()
	err = s.queue.buried(r.Context(), address{q.Get("app"), q.Get("endpoint")}, from, func(b *burial) bool {
		if len(answer.GivenUp) == limit {
			answer.Next = strconv.FormatUint(answer.GivenUp[limit-1].ID, 10)
			return false
		}
		answer.GivenUp = append(answer.GivenUp, b.view())
		return true
	})
	if err != nil {
		return unavailable(err)
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

func unavailable(err error) error {
	return &jsonhttp.Problem{Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
		Detail: "The engine does not answer, or its disk is full.", Err: err}
}

// cursor reads the id after which something goes on; nothing is the beginning.
func cursor(after string) (uint64, error) {
	id, err := strconv.ParseUint("0"+after, 10, 64)
	if err != nil {
		return 0, jsonhttp.Refuse(http.StatusBadRequest, "after is not the id of something that was given up.")
	}
	return id, nil
}

// replayMost is how much one call replays.
const replayMost = 1000

// What a replay is asked for: what IDs names, or all of an app, an endpoint or
// the service, from a cursor on.
type replayRequest struct {
	App      string   `json:"app"`
	Endpoint string   `json:"endpoint"`
	IDs      []uint64 `json:"ids"`
	After    string   `json:"after"`
}

type replayAnswer struct {
	Replayed int      `json:"replayed"`          // of what was given up
	Events   int      `json:"events"`            // in it
	Skipped  []uint64 `json:"skipped,omitempty"` // there is no such endpoint any more
	Missing  []uint64 `json:"missing,omitempty"` // there is nothing of that id
	More     bool     `json:"more"`
	Next     string   `json:"next,omitempty"` // for After, if there is more
}

// replay puts what was given up into the queue again.
func (s *Sender) replay(w http.ResponseWriter, r *http.Request) error {
	var body replayRequest
	if err := errors.Join(jsonhttp.Query(r), jsonhttp.Read(r, &body)); err != nil {
		return err
	}
	switch {
	case len(body.IDs) > replayMost:
		return jsonhttp.Refuse(http.StatusBadRequest, "ids has more than %d elements.", replayMost)
	case body.IDs != nil && body.After != "":
		return jsonhttp.Refuse(http.StatusBadRequest, "after is for what is not named by ids.")
	}
	var answer replayAnswer
	todo, err := s.toReplay(r.Context(), &body, &answer)
	if err != nil {
		return err
	}
	for _, b := range todo {
		known, err := s.requeue(r.Context(), b)
		switch {
		case err != nil:
			return unavailable(err)
		case !known:
			answer.Skipped = append(answer.Skipped, b.seq)
		default:
			answer.Replayed++
			answer.Events += len(b.events)
		}
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// toReplay returns what is asked for, and notes in the answer what is missing
// and where to go on.
func (s *Sender) toReplay(ctx context.Context, body *replayRequest, answer *replayAnswer) (todo []*burial, err error) {
	for _, id := range body.IDs {
		b, err := s.queue.exhume(ctx, id)
		switch {
		case errors.Is(err, errEmpty):
			answer.Missing = append(answer.Missing, id)
		case err != nil:
			return nil, unavailable(err)
		default:
			todo = append(todo, b)
		}
	}
	if body.IDs != nil {
		return todo, nil
	}
	after, err := cursor(body.After)
	if err != nil {
		return nil, err
	}
	err = s.queue.buried(ctx, address{body.App, body.Endpoint}, after, func(b *burial) bool {
		if len(todo) == replayMost {
			answer.More, answer.Next = true, strconv.FormatUint(todo[replayMost-1].seq, 10)
			return false
		}
		todo = append(todo, b)
		return true
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return todo, nil
}

// requeue puts events into the queue again that were given up, and then
// forgets that they were. It reports whether their endpoint is still there.
func (s *Sender) requeue(ctx context.Context, b *burial) (known bool, err error) {
	landed := s.recorder.replay(b)
	if landed == nil {
		return false, nil
	}
	select {
	case <-landed:
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
	s.metrics.replayed.Add(float64(len(b.events)))
	return true, s.queue.forget(ctx, b)
}

// replay puts the events of a burial into the outbox of their endpoint, or
// returns nil if there is none.
func (r *recorder) replay(b *burial) <-chan struct{} {
	app := r.sender.cfg.Apps.ByID(b.to.app)
	if app == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, box := range r.boxesLocked(app) {
		if box.to == b.to {
			return r.replayLocked(box, b.events)
		}
	}
	return nil
}

// testChannel is the channel of the event by which endpoints are tried.
const testChannel = "belfry-webhook-test"

// test sends one request to an endpoint at once, beside its queue, and tells
// what became of it.
func (s *Sender) test(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		App      string `json:"app"`
		Endpoint string `json:"endpoint"`
	}
	if err := errors.Join(jsonhttp.Query(r), jsonhttp.Read(r, &body)); err != nil {
		return err
	}
	app := s.cfg.Apps.ByID(body.App)
	if app == nil {
		return jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")
	}
	hook := app.Webhook(body.Endpoint)
	if body.Endpoint == "" && len(app.Webhooks) == 1 {
		hook = &app.Webhooks[0]
	}
	if hook == nil {
		return jsonhttp.Refuse(http.StatusNotFound, "The app has no such endpoint; GET %s?app=%s lists them.", APIPath, url.QueryEscape(app.ID))
	}
	if len(app.Keys) == 0 {
		return jsonhttp.Refuse(http.StatusConflict, "The app has no key to sign with.")
	}
	o := s.try(r.Context(), app, hook)
	answer := struct {
		Endpoint  string `json:"endpoint"`
		URL       string `json:"url"`
		Delivered bool   `json:"delivered"`
		Status    int    `json:"status,omitempty"`
		Error     string `json:"error,omitempty"`
		Reason    string `json:"reason,omitempty"`
		Took      int64  `json:"took_ms"`
	}{Endpoint: hook.Name(), URL: hook.Redacted(), Delivered: o.err == nil, Status: o.status, Reason: string(o.cause), Took: o.took.Milliseconds()}
	if o.err != nil {
		answer.Error = o.err.Error()
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// try sends an event of a channel that nobody uses.
func (s *Sender) try(ctx context.Context, app *apps.App, hook *apps.Webhook) outcome {
	now := time.Now()
	e := newEvent(hub.News{Kind: apps.ChannelOccupied, Channel: testChannel}, now)
	e.id = eventID{s.recorder.origin, 0}
	items := []item{{event: &e}}
	request := &request{items: items, body: body(now, items)}
	request.sign(app)
	return post(ctx, s.cfg, hook, request.body, request.header(hook))
}
