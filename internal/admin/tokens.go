package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/tokenstore"
)

// TokenRoutes are the calls that make, list and revoke named tokens. Known reports
// whether there is an app of that id.
func TokenRoutes(store *tokenstore.Store, known func(app string) bool) Routes {
	a := &tokensAPI{store, known}
	return Routes{
		"/api/v1/tokens":        {http.MethodGet: a.list, http.MethodPost: a.create},
		"/api/v1/tokens/{name}": {http.MethodDelete: a.revoke},
	}
}

// tokensAPI has what the calls about named tokens work on.
type tokensAPI struct {
	store *tokenstore.Store
	known func(app string) bool
}

// A tokenView is what an operator is told of a token.
type tokenView struct {
	tokenstore.Grant
	Expired bool      `json:"expired"`
	Used    time.Time `json:"last_used,omitzero"`
	Token   string    `json:"token,omitempty"` // only where it was made
}

func (a *tokensAPI) list(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	list, err := a.store.List()
	if err != nil {
		return tokenRefusal(err)
	}
	answer := struct {
		Tokens []tokenView `json:"tokens"`
	}{[]tokenView{}}
	for _, e := range list {
		answer.Tokens = append(answer.Tokens, tokenView{Grant: e.Grant, Expired: e.Expired, Used: e.Used.UTC().Truncate(time.Second)})
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

func (a *tokensAPI) create(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	var body struct {
		Name    string      `json:"name"`
		Role    access.Role `json:"role"`
		Apps    []string    `json:"apps"`
		Expires time.Time   `json:"expires"`
	}
	if err := jsonhttp.Read(r, &body); err != nil {
		return err
	}
	if body.Role == access.Operator && body.Apps == nil {
		body.Apps = []string{access.AllApps}
	}
	if !body.Expires.IsZero() && !body.Expires.After(time.Now()) {
		return tokenRefusal(&tokenstore.Mistake{Member: "expires", Text: "is over"})
	}
	for _, id := range body.Apps {
		if id != access.AllApps && !a.known(id) {
			return tokenRefusal(&tokenstore.Mistake{Member: "apps", Text: "names an app that there is not"})
		}
	}
	entry := audit.Of(r.Context())
	entry.Target, entry.Detail = body.Name, fmt.Sprintf("%s for %s", body.Role, strings.Join(body.Apps, " "))
	secret, made, err := a.store.Create(r.Context(), tokenstore.Grant{
		Name: body.Name, Role: body.Role, Apps: body.Apps, Expires: body.Expires.UTC(), By: access.From(r.Context()).Name,
	})
	if err != nil {
		return tokenRefusal(err)
	}
	w.Header().Set("Location", "/api/v1/tokens/"+url.PathEscape(made.Name))
	return jsonhttp.Write(w, http.StatusCreated, tokenView{Grant: made, Token: secret})
}

func (a *tokensAPI) revoke(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	if err := a.store.Revoke(r.Context(), r.PathValue("name")); err != nil {
		return tokenRefusal(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tokenRefusal turns an error of the store into what the caller is told.
func tokenRefusal(err error) error {
	if m, ok := errors.AsType[*tokenstore.Mistake](err); ok {
		return refusal(apps.Mistakes{{Setting: m.Member, Text: m.Text}})
	}
	switch {
	case errors.Is(err, tokenstore.ErrUnknown):
		return jsonhttp.Refuse(http.StatusNotFound, "There is no such token.")
	case errors.Is(err, tokenstore.ErrExists):
		return jsonhttp.Refuse(http.StatusConflict, "There is a token of that name; revoke it, or take another.")
	case errors.Is(err, tokenstore.ErrTooMany):
		return jsonhttp.Refuse(http.StatusConflict, "There are %d tokens, which is all that there can be; revoke some.", tokenstore.MaxTokens)
	case errors.Is(err, tokenstore.ErrUnavailable):
		return &jsonhttp.Problem{Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
			Detail: "The engine does not answer, or its disk is full. Whether the change was made is not known.", Err: err}
	}
	return err
}
