package admin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// Attempted has it written down that somebody logged in or out, or showed a token that is
// not known.
func Attempted(log *audit.Log) func(access.Attempt) {
	return func(a access.Attempt) {
		e := audit.Entry{Who: a.Name, Role: a.Role, Via: a.Via, Address: a.From, Status: http.StatusOK}
		switch a.What {
		case access.Login:
			e.Action = audit.Login
		case access.Logout:
			e.Action = audit.Logout
		default:
			e.Action = audit.WrongToken
		}
		if a.Refused {
			e.Status = http.StatusUnauthorized
		}
		log.Write(e)
	}
}

// listAudit lists what was done, the newest first.
func (c Config) listAudit(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "app", "who", "after", "limit"); err != nil {
		return err
	}
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	q := audit.Query{App: r.URL.Query().Get("app"), Who: r.URL.Query().Get("who")}
	if q.Before, err = strconv.ParseUint("0"+after, 10, 64); err != nil {
		return jsonhttp.Refuse(http.StatusBadRequest, "after is not what the last answer had as next.")
	}
	if c.Audit == nil {
		return jsonhttp.Refuse(http.StatusNotFound, "This node writes nothing down.")
	}
	list, next, err := c.Audit.List(r.Context(), q, limit)
	if err != nil {
		return unavailable(err)
	}
	answer := struct {
		At      time.Time     `json:"at"`
		Entries []audit.Entry `json:"entries"`
		Next    string        `json:"next,omitempty"`
	}{At: time.Now().UTC(), Entries: append([]audit.Entry{}, list...)}
	if next != 0 {
		answer.Next = strconv.FormatUint(next, 10)
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}
