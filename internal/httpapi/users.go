package httpapi

import (
	"net/http"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// listUsers answers GET /apps/{app_id}/channels/{channel_name}/users: who is
// present.
func (a *Handler) listUsers(c *call) (answer, error) {
	if err := c.checkExtraneous(); err != nil {
		return answer{}, err
	}
	if !protocol.KindOf(c.target).Presence() {
		return answer{}, badRequest("Users can only be retrieved for presence channels")
	}
	if err := checkChannel(c.app, c.target); err != nil {
		return answer{}, err
	}
	out := append(c.out[:0], `{"users":[`...)
	for i, id := range a.hub.Users(c.app, c.target) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"id":`...)
		out = rawjson.AppendString(out, id)
		out = append(out, '}')
	}
	c.out = append(out, "]}"...)
	return answer{status: http.StatusOK, body: c.out}, nil
}

// terminate answers POST /apps/{app_id}/users/{user_id}/terminate_connections.
// Libraries send various bodies, none of which means anything.
func (a *Handler) terminate(c *call) (answer, error) {
	if err := c.checkExtraneous(); err != nil {
		return answer{}, err
	}
	if !validUserID(c.target) {
		return answer{}, badRequest("Invalid user id: " + printable(c.target))
	}
	a.hub.Terminate(c.app, c.target)
	return emptyObject, nil
}
