package admin

import (
	"net/http"
	"net/url"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// A Snippet is lines of code that connect an application to the service.
type Snippet struct {
	Title string `json:"title"` // for whom it is
	File  string `json:"file"`  // where it goes
	Code  string `json:"code"`
}

// Snippets makes the lines for an app that is reached at a URL. They have no
// secret in them.
type Snippets func(app *apps.App, at *url.URL) []Snippet

func (a *appsAPI) showSnippets(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "url"); err != nil {
		return err
	}
	at, err := url.Parse(r.URL.Query().Get("url"))
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Hostname() == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "" {
		return jsonhttp.Refuse(http.StatusBadRequest, "url is not the address of clients and backends, such as https://belfry.example or http://10.0.0.7:6001.")
	}
	e, err := a.apps.Get(r.PathValue("id"))
	if err != nil {
		return refusal(err)
	}
	answer := struct {
		Snippets []Snippet `json:"snippets"`
	}{[]Snippet{}}
	if a.snippets != nil {
		answer.Snippets = a.snippets(e.App, &url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path})
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}
