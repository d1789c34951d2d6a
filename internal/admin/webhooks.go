package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/webhook"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// WebhookRoutes are the calls that tell how endpoints are, list what was given
// up for them and replay it, and try them.
func WebhookRoutes(sender *webhook.Sender) Routes {
	a := &webhooksAPI{sender}
	return Routes{
		"/api/v1/webhooks":              {http.MethodGet: a.listEndpoints},
		"/api/v1/webhooks/dead-letters": {http.MethodGet: a.listDeadLetters},
		"/api/v1/webhooks/replay":       {http.MethodPost: a.replay},
		"/api/v1/webhooks/test":         {http.MethodPost: a.test},
	}
}

// webhooksAPI has what the calls about webhooks work on.
type webhooksAPI struct{ sender *webhook.Sender }

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
func (a *webhooksAPI) view(app *apps.App, w *apps.Webhook) endpointView {
	s := a.sender.Status(queue.Address{App: app.ID, Endpoint: w.Name()})
	v := endpointView{
		App: app.ID, Endpoint: w.Name(), URL: w.Redacted(), Events: w.Events.Names(), State: string(s.State), QueuedBytes: s.QueuedBytes, Failures: s.Failures,
		LastSuccess: stamp(s.LastSuccess), LastFailure: stamp(s.LastFailure), LastStatus: s.LastStatus, LastError: s.LastError,
	}
	if !s.Oldest.IsZero() {
		v.Oldest = max(time.Since(s.Oldest), 0).Round(time.Millisecond).Seconds()
	}
	return v
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// listEndpoints lists the endpoints of the apps, ordered by app.
func (a *webhooksAPI) listEndpoints(w http.ResponseWriter, r *http.Request) error {
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
	only, p := r.URL.Query().Get("app"), access.From(r.Context())
	if only != "" && (a.sender.App(only) == nil || !p.Sees(only)) {
		return errNoApp
	}
	last := ""
	for _, app := range a.sender.Apps() {
		if app.ID <= after || !p.Sees(app.ID) || only != "" && app.ID != only || len(app.Webhooks) == 0 {
			continue
		}
		if len(answer.Endpoints) >= limit {
			answer.Next = last
			break
		}
		for i := range app.Webhooks {
			v := a.view(app, &app.Webhooks[i])
			if !p.Role.AtLeast(access.AppAdmin) {
				v.URL = apps.HostOnly(v.URL)
			}
			answer.Endpoints = append(answer.Endpoints, v)
		}
		last = app.ID
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// A deadLetterView is what an operator is told of events that were given up.
type deadLetterView struct {
	ID       uint64       `json:"id"`
	App      string       `json:"app"`
	Endpoint string       `json:"endpoint"`
	Host     string       `json:"host,omitempty"`
	Reason   queue.Reason `json:"reason"`
	Status   int          `json:"status,omitempty"`
	Error    string       `json:"error,omitempty"`
	Attempts int          `json:"attempts"`
	At       string       `json:"at"`
	Events   []eventView  `json:"events"`
}

// An eventView is one event as it stands in requests, and its id.
type eventView struct {
	ID    string          `json:"id"`
	Event json.RawMessage `json:"event"`
}

// hides reports whether an app shows nobody what it sends. One that is gone may have done so.
func (a *webhooksAPI) hides(id string) bool {
	app := a.sender.App(id)
	return app == nil || app.HidePayloads
}

// withoutPayload is the event of a request without what was sent.
func withoutPayload(event json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(event, &members) != nil {
		return json.RawMessage("{}")
	}
	delete(members, "data")
	text, err := json.Marshal(members)
	if err != nil {
		panic(err) // they were just read
	}
	return text
}

func viewOf(d *queue.DeadLetter, hidden bool) deadLetterView {
	v := deadLetterView{ID: d.Seq, App: d.To.App, Endpoint: d.To.Endpoint, Host: d.Host, Reason: d.Reason, Status: d.Status,
		Error: d.Err, Attempts: d.Attempts, At: stamp(time.UnixMilli(d.At))}
	for i := range d.Events {
		body := json.RawMessage(d.Events[i].Body)
		if hidden {
			body = withoutPayload(body)
		}
		v.Events = append(v.Events, eventView{d.Events[i].ID.String(), body})
	}
	return v
}

// listDeadLetters lists what was given up, the oldest first.
func (a *webhooksAPI) listDeadLetters(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "app", "endpoint", "after", "limit"); err != nil {
		return err
	}
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	from, err := deadLetterID(after)
	if err != nil {
		return err
	}
	answer := struct {
		DeadLetters []deadLetterView `json:"dead_letters"`
		Next        string           `json:"next,omitempty"`
	}{DeadLetters: []deadLetterView{}}
	q := r.URL.Query()
	if err := namesApp(r, q.Get("app")); err != nil {
		return err
	}
	err = a.sender.DeadLetters().List(r.Context(), queue.Address{App: q.Get("app"), Endpoint: q.Get("endpoint")}, from, func(d *queue.DeadLetter) bool {
		if len(answer.DeadLetters) == limit {
			answer.Next = strconv.FormatUint(answer.DeadLetters[limit-1].ID, 10)
			return false
		}
		answer.DeadLetters = append(answer.DeadLetters, viewOf(d, a.hides(d.To.App)))
		return true
	})
	if err != nil {
		return unavailable(err)
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// namesApp refuses what is about all apps, or about one that the caller does not see.
func namesApp(r *http.Request, app string) error {
	p := access.From(r.Context())
	switch {
	case app == "" && !p.SeesAll():
		return jsonhttp.Refuse(http.StatusForbidden, "This is about all apps, and %s sees only some; name one as app.", p.Name)
	case app != "" && !p.Sees(app):
		return errNoApp
	}
	return nil
}

func unavailable(err error) error {
	return &jsonhttp.Problem{Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
		Detail: "The engine does not answer, or its disk is full.", Err: err}
}

// deadLetterID reads the id after which something goes on; nothing is the
// beginning.
func deadLetterID(after string) (uint64, error) {
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
func (a *webhooksAPI) replay(w http.ResponseWriter, r *http.Request) error {
	var body replayRequest
	if err := errors.Join(jsonhttp.Query(r), jsonhttp.Read(r, &body)); err != nil {
		return err
	}
	entry := audit.Of(r.Context())
	entry.App, entry.Target = body.App, body.Endpoint
	switch {
	case len(body.IDs) > replayMost:
		return jsonhttp.Refuse(http.StatusBadRequest, "ids has more than %d elements.", replayMost)
	case body.IDs != nil && body.After != "":
		return jsonhttp.Refuse(http.StatusBadRequest, "after is for what is not named by ids.")
	}
	if body.IDs == nil || body.App != "" {
		if err := namesApp(r, body.App); err != nil {
			return err
		}
	}
	var answer replayAnswer
	todo, err := a.toReplay(r.Context(), &body, &answer)
	if err != nil {
		return err
	}
	for _, d := range todo {
		known, err := a.sender.Replay(r.Context(), d)
		switch {
		case err != nil:
			return unavailable(err)
		case !known:
			answer.Skipped = append(answer.Skipped, d.Seq)
		default:
			answer.Replayed++
			answer.Events += len(d.Events)
		}
	}
	entry.Detail = fmt.Sprintf("replayed %d", answer.Replayed)
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// toReplay returns what is asked for, and notes in the answer what is missing
// and where to go on.
func (a *webhooksAPI) toReplay(ctx context.Context, body *replayRequest, answer *replayAnswer) (todo []*queue.DeadLetter, err error) {
	for _, id := range body.IDs {
		d, err := a.sender.DeadLetters().Get(ctx, id)
		switch {
		case err != nil && !errors.Is(err, queue.ErrEmpty):
			return nil, unavailable(err)
		case err != nil || !access.From(ctx).Sees(d.To.App):
			answer.Missing = append(answer.Missing, id)
		default:
			todo = append(todo, d)
		}
	}
	if body.IDs != nil {
		return todo, nil
	}
	after, err := deadLetterID(body.After)
	if err != nil {
		return nil, err
	}
	err = a.sender.DeadLetters().List(ctx, queue.Address{App: body.App, Endpoint: body.Endpoint}, after, func(d *queue.DeadLetter) bool {
		if len(todo) == replayMost {
			answer.More, answer.Next = true, strconv.FormatUint(todo[replayMost-1].Seq, 10)
			return false
		}
		todo = append(todo, d)
		return true
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return todo, nil
}

// test sends one request to an endpoint at once, beside its queue, and tells
// what became of it.
func (a *webhooksAPI) test(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		App      string `json:"app"`
		Endpoint string `json:"endpoint"`
	}
	if err := errors.Join(jsonhttp.Query(r), jsonhttp.Read(r, &body)); err != nil {
		return err
	}
	entry := audit.Of(r.Context())
	entry.App, entry.Target = body.App, body.Endpoint
	app := a.sender.App(body.App)
	if app == nil || !access.From(r.Context()).Sees(app.ID) {
		return errNoApp
	}
	hook := app.Webhook(body.Endpoint)
	if body.Endpoint == "" && len(app.Webhooks) == 1 {
		hook = &app.Webhooks[0]
	}
	if hook == nil {
		return jsonhttp.Refuse(http.StatusNotFound, "The app has no such endpoint; GET /api/v1/webhooks?app=%s lists them.", url.QueryEscape(app.ID))
	}
	if len(app.Keys) == 0 {
		return jsonhttp.Refuse(http.StatusConflict, "The app has no key to sign with.")
	}
	trial := a.sender.Try(r.Context(), app, hook)
	answer := struct {
		Endpoint  string `json:"endpoint"`
		URL       string `json:"url"`
		Delivered bool   `json:"delivered"`
		Status    int    `json:"status,omitempty"`
		Error     string `json:"error,omitempty"`
		Reason    string `json:"reason,omitempty"`
		Took      int64  `json:"took_ms"`
	}{Endpoint: hook.Name(), URL: hook.Redacted(), Delivered: trial.Err == nil, Status: trial.Status, Reason: trial.Reason, Took: trial.Took.Milliseconds()}
	if trial.Err != nil {
		answer.Error = trial.Err.Error()
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}
