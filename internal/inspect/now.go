package inspect

import (
	"net/http"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/faults"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/usage"
)

// Recent is what apps used lately, on this node.
type Recent interface {
	// LastMinute is what an app used in the last minute that is over.
	LastMinute(app string) usage.Slot
	// Recent is what an app used, by the minute or by five. Nil says that it is
	// not known.
	Recent(app string, five bool) []usage.Slot
}

// A nowView is what is told of an app as it is now.
type nowView struct {
	ID          string     `json:"id"`
	Connections int        `json:"connections"`
	Minute      usage.Slot `json:"last_minute"`
	Errors      uint64     `json:"errors_hour"` // since the last full hour, and in the hour before
}

func (v *nowView) add(o nowView) {
	v.Connections += o.Connections
	v.Minute.Add(o.Minute)
	v.Errors += o.Errors
}

func (a *API) viewNow(app *apps.App) nowView {
	v := nowView{ID: app.ID, Connections: a.cfg.Hub.ConnectionsHere(app), Minute: a.cfg.Usage.LastMinute(app.ID)}
	for _, r := range a.cfg.Faults.Rows(app.ID) {
		v.Errors += r.Counts[faults.Hours-1] + r.Counts[faults.Hours-2]
	}
	return v
}

// parameterOnly names the apps that are asked for, between nodes; all if there is none.
const parameterOnly = "only"

// localNows are the apps of a page. All nodes know the same apps, so the pages of all
// have the same.
func (a *API) localNows(r *http.Request, _ *apps.App) (any, error) {
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return nil, err
	}
	list := []nowView{}
	only := r.URL.Query()[parameterOnly]
	for _, app := range a.cfg.Apps.All() {
		if app.ID <= after || len(only) > 0 && !slices.Contains(only, app.ID) {
			continue
		}
		if len(list) == limit+1 { // the last says that there are more
			break
		}
		list = append(list, a.viewNow(app))
	}
	return list, nil
}

// onlySeen is the question about those apps that the caller sees.
func onlySeen(r *http.Request) *http.Request {
	p := access.From(r.Context())
	if p.SeesAll() {
		return r
	}
	values := r.URL.Query()
	values[parameterOnly] = append([]string{""}, p.Apps...) // with one that no app has: there may be none
	r = r.Clone(r.Context())
	r.URL.RawQuery = values.Encode()
	return r
}

func (a *API) listNow(w http.ResponseWriter, r *http.Request, _ *apps.App) error {
	if err := jsonhttp.Query(r, "after", "limit"); err != nil {
		return err
	}
	_, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	lists, nodes, err := everywhere[[]nowView](a, onlySeen(r), nil, "/now", a.localNows)
	if err != nil {
		return err
	}
	answer := struct {
		At    time.Time  `json:"at"`
		Apps  []nowView  `json:"apps"`
		Next  string     `json:"next,omitempty"`
		Nodes []nodeView `json:"nodes"`
	}{At: time.Now().UTC(), Apps: lists[0], Nodes: nodes}
	if len(answer.Apps) > limit {
		answer.Apps = answer.Apps[:limit]
		answer.Next = answer.Apps[limit-1].ID
	}
	known := map[string]int{}
	for i := range answer.Apps {
		known[answer.Apps[i].ID] = i
	}
	for _, list := range lists[1:] {
		for _, v := range list {
			if i, ok := known[v.ID]; ok {
				answer.Apps[i].add(v)
			}
		}
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// An appNow is what is told of one app.
type appNow struct {
	nowView
	Channels      int `json:"channels"` // that are occupied, on any node
	Subscriptions int `json:"subscriptions"`
}

func (a *API) localNow(_ *http.Request, app *apps.App) (any, error) {
	v := appNow{nowView: a.viewNow(app)}
	v.Channels, v.Subscriptions = a.cfg.Hub.Occupied(app)
	return v, nil
}

func (a *API) showNow(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	views, nodes, err := everywhere[appNow](a, r, app, "/now", a.localNow)
	if err != nil {
		return err
	}
	sum := views[0] // whose channels are those of all nodes
	for _, v := range views[1:] {
		sum.add(v.nowView)
		sum.Subscriptions += v.Subscriptions
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		At time.Time `json:"at"`
		appNow
		Nodes []nodeView `json:"nodes"`
	}{time.Now().UTC(), sum, nodes})
}

// steps are how long a slot of usage is, by the parameter of the list.
var steps = map[string]bool{"": false, "1": false, "5": true}

func (a *API) localMinutes(r *http.Request, app *apps.App) (any, error) {
	return a.cfg.Usage.Recent(app.ID, steps[r.URL.Query().Get("step")]), nil
}

func (a *API) listMinutes(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, "step"); err != nil {
		return err
	}
	step := r.URL.Query().Get("step")
	if _, known := steps[step]; !known {
		return jsonhttp.Refuse(http.StatusBadRequest, "step is neither 1 nor 5, which are minutes.")
	}
	lists, nodes, err := everywhere[[]usage.Slot](a, r, app, "/usage/minutes", a.localMinutes)
	if err != nil {
		return err
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		At    time.Time    `json:"at"`
		Slots []usage.Slot `json:"slots"`
		Nodes []nodeView   `json:"nodes"`
	}{time.Now().UTC(), mergeSlots(lists), nodes})
}

// mergeSlots adds up what nodes have of the same time. The list begins where that of
// the node does that knows the most.
func mergeSlots(lists [][]usage.Slot) []usage.Slot {
	merged := []usage.Slot{}
	for _, list := range lists {
		if len(list) > 0 && (len(merged) == 0 || list[0].At.Before(merged[0].At)) {
			merged, list = list, merged
		}
		at := map[time.Time]int{}
		for i := range merged {
			at[merged[i].At.UTC()] = i
		}
		for _, s := range list {
			if i, ok := at[s.At.UTC()]; ok {
				merged[i].Add(s)
			} else {
				merged = append(merged, s) // of a clock that is ahead
			}
		}
	}
	return merged
}
