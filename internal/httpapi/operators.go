package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// Paths of the admin API at which operators trigger events.
const (
	OperatorsEvents = "/api/v1/apps/{id}/events"
	OperatorsBatch  = "/api/v1/apps/{id}/batch_events"
)

// Operators are the parts of the admin API by which operators trigger events, by
// their paths. They take the bodies that backends send, and refuse what backends
// are refused. They ask nobody who he is.
//
// What an operator tries out is no fault of the app, so refusals are told to
// nobody else.
func (a *Handler) Operators() map[string]http.Handler {
	return map[string]http.Handler{
		OperatorsEvents: a.operator(routeEvents),
		OperatorsBatch:  a.operator(routeBatch),
	}
}

// operator answers at one of the paths.
func (a *Handler) operator(rt *route) http.Handler {
	return jsonhttp.Handler(a.log, func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked POST.")
		}
		if err := jsonhttp.Query(r); err != nil {
			return err
		}
		c := a.calls.Get().(*call)
		defer func() {
			c.reset()
			a.calls.Put(c)
		}()
		c.r, c.route = r, rt
		done, err := a.serveOperator(c)
		if err == nil {
			return jsonhttp.Write(w, http.StatusOK, done)
		}
		if _, ok := errors.AsType[*jsonhttp.Problem](err); ok {
			return err
		}
		ans := a.refusal(c, err)
		if ans.header == "Retry-After" {
			w.Header().Set(ans.header, ans.value)
		}
		return jsonhttp.Refuse(ans.status, "%s", strings.TrimSpace(string(ans.body)))
	})
}

// An outcome is what an operator is told of events that are on their way.
type outcome struct {
	IDs       []string        `json:"event_ids"` // in the order of the events
	Here      int             `json:"here"`      // subscriptions on this node
	Elsewhere int             `json:"elsewhere"` // subscriptions on others, as far as they had told
	Answer    json.RawMessage `json:"answer"`    // of the HTTP API
}

// serveOperator takes a request of an operator through the steps behind the
// signature.
func (a *Handler) serveOperator(c *call) (*outcome, error) {
	if c.app = a.apps.ByID(c.r.PathValue("id")); c.app == nil {
		return nil, jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")
	}
	body, err := jsonhttp.Body(c.r)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > a.maxBody {
		return nil, errBodySize(a.maxBody)
	}
	c.body = body
	if c.app.Disabled {
		return nil, errAppDisabled
	}
	ans, err := c.route.serve(a, c)
	if err != nil {
		return nil, err
	}
	done := &outcome{IDs: []string{}, Here: c.receipt.Here, Elsewhere: c.receipt.Elsewhere, Answer: json.RawMessage(string(ans.body))}
	for id := c.receipt.ID; len(done.IDs) < min(c.receipt.Events, maxNamed); id.Number++ {
		done.IDs = append(done.IDs, id.String())
	}
	a.log.InfoContext(c.r.Context(), "events were triggered by an operator", "app", c.app.ID, "events", c.receipt.Events, "event_id", c.receipt.ID.String())
	return done, nil
}
