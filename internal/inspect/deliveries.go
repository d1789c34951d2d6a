package inspect

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// Deliveries are what is sent to the endpoints of apps.
type Deliveries interface {
	// History is what this node has sent.
	History() *sent.Log
	// Redeliver sends a request once more that is in the history, and reports
	// whether it is there.
	Redeliver(ctx context.Context, id string) (delivery.Trial, bool)
}

// bodiesShown reports whether an operator may see what webhooks of an app say, and
// what endpoints answer.
func bodiesShown(app *apps.App) bool { return !app.HidePayloads }

// A deliveryView is what an operator is told of a request to an endpoint.
type deliveryView struct {
	ID       string       `json:"id"`
	Node     string       `json:"node"` // that sent it
	Endpoint string       `json:"endpoint"`
	URL      string       `json:"url"`
	Began    time.Time    `json:"began"`
	State    sent.State   `json:"state"`
	Events   []sent.Event `json:"events"`
	Count    int          `json:"event_count"`
	Attempts int          `json:"attempts"`
	Last     *attemptView `json:"last,omitempty"` // absent until there is an outcome
}

// An attemptView is what an operator is told of an attempt at a request.
type attemptView struct {
	Number int          `json:"number"`
	At     time.Time    `json:"at"`
	Manual bool         `json:"manual,omitempty"`
	Status int          `json:"status,omitempty"`
	Reason string       `json:"reason,omitempty"`
	Error  string       `json:"error,omitempty"`
	Took   int64        `json:"took_ms"`
	Header []sent.Field `json:"headers,omitempty"`
	Answer *string      `json:"answer,omitempty"` // its beginning; absent if it is not shown
	More   bool         `json:"answer_cut,omitempty"`
}

// A deliveryDetail is all of it.
type deliveryDetail struct {
	deliveryView
	Header []sent.Field  `json:"headers"`
	Body   *string       `json:"body,omitempty"` // absent if it is not shown
	Tries  []attemptView `json:"tries"`          // the last of the attempts
}

func viewAttempt(t *sent.Try) attemptView {
	return attemptView{Number: t.Number, At: t.At, Manual: t.Manual, Status: t.Status, Reason: t.Cause, Error: t.Error, Took: t.Took.Milliseconds()}
}

func (a *API) viewDelivery(r *sent.Request) deliveryView {
	v := deliveryView{ID: r.ID, Node: a.cfg.Node, Endpoint: r.To.Endpoint, URL: r.URL, Began: r.Began, State: r.State, Events: r.Events, Count: len(r.Events), Attempts: r.Attempts}
	if n := len(r.Tries); n > 0 {
		last := viewAttempt(&r.Tries[n-1])
		v.Last = &last
	}
	return v
}

// tell makes the view what somebody is told: the path of an endpoint may be a secret
// of who changes it.
func (v *deliveryView) tell(who access.Principal) {
	if !who.Role.AtLeast(access.AppAdmin) {
		v.URL = apps.HostOnly(v.URL)
	}
}

// place is where the delivery stands in the list.
func (v *deliveryView) place() sent.Place { return sent.Place{Began: v.Began, ID: v.ID} }

// A deliveryPage is a part of a list of requests.
type deliveryPage struct {
	Deliveries []deliveryView `json:"deliveries"`
	Next       string         `json:"next,omitempty"`
}

// cursor is what after is for what comes behind a place.
func cursor(p sent.Place) string { return p.Began.UTC().Format(time.RFC3339Nano) + "_" + p.ID }

// readCursor reads what cursor has written. Nothing is the beginning.
func readCursor(text string) (p sent.Place, err error) {
	if text == "" {
		return p, nil
	}
	began, id, found := strings.Cut(text, "_")
	if p.Began, err = time.Parse(time.RFC3339Nano, began); err != nil || !found {
		return p, jsonhttp.Refuse(http.StatusBadRequest, "after is not what the last answer had as next.")
	}
	p.ID = id
	return p, nil
}

// deliveryFilter reads by what a list is filtered.
func deliveryFilter(r *http.Request, app *apps.App) (f sent.Filter, limit int, err error) {
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return f, 0, err
	}
	q := r.URL.Query()
	f = sent.Filter{App: app.ID, Endpoint: q.Get("endpoint"), State: sent.State(q.Get("state")), Event: q.Get("event"), Channel: q.Get("channel")}
	if f.State != "" && !slices.Contains(sent.States, f.State) {
		return f, 0, jsonhttp.Refuse(http.StatusBadRequest, "state is none of waiting, delivered, dead_letter and split.")
	}
	f.Before, err = readCursor(after)
	return f, limit, err
}

// maxListedEvents is how many events of a request stand in a list.
const maxListedEvents = 10

func (a *API) localDeliveries(r *http.Request, app *apps.App) (any, error) {
	f, limit, err := deliveryFilter(r, app)
	if err != nil {
		return nil, err
	}
	list, more := a.cfg.Webhooks.History().List(f, limit)
	page := deliveryPage{Deliveries: []deliveryView{}}
	for i := range list {
		v := a.viewDelivery(&list[i])
		v.Events = v.Events[:min(len(v.Events), maxListedEvents)]
		page.Deliveries = append(page.Deliveries, v)
	}
	if more {
		page.Next = cursor(list[limit-1].Place())
	}
	return page, nil
}

