package admin

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// audited writes down what a request has changed, or was to change and was refused. Of
// requests that change nothing it writes down those that show what an app sends.
func (c Config) audited(path string, p access.Principal, serve handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		draft := &audit.Entry{
			Who: p.Name, Role: p.Role, Via: p.Via, Address: p.From,
			Action: r.Method + " " + path, App: r.PathValue("id"), Target: targetOf(path, r),
		}
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if reads && showsPayloads(path, r) && p.ReadsPayloads() {
			seen := *draft
			seen.Action, seen.Target, seen.Status = audit.Payloads, "", http.StatusOK
			seen.App = cmp.Or(seen.App, r.URL.Query().Get("app"))
			c.Audit.Write(seen)
		}
		answer := &statusWriter{ResponseWriter: w}
		err := serve(answer, r.WithContext(audit.NewContext(r.Context(), draft)))
		draft.Status = cmp.Or(answer.status, http.StatusOK)
		if refused, ok := errors.AsType[*jsonhttp.Problem](err); ok {
			draft.Status = refused.Status
		}
		if !reads {
			c.Audit.Write(*draft)
		}
		return err
	}
}

// showsPayloads reports whether the answer to a request has what an app sends.
func showsPayloads(path string, r *http.Request) bool {
	switch path {
	case "/api/v1/apps/{id}/live":
		return r.URL.Query().Get("data") != "false"
	case "/api/v1/webhooks/dead-letters":
		return true
	}
	return r.URL.Query().Get("payloads") == "true"
}

// targetOf is what a path names besides the app.
func targetOf(path string, r *http.Request) string {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok && name != "id}" {
			parts = append(parts, r.PathValue(strings.TrimSuffix(name, "}")))
		}
	}
	return strings.Join(parts, " ")
}
