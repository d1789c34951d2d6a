package admin

import (
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// A rule says who may make a call.
type rule struct {
	least access.Role
	about about
}

// about says which apps a call is about. A call whose path names one, {id}, is about
// that, and who does not see the app is told that there is none.
type about int

const (
	wholeService about = iota // all apps, or none in particular: for those who see all apps
	appInPath
	appsSeen // the handler tells of, and changes, only apps that the caller sees
	noApp    // nothing of any app is told
)

// rules are who may make which call. What is not here is for operators. A test
// holds the table against openapi.yaml, and asks every call in every role.
var rules = map[string]rule{
	"GET /api/v1/node": {access.Viewer, noApp},

	"GET /api/v1/settings": {access.Viewer, noApp},

	"GET /api/v1/apps":                         {access.Viewer, appsSeen},
	"POST /api/v1/apps":                        {access.Operator, wholeService},
	"GET /api/v1/apps/{id}":                    {access.Viewer, appInPath},
	"PATCH /api/v1/apps/{id}":                  {access.AppAdmin, appInPath},
	"DELETE /api/v1/apps/{id}":                 {access.Operator, appInPath},
	"POST /api/v1/apps/{id}/keys":              {access.AppAdmin, appInPath},
	"DELETE /api/v1/apps/{id}/keys/{key}":      {access.AppAdmin, appInPath},
	"GET /api/v1/apps/{id}/key-uses":           {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/snippets":           {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/now":                {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/usage":              {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/usage/minutes":      {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/errors":             {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/channels":           {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/connections":        {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/users":              {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/users/{user}":       {access.Viewer, appInPath},
	"POST /api/v1/apps/{id}/events":            {access.Developer, appInPath},
	"POST /api/v1/apps/{id}/batch_events":      {access.Developer, appInPath},
	"POST /api/v1/apps/{id}/diagnostics/sign":  {access.Developer, appInPath},
	"POST /api/v1/apps/{id}/diagnostics/check": {access.Developer, appInPath},
	"GET /api/v1/apps/{id}/live":               {access.Developer, appInPath},
	"GET /api/v1/apps/{id}/explain":            {access.Developer, appInPath},
	"GET /api/v1/apps/{id}/timeline":           {access.Developer, appInPath},
	"GET /api/v1/apps/{id}/channels/{channel}": {access.Viewer, appInPath},

	"GET /api/v1/apps/{id}/channels/{channel}/history": {access.Developer, appInPath},

	"GET /api/v1/apps/{id}/connections/{socket}":    {access.Viewer, appInPath},
	"DELETE /api/v1/apps/{id}/connections/{socket}": {access.AppAdmin, appInPath},
	"POST /api/v1/apps/{id}/users/{user}/terminate": {access.AppAdmin, appInPath},

	"GET /api/v1/apps/{id}/webhooks/deliveries":                       {access.Viewer, appInPath},
	"GET /api/v1/apps/{id}/webhooks/deliveries/{delivery}":            {access.Viewer, appInPath},
	"POST /api/v1/apps/{id}/webhooks/deliveries/{delivery}/redeliver": {access.AppAdmin, appInPath},

	"GET /api/v1/now":                   {access.Viewer, appsSeen},
	"GET /api/v1/usage":                 {access.Viewer, appsSeen},
	"GET /api/v1/errors":                {access.Operator, wholeService}, // of requests that name no app
	"GET /api/v1/webhooks":              {access.Viewer, appsSeen},
	"GET /api/v1/webhooks/dead-letters": {access.Developer, appsSeen},
	"POST /api/v1/webhooks/replay":      {access.AppAdmin, appsSeen},
	"POST /api/v1/webhooks/test":        {access.AppAdmin, appsSeen},
	"GET /api/v1/push/providers":        {access.Viewer, appsSeen},
	"POST /api/v1/push/test":            {access.AppAdmin, appsSeen},

	"GET /api/v1/tokens":           {access.Operator, wholeService},
	"POST /api/v1/tokens":          {access.Operator, wholeService},
	"DELETE /api/v1/tokens/{name}": {access.Operator, wholeService},

	"GET /api/v1/audit": {access.Operator, wholeService},

	"GET /api/v1/cluster":         {access.Operator, wholeService},
	"POST /api/v1/cluster/remove": {access.Operator, wholeService},
	"GET /api/v1/drain":           {access.Operator, wholeService},
	"POST /api/v1/drain":          {access.Operator, wholeService},
}

// final are the calls that can not be undone: whoever makes them from a session has
// logged in lately, so that a screen that was left alone is not enough.
var final = map[string]bool{
	"DELETE /api/v1/apps/{id}":                      true,
	"DELETE /api/v1/apps/{id}/keys/{key}":           true,
	"DELETE /api/v1/apps/{id}/connections/{socket}": true,
	"POST /api/v1/apps/{id}/users/{user}/terminate": true,
	"DELETE /api/v1/tokens/{name}":                  true,
	"POST /api/v1/cluster/remove":                   true,
	"POST /api/v1/drain":                            true,
}

// errStale asks for another login. The console knows it by its title.
var errStale = &jsonhttp.Problem{
	Title: "Log in again", Status: http.StatusForbidden,
	Detail: "This can not be undone, and you have logged in more than 15 minutes ago. Give the token again.",
}

// ruleOf is the rule of a call; the one for operators if there is none.
func ruleOf(method, path string) rule {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if r, ok := rules[method+" "+path]; ok {
		return r
	}
	return rule{access.Operator, wholeService}
}

var errNoApp = jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")

// guarded lets those through to the handler of a path who may ask it, and has written
// down what they change.
func (c Config) guarded(path string, next http.Handler) http.Handler {
	return jsonhttp.Handler(c.Log, func(w http.ResponseWriter, r *http.Request) error {
		p, rule := access.From(r.Context()), ruleOf(r.Method, path)
		serve := func(w http.ResponseWriter, r *http.Request) error {
			switch {
			case !p.Role.AtLeast(rule.least):
				return jsonhttp.Refuse(http.StatusForbidden, "This is for the role %s; %s has the role %s.", rule.least, p.Name, p.Role)
			case strings.Contains(path, "{id}"):
				if !p.Sees(r.PathValue("id")) {
					return errNoApp
				}
			case rule.about == wholeService && !p.SeesAll():
				return jsonhttp.Refuse(http.StatusForbidden, "This is about all apps; %s sees only some.", p.Name)
			}
			if p.Stale && final[r.Method+" "+path] {
				return errStale
			}
			next.ServeHTTP(w, r)
			return nil
		}
		if c.Audit == nil {
			return serve(w, r)
		}
		return c.audited(path, p, serve)(w, r)
	})
}
