package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/rest"
	"github.com/belfryhq/belfry/internal/usage"
)

// A handler serves one call of the API and returns its refusals.
type handler func(http.ResponseWriter, *http.Request) error

// methods are what a path can be asked.
type methods map[string]handler

// api is the handler of everything below /api/.
func (c Config) api() http.Handler {
	a := &api{apps: c.Apps, usage: c.Usage}
	mux := http.NewServeMux()
	for path, m := range map[string]methods{
		"/api/v1/apps":                 {http.MethodGet: a.listApps, http.MethodPost: a.createApp},
		"/api/v1/apps/{id}":            {http.MethodGet: a.showApp, http.MethodPatch: a.updateApp, http.MethodDelete: a.deleteApp},
		"/api/v1/apps/{id}/keys":       {http.MethodPost: a.addKey},
		"/api/v1/apps/{id}/keys/{key}": {http.MethodDelete: a.revokeKey},
		"/api/v1/apps/{id}/usage":      {http.MethodGet: a.appUsage},
		"/api/v1/usage":                {http.MethodGet: a.allUsage},
		"/api/":                        nil,
	} {
		mux.Handle(path, rest.Handler(c.Log, m.serve))
	}
	for path, part := range c.Parts {
		mux.Handle(path, part)
		mux.Handle(strings.TrimSuffix(path, "/")+"/", part)
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
		return rest.Refuse(http.StatusNotFound, "There is nothing at this path; /openapi.yaml says what there is.")
	}
	var allow []string
	for method := range m {
		allow = append(allow, method)
	}
	slices.Sort(allow)
	w.Header().Set("Allow", strings.Join(allow, ", "))
	return rest.Refuse(http.StatusMethodNotAllowed, "This path can be asked %s.", strings.Join(allow, ", "))
}

// api has what the calls work on.
type api struct {
	apps  *appstore.Store
	usage *usage.Recorder
}

// refusal turns an error of the parts below into what the caller is told.
func refusal(err error) error {
	if m, ok := errors.AsType[apps.Mistakes](err); ok {
		p := &rest.Problem{
			Title:  http.StatusText(http.StatusUnprocessableEntity),
			Status: http.StatusUnprocessableEntity,
			Detail: "There are mistakes in the settings.",
		}
		for _, mistake := range m {
			p.Mistakes = append(p.Mistakes, rest.Mistake{Name: mistake.Setting, Text: mistake.Text})
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
		{appstore.ErrReadOnly, http.StatusConflict, "The app stands in the configuration of the service; change it there."},
		{appstore.ErrRevision, http.StatusPreconditionFailed, "The app was changed meanwhile; look at it and try again."},
	} {
		if errors.Is(err, known.err) {
			return rest.Refuse(known.status, "%s", known.detail)
		}
	}
	if errors.Is(err, appstore.ErrUnavailable) || errors.Is(err, usage.ErrUnavailable) {
		return &rest.Problem{
			Title:  http.StatusText(http.StatusServiceUnavailable),
			Status: http.StatusServiceUnavailable,
			Detail: "The engine does not answer, or its disk is full. Connected clients are not affected. Whether the change was made is not known.",
			Err:    err,
		}
	}
	return err
}
