package admin

import (
	"net/http"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// maxKeys is how many pairs an app can have at once.
const maxKeys = 10

// addKey gives an app another pair of credentials. The ones that it has stay
// valid until they are revoked.
func (a *appsAPI) addKey(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	var given pair
	if err := jsonhttp.Read(r, &given); err != nil {
		return err
	}
	made := apps.NewKey(time.Now())
	if given != (pair{}) {
		if wrong := given.mistakes(""); len(wrong) > 0 {
			return refusal(wrong)
		}
		made.Key, made.Secret = given.Key, given.Secret
	}
	audit.Of(r.Context()).Target = made.Key
	revision, err := ifMatch(r)
	if err != nil {
		return err
	}
	e, err := a.apps.Update(r.Context(), r.PathValue("id"), revision, func(app *apps.App) error {
		if len(app.Keys) >= maxKeys {
			return jsonhttp.Refuse(http.StatusConflict, "The app has %d pairs already; revoke one that is not used any more.", len(app.Keys))
		}
		if slices.ContainsFunc(app.Keys, func(k apps.Key) bool { return k.Key == made.Key }) {
			return jsonhttp.Refuse(http.StatusConflict, "The app has that key already.")
		}
		app.Keys = append(app.Keys, made)
		return nil
	})
	if err != nil {
		return refusal(err)
	}
	w.Header().Set("ETag", tag(e.Revision))
	return jsonhttp.Write(w, http.StatusCreated, viewKey(made, showSecrets))
}

// revokeKey makes a pair of credentials invalid at once.
func (a *appsAPI) revokeKey(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	revision, err := ifMatch(r)
	if err != nil {
		return err
	}
	key := r.PathValue("key")
	e, err := a.apps.Update(r.Context(), r.PathValue("id"), revision, func(app *apps.App) error {
		i := slices.IndexFunc(app.Keys, func(k apps.Key) bool { return k.Key == key })
		switch {
		case i < 0:
			return jsonhttp.Refuse(http.StatusNotFound, "The app has no such key.")
		case len(app.Keys) == 1:
			return jsonhttp.Refuse(http.StatusConflict, "It is the last key of the app. Add another first, or disable or delete the app.")
		}
		app.Keys = slices.Delete(app.Keys, i, i+1)
		return nil
	})
	if err != nil {
		return refusal(err)
	}
	w.Header().Set("ETag", tag(e.Revision))
	w.WriteHeader(http.StatusNoContent)
	return nil
}
