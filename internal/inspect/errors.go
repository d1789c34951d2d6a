package inspect

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/faults"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// An errorView is what an operator is told of faults of one cause.
type errorView struct {
	From    faults.Party         `json:"from"`
	Cause   faults.Cause         `json:"cause"`
	Detail  string               `json:"detail"`
	Total   uint64               `json:"total"`
	Counts  [faults.Hours]uint64 `json:"counts"` // by the hour; the last is the one that Until begins
	Until   time.Time            `json:"until"`
	First   time.Time            `json:"first"`
	Last    time.Time            `json:"last"`
	Example exampleView          `json:"example"`
	Advice  string               `json:"advice,omitempty"`
}

// An exampleView says on which node it was.
type exampleView struct {
	faults.Example
	Node string `json:"node"`
}

// row is the view as package faults adds it up.
func (v *errorView) row() faults.Row {
	return faults.Row{
		From: v.From, Cause: v.Cause, Detail: v.Detail, Counts: v.Counts, Until: v.Until, First: v.First, Last: v.Last, Example: v.Example.Example,
	}
}

func (a *API) viewError(r *faults.Row) errorView {
	v := errorView{
		From: r.From, Cause: r.Cause, Detail: r.Detail, Total: r.Total(), Counts: r.Counts, Until: r.Until.UTC(),
		First: r.First.UTC(), Last: r.Last.UTC(), Example: exampleView{r.Example, a.cfg.Node}, Advice: faults.Advice(r.From, r.Cause),
	}
	v.Example.At = v.Example.At.UTC()
	return v
}

// localErrors are those of this node: of an app or, without one, of requests that
// name no app that there is.
func (a *API) localErrors(_ *http.Request, app *apps.App) (any, error) {
	id := ""
	if app != nil {
		id = app.ID
	}
	list := []errorView{}
	for _, r := range a.cfg.Faults.Rows(id) {
		list = append(list, a.viewError(&r))
	}
	return list, nil
}

func (a *API) listErrors(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	lists, nodes, err := everywhere[[]errorView](a, r, app, "/errors", a.localErrors)
	if err != nil {
		return err
	}
	merged, p := mergeErrors(lists), access.From(r.Context())
	for i := range merged {
		v := &merged[i]
		v.Example.Address = p.Address(v.Example.Address)
		if app == nil {
			continue
		}
		if hint := whoseSecret(app, v.Example.Text); hint != "" {
			v.Advice = hint + " " + v.Advice
		}
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		At     time.Time   `json:"at"`
		Errors []errorView `json:"errors"`
		Nodes  []nodeView  `json:"nodes"`
	}{time.Now().UTC(), merged, nodes})
}

// maxErrors is how many rows of all nodes are told.
const maxErrors = 1000

// mergeErrors adds up what nodes have counted of the same.
func mergeErrors(lists [][]errorView) []errorView {
	type key struct {
		from          faults.Party
		cause, detail string
	}
	known := map[key]int{}
	merged := []errorView{}
	for _, list := range lists {
		for _, v := range list {
			k := key{v.From, string(v.Cause), v.Detail}
			i, ok := known[k]
			if !ok {
				known[k] = len(merged)
				merged = append(merged, v)
				continue
			}
			have := &merged[i]
			sum, other := have.row(), v.row()
			if sum.Add(&other); sum.Example.At.Equal(v.Example.At) {
				have.Example = v.Example
			}
			have.Counts, have.Until, have.First, have.Last, have.Total = sum.Counts, sum.Until, sum.First, sum.Last, sum.Total()
		}
	}
	slices.SortStableFunc(merged, func(x, y errorView) int { return cmp.Compare(y.Total, x.Total) })
	return merged[:min(len(merged), maxErrors)]
}
