package inspect

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// A keptView is what an operator is told of an event in the history of a channel.
type keptView struct {
	Name   string          `json:"name"`
	At     time.Time       `json:"time"` // when it was published
	Bytes  int             `json:"bytes"`
	Place  string          `json:"place"` // as a position that ends with it
	User   string          `json:"user,omitempty"`
	Except string          `json:"except,omitempty"` // who did not get it
	Data   json.RawMessage `json:"data,omitempty"`
}

// An historyView is a page of a history, or why there is none: what a client is told
// that comes back with the position.
type historyView struct {
	At       time.Time      `json:"at"`
	Reason   history.Reason `json:"reason,omitempty"`
	Events   []keptView     `json:"events"`
	Position string         `json:"position"` // behind the page, in its direction
	More     bool           `json:"more"`
}

// showHistory tells what is kept of a channel. The peers that have published there are
// asked as for a client that comes back.
func (a *API) showHistory(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, "payloads", "direction", "after", "limit"); err != nil {
		return err
	}
	payloads, err := wantsPayloads(r, app)
	if err != nil {
		return err
	}
	q, err := historyQuery(r)
	if err != nil {
		return err
	}
	answer := historyView{At: time.Now().UTC(), Events: []keptView{}}
	page, reason, err := a.cfg.Hub.History(r.Context(), app, r.PathValue("channel"), q)
	switch {
	case errors.Is(err, hub.ErrNoHistory):
		return jsonhttp.Refuse(http.StatusNotFound, "No history is kept of this channel: history.enabled of the app is off, or history.channel_prefixes leaves it out.")
	case errors.Is(err, hub.ErrSilentPeers):
		w.Header().Set("Retry-After", "1")
		return jsonhttp.Refuse(http.StatusServiceUnavailable, "Nodes that may have more of this history have not answered; try again.")
	case err != nil:
		return err
	}
	answer.Reason, answer.Position, answer.More = reason, page.Position.String(), page.More
	for _, e := range page.Events {
		answer.Events = append(answer.Events, viewKept(e, payloads))
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// historyQuery reads the parameters. Without a direction it is from later events to
// earlier ones.
func historyQuery(r *http.Request) (q history.Query, err error) {
	var after string
	if after, q.Limit, err = jsonhttp.Page(r); err != nil {
		return q, err
	}
	switch r.URL.Query().Get("direction") {
	case "", "backwards":
		q.Backwards = true
	case "forwards":
	default:
		return q, jsonhttp.Refuse(http.StatusBadRequest, "direction is neither forwards nor backwards.")
	}
	if after == "" {
		return q, nil
	}
	var ok bool
	if q.After, ok = history.ParsePosition(after); !ok {
		return q, jsonhttp.Refuse(http.StatusBadRequest, "after is not a position, as clients and this answer have them.")
	}
	q.GoingOn = true
	return q, nil
}

func viewKept(e history.Event, payloads bool) keptView {
	var message struct {
		Event  string          `json:"event"`
		UserID string          `json:"user_id"`
		Data   json.RawMessage `json:"data"`
	}
	_ = json.Unmarshal(e.Frame.Message(), &message) // which was made here
	v := keptView{
		Name: message.Event, At: e.At.UTC(), Bytes: len(message.Data), Place: history.Position{e.Mark}.String(), User: message.UserID,
	}
	if !e.Except.IsZero() {
		v.Except = e.Except.String()
	}
	if payloads {
		v.Data = message.Data
	}
	return v
}