func (a *API) listDeliveries(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, "endpoint", "state", "event", "channel", "after", "limit"); err != nil {
		return err
	}
	_, limit, err := deliveryFilter(r, app)
	if err != nil {
		return err
	}
	pages, nodes, err := everywhere[deliveryPage](a, r, app, "/deliveries", a.localDeliveries)
	if err != nil {
		return err
	}
	page := mergeDeliveries(pages, limit)
	for i := range page.Deliveries {
		page.Deliveries[i].tell(access.From(r.Context()))
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		At time.Time `json:"at"`
		deliveryPage
		Nodes []nodeView `json:"nodes"`
	}{time.Now().UTC(), page, nodes})
}

// mergeDeliveries makes one page of those of all nodes. No request is on two.
func mergeDeliveries(pages []deliveryPage, limit int) deliveryPage {
	merged := deliveryPage{Deliveries: []deliveryView{}}
	more := false
	for _, p := range pages {
		merged.Deliveries = append(merged.Deliveries, p.Deliveries...)
		more = more || p.Next != ""
	}
	slices.SortFunc(merged.Deliveries, func(x, y deliveryView) int { return x.place().Compare(y.place()) })
	if len(merged.Deliveries) > limit {
		merged.Deliveries, more = merged.Deliveries[:limit], true
	}
	// What comes behind the end of a node's page is not known, but each page has
	// as many as this one.
	if more && len(merged.Deliveries) > 0 {
		merged.Next = cursor(merged.Deliveries[len(merged.Deliveries)-1].place())
	}
	return merged
}

// sent is the request of this node that is asked for, or nil.
func (a *API) sent(r *http.Request, app *apps.App) *sent.Request {
	_, found := a.cfg.Webhooks.History().Get(r.PathValue("delivery"))
	if found == nil || found.To.App != app.ID {
		return nil
	}
	return found
}

// localDelivery is a request of this node, or nil.
func (a *API) localDelivery(r *http.Request, app *apps.App) (any, error) {
	found := a.sent(r, app)
	if found == nil {
		return (*deliveryDetail)(nil), nil
	}
	shown := r.URL.Query().Get("payloads") == "true" && bodiesShown(app)
	v := &deliveryDetail{deliveryView: a.viewDelivery(found), Header: found.Header, Tries: []attemptView{}}
	if v.Header == nil {
		v.Header = []sent.Field{}
	}
	if shown {
		body := string(found.Body)
		v.Body = &body
	}
	for i := range found.Tries {
		t := &found.Tries[i]
		attempt := viewAttempt(t)
		attempt.Header = t.Header
		if shown && t.Status != 0 {
			answer := strings.ToValidUTF8(string(t.Answer), "\ufffd")
			attempt.Answer, attempt.More = &answer, t.More
		}
		v.Tries = append(v.Tries, attempt)
	}
	return v, nil
}

// noDelivery refuses because no node has the request, as far as they have answered.
func noDelivery(nodes []nodeView, unsure string) error {
	for _, n := range nodes {
		if !n.Answered {
			return jsonhttp.Refuse(http.StatusServiceUnavailable, "%s %s, and no other node remembers the request.%s", n.Name, n.Problem, unsure)
		}
	}
	return jsonhttp.Refuse(http.StatusNotFound, "No node remembers this request. Of an endpoint the last 1,000 are remembered, while the node runs.")
}

func (a *API) showDelivery(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, "payloads"); err != nil {
		return err
	}
	if _, err := wantsPayloads(r, app); err != nil {
		return err
	}
	found, nodes, err := everywhere[*deliveryDetail](a, r, app, "/deliveries/"+url.PathEscape(r.PathValue("delivery")), a.localDelivery)
	if err != nil {
		return err
	}
	for _, v := range found {
		if v != nil {
			v.tell(access.From(r.Context()))
			return jsonhttp.Write(w, http.StatusOK, v)
		}
	}
	return noDelivery(nodes, "")
}

// localRedelivery sends a request of this node once more, and says what became of
// that, or nil. Peers ask for it like for a list: nobody but nodes comes this way.
func (a *API) localRedelivery(r *http.Request, app *apps.App) (any, error) {
	none := (*attemptView)(nil)
	found := a.sent(r, app)
	if found == nil {
		return none, nil
	}
	trial, known := a.cfg.Webhooks.Redeliver(r.Context(), found.ID)
	if !known {
		return none, nil
	}
	v := &attemptView{Number: found.Attempts + 1, At: time.Now().UTC(), Manual: true, Status: trial.Status, Reason: trial.Reason, Took: trial.Took.Milliseconds()}
	if trial.Err != nil {
		v.Error = trial.Err.Error()
	}
	a.log.InfoContext(context.WithoutCancel(r.Context()), "a webhook was sent again by an operator", "app", app.ID, "endpoint", found.To.Endpoint, "delivery", found.ID, "status", trial.Status)
	return v, nil
}

func (a *API) redeliver(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	if err := jsonhttp.Read(r, &struct{}{}); err != nil {
		return err
	}
	found, nodes, err := everywhere[*attemptView](a, r, app, "/redeliver/"+url.PathEscape(r.PathValue("delivery")), a.localRedelivery)
	if err != nil {
		return err
	}
	for _, v := range found {
		if v != nil {
			return jsonhttp.Write(w, http.StatusOK, v)
		}
	}
	return noDelivery(nodes, " It may have been sent again; look at it in a while.")
}
