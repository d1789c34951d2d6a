package admin

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/usage"
)

// used is what something used, whatever the time.
type used struct {
	PeakConnections int    `json:"peak_connections"`
	BackendEvents   uint64 `json:"backend_events"`
	ClientEvents    uint64 `json:"client_events"`
	Deliveries      uint64 `json:"deliveries"`
	Requests        uint64 `json:"requests"`
}

func usedOf(h usage.Hour) used {
	return used{h.PeakConnections, h.BackendEvents, h.ClientEvents, h.Deliveries, h.Requests}
}

// defaultPeriod is what is told of when nobody says from when on.
const defaultPeriod = 24 * time.Hour

// period reads from and to.
func period(r *http.Request) (from, to time.Time, err error) {
	to = time.Now().UTC().Truncate(time.Second)
	query := r.URL.Query()
	if text := query.Get("to"); text != "" {
		if to, err = time.Parse(time.RFC3339, text); err != nil {
			return from, to, jsonhttp.Refuse(http.StatusBadRequest, "to is not a time such as 2026-01-31T15:00:00Z.")
		}
	}
	from = to.Add(-defaultPeriod).Truncate(time.Hour)
	if text := query.Get("from"); text != "" {
		if from, err = time.Parse(time.RFC3339, text); err != nil {
			return from, to, jsonhttp.Refuse(http.StatusBadRequest, "from is not a time such as 2026-01-31T15:00:00Z.")
		}
	}
	if from.After(to) {
		return from, to, jsonhttp.Refuse(http.StatusBadRequest, "from is after to.")
	}
	return from, to, nil
}

func (a *appsAPI) appUsage(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "from", "to"); err != nil {
		return err
	}
	from, to, err := period(r)
	if err != nil {
		return err
	}
	e, err := a.apps.Get(r.PathValue("id"))
	if err != nil {
		return refusal(err)
	}
	hours, err := a.usage.App(r.Context(), e.App.ID, from, to)
	if err != nil {
		return refusal(err)
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		From  time.Time    `json:"from"`
		To    time.Time    `json:"to"`
		Hours []usage.Hour `json:"hours"`
		Total used         `json:"total"`
	}{from, to, hours, usedOf(usage.Total(hours))})
}

func (a *appsAPI) allUsage(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "from", "to", "after", "limit"); err != nil {
		return err
	}
	from, to, err := period(r)
	if err != nil {
		return err
	}
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	totals, err := a.usage.Totals(r.Context(), from, to)
	if err != nil {
		return refusal(err)
	}
	type appUsed struct {
		ID string `json:"id"`
		used
	}
	answer := struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
		Apps []appUsed `json:"apps"`
		Next string    `json:"next,omitempty"`
	}{From: from, To: to, Apps: []appUsed{}}
	p := access.From(r.Context())
	for _, id := range slices.Sorted(maps.Keys(totals)) {
		if id <= after || !p.Sees(id) {
			continue
		}
		if len(answer.Apps) == limit {
			answer.Next = answer.Apps[limit-1].ID
			break
		}
		answer.Apps = append(answer.Apps, appUsed{id, usedOf(totals[id])})
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}
