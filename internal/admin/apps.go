package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

func (a *appsAPI) listApps(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "after", "limit"); err != nil {
		return err
	}
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	p := access.From(r.Context())
	list, more := a.apps.List(after, limit, p.Sees)
	answer := struct {
		Apps []json.RawMessage `json:"apps"`
		Next string            `json:"next,omitempty"`
	}{Apps: []json.RawMessage{}}
	for _, e := range list {
		answer.Apps = append(answer.Apps, view(e, hideSecrets, p))
	}
	if more {
		answer.Next = list[len(list)-1].App.ID
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

func (a *appsAPI) showApp(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	e, err := a.apps.Get(r.PathValue("id"))
	if err != nil {
		return refusal(err)
	}
	return write(w, r, http.StatusOK, e, hideSecrets)
}

func (a *appsAPI) createApp(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	body, err := jsonhttp.Body(r)
	if err != nil {
		return err
	}
	app := apps.New()
	if body != nil {
		if err := setNew(app, body); err != nil {
			return refusal(err)
		}
		if err := complete(app, nil); err != nil {
			return refusal(err)
		}
	}
	e, err := a.apps.Create(r.Context(), app)
	if err != nil {
		return refusal(err)
	}
	entry := audit.Of(r.Context())
	entry.App, entry.Detail = e.App.ID, apps.Changes(apps.New(), e.App)
	w.Header().Set("Location", "/api/v1/apps/"+url.PathEscape(e.App.ID))
	return write(w, r, http.StatusCreated, e, showSecrets)
}

// setNew reads the settings of an app that is to be made, and its keys if they
// are brought along.
func setNew(app *apps.App, body []byte) error {
	var wrong apps.Mistakes
	err := app.Set(body, func(name string, value []byte) bool {
		if name != "keys" {
			return false
		}
		var pairs []pair
		if json.Unmarshal(value, &pairs) != nil {
			wrong = append(wrong, apps.Mistake{Setting: "keys", Text: "is not a list of pairs: [{\"key\": …, \"secret\": …}]"})
		}
		for i, p := range pairs {
			wrong = append(wrong, p.mistakes(fmt.Sprintf("keys[%d].", i))...)
			if slices.ContainsFunc(app.Keys, func(k apps.Key) bool { return k.Key == p.Key }) {
				wrong = append(wrong, apps.Mistake{Setting: fmt.Sprintf("keys[%d].key", i), Text: "stands twice"})
			}
			app.Keys = append(app.Keys, apps.Key{Key: p.Key, Secret: p.Secret})
		}
		if len(pairs) > maxKeys {
			wrong = append(wrong, apps.Mistake{Setting: "keys", Text: fmt.Sprintf("has more than %d pairs", maxKeys)})
		}
		return true
	})
	if m, ok := errors.AsType[apps.Mistakes](err); ok {
		return append(m, wrong...)
	}
	if err == nil && len(wrong) > 0 {
		return wrong
	}
	return err
}

func (a *appsAPI) updateApp(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	body, err := jsonhttp.Body(r, "application/json", "application/merge-patch+json")
	if err != nil {
		return err
	}
	revision, err := ifMatch(r)
	if err != nil {
		return err
	}
	e, err := a.apps.Update(r.Context(), r.PathValue("id"), revision, func(app *apps.App) error {
		if body == nil {
			return apps.ErrNotObject
		}
		before := *app
		id := app.ID
		if err := app.Set(body, nil); err != nil {
			return err
		}
		audit.Of(r.Context()).Detail = apps.Changes(&before, app)
		if app.ID != id {
			return apps.Mistakes{{Setting: "id", Text: "can not be changed; make another app"}}
		}
		return complete(app, &before)
	})
	if err != nil {
		return refusal(err)
	}
	return write(w, r, http.StatusOK, e, hideSecrets)
}

// complete gives endpoints and secrets that come back as they were told what was hidden
// of the app before; nil if there was none.
func complete(app, before *apps.App) error {
	var webhooks []apps.Webhook
	if before != nil {
		webhooks = before.Webhooks
	}
	wrong := apps.RestoreHidden(app.Webhooks, webhooks)
	for i := range wrong {
		wrong[i].Setting = "webhooks" + wrong[i].Setting
	}
	wrong = append(wrong, apps.RestoreSecrets(app, before)...)
	if wrong = append(wrong, apps.CheckPush(app)...); len(wrong) > 0 {
		return wrong
	}
	return nil
}

func (a *appsAPI) deleteApp(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	revision, err := ifMatch(r)
	if err != nil {
		return err
	}
	if err := a.apps.Delete(r.Context(), r.PathValue("id"), revision); err != nil {
		return refusal(err)
	}
	if a.tokens != nil {
		if err := a.tokens.DropApp(r.Context(), r.PathValue("id")); err != nil {
			return &jsonhttp.Problem{Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
				Detail: "The app is deleted, but named tokens for it may be left: revoke them before there is another app of this id.", Err: err}
		}
	}
	if a.dropDevices != nil {
		if err := a.dropDevices(r.Context(), r.PathValue("id")); err != nil {
			return &jsonhttp.Problem{Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
				Detail: "The app is deleted, but push devices of it may be left: do not make another app of this id.", Err: err}
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ifMatch returns the revision that the caller wants to change, or zero if he
// does not mind.
func ifMatch(r *http.Request) (uint64, error) {
	text := strings.TrimSpace(r.Header.Get("If-Match"))
	if text == "" || text == "*" {
		return 0, nil
	}
	quoted, ok := strings.CutPrefix(text, `"`)
	revision, err := strconv.ParseUint(strings.TrimSuffix(quoted, `"`), 10, 64)
	if !ok || err != nil || revision == 0 {
		return 0, refusal(appstore.ErrRevision)
	}
	return revision, nil
}

func tag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// write answers with an app.
func write(w http.ResponseWriter, r *http.Request, status int, e appstore.Entry, s secrets) error {
	if e.Revision != 0 {
		w.Header().Set("ETag", tag(e.Revision))
	}
	return jsonhttp.Write(w, status, view(e, s, access.From(r.Context())))
}
