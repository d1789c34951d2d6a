package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/tokenstore"
	"github.com/belfryhq/belfry/internal/usage"
)

// A handler serves one call of the API and returns its refusals.
type handler func(http.ResponseWriter, *http.Request) error

// methods are what a path can be asked.
type methods map[string]handler

// Routes are calls of the API, by their paths.
type Routes map[string]methods

// AppRoutes are the calls about apps and their use. The tokens lose the apps that are
// deleted, and dropDevices removes their push devices; nil is none.
func AppRoutes(store *appstore.Store, recorder *usage.Recorder, tokens *tokenstore.Store, dropDevices func(ctx context.Context, app string) error, snippets Snippets) Routes {
	a := &appsAPI{apps: store, usage: recorder, tokens: tokens, dropDevices: dropDevices, snippets: snippets}
	return Routes{
		"/api/v1/apps":                 {http.MethodGet: a.listApps, http.MethodPost: a.createApp},
		"/api/v1/apps/{id}":            {http.MethodGet: a.showApp, http.MethodPatch: a.updateApp, http.MethodDelete: a.deleteApp},
		"/api/v1/apps/{id}/keys":       {http.MethodPost: a.addKey},
		"/api/v1/apps/{id}/keys/{key}": {http.MethodDelete: a.revokeKey},
		"/api/v1/apps/{id}/snippets":   {http.MethodGet: a.showSnippets},
		"/api/v1/apps/{id}/usage":      {http.MethodGet: a.appUsage},
		"/api/v1/usage":                {http.MethodGet: a.allUsage},
		"/api/v1/settings":             {http.MethodGet: listSettings},
	}
}

// WitnessRoutes are the same and those about webhooks, on a node that knows of no
// apps and says so.
func WitnessRoutes() Routes {
	none := func(http.ResponseWriter, *http.Request) error {
		return jsonhttp.Refuse(http.StatusNotFound, "This node is a witness, which knows of no apps; ask another one.")
	}
	routes := AppRoutes(nil, nil, nil, nil, nil)
	for _, m := range routes {
		for method := range m {
			m[method] = none
		}
	}
	inside := methods{http.MethodGet: none, http.MethodPost: none, http.MethodDelete: none}
	routes["/api/v1/apps/{id}/"] = inside
	webhooks := methods{http.MethodGet: none, http.MethodPost: none}
	routes["/api/v1/webhooks"], routes["/api/v1/webhooks/"] = webhooks, webhooks
	return routes
}

// api is the handler of everything below /api/.
func (c Config) api() http.Handler {
	k := &clusterAPI{status: c.Cluster, remove: c.RemoveNode}
	d := &drain{begin: c.Drain, progress: c.Draining, since: time.Now().UTC()}
	mux := http.NewServeMux()
	for _, routes := range []Routes{c.API, {
		"/api/v1/audit":          {http.MethodGet: c.listAudit},
		"/api/v1/cluster":        {http.MethodGet: k.show},
		"/api/v1/cluster/remove": {http.MethodPost: k.removeNode},
		"/api/v1/drain":          {http.MethodGet: d.show, http.MethodPost: d.start},
		"/api/v1/node":           {http.MethodGet: c.showNode},
		"/api/":                  nil,
	}} {
		for path, m := range routes {
			mux.Handle(path, c.guarded(path, jsonhttp.Handler(c.Log, m.serve)))
		}
	}
	for path, part := range c.Parts {
		below := strings.TrimSuffix(path, "/") + "/"
		mux.Handle(path, c.guarded(path, part))
		mux.Handle(below, c.guarded(below, part))
	}
	return mux
}

// serve calls the handler of the request's method.
func (m methods) serve(w http.ResponseWriter, r *http.Request) error {
	h := m[r.Method]
	if r.Method == http.MethodHead {
		h = m[http.MethodGet]
	}
	switch {
	case h != nil:
		return h(w, r)
	case m == nil:
		return jsonhttp.Refuse(http.StatusNotFound, "There is nothing at this path; /openapi.yaml says what there is.")
	}
	var allow []string
	for method := range m {
		allow = append(allow, method)
	}
	slices.Sort(allow)
	w.Header().Set("Allow", strings.Join(allow, ", "))
	return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked %s.", strings.Join(allow, ", "))
}

// appsAPI has what the calls about apps work on.
type appsAPI struct {
	apps  *appstore.Store
	usage *usage.Recorder

	tokens      *tokenstore.Store                           // nil: there are none
	dropDevices func(ctx context.Context, app string) error // nil: there are none
	snippets    Snippets                                    // nil: there are none
}

// refusal turns an error of the parts below into what the caller is told.
func refusal(err error) error {
	if m, ok := errors.AsType[apps.Mistakes](err); ok {
		p := &jsonhttp.Problem{
			Title:  http.StatusText(http.StatusUnprocessableEntity),
			Status: http.StatusUnprocessableEntity,
			Detail: "There are mistakes in the settings.",
		}
		for _, mistake := range m {
			p.Mistakes = append(p.Mistakes, jsonhttp.Mistake{Name: mistake.Setting, Text: mistake.Text})
		}
		return p
	}
	for _, known := range []struct {
		err    error
		status int
		detail string
	}{
		{apps.ErrNotObject, http.StatusBadRequest, "The body is not a JSON object."},
		{appstore.ErrUnknown, http.StatusNotFound, "There is no such app."},
		{appstore.ErrExists, http.StatusConflict, "There is an app with that id."},
		{appstore.ErrKeyTaken, http.StatusConflict, "Another app has that key."},
		{appstore.ErrInstanceTaken, http.StatusConflict, "Another app has that push.instance_id."},
		{appstore.ErrReadOnly, http.StatusConflict, "The app stands in the configuration of the service; change it there."},
		{appstore.ErrBusy, http.StatusServiceUnavailable, "Others changed the app in the same moment, again and again. Nothing was changed; try again."},
		{appstore.ErrRevision, http.StatusPreconditionFailed, "The app was changed meanwhile; look at it and try again."},
	} {
		if errors.Is(err, known.err) {
			return jsonhttp.Refuse(known.status, "%s", known.detail)
		}
	}
	if errors.Is(err, appstore.ErrUnavailable) || errors.Is(err, usage.ErrUnavailable) {
		return &jsonhttp.Problem{
			Title:  http.StatusText(http.StatusServiceUnavailable),
			Status: http.StatusServiceUnavailable,
			Detail: "The engine does not answer, or its disk is full. Connected clients are not affected. Whether the change was made is not known.",
			Err:    err,
		}
	}
	return err
}
