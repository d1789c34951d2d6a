package httpapi

import (
	"errors"
	"net/http"

	"github.com/belfryhq/belfry/internal/apps"
)

// Verify returns the app that has signed a request of another API, and its body, which it
// reads up to a limit. The app is one that may be called appID, and the signature is that
// of this API, over the path as it came. If the request is refused, it returns the status
// and a line for the caller; then err is set.
func (a *Handler) Verify(r *http.Request, appID string, limit int64) (app *apps.App, body []byte, status int, err error) {
	c := &call{r: r, began: a.now(), appID: appID, route: routeEvents}
	c.path, c.query = requestLine(r)
	err = a.authenticate(c)
	if err == nil {
		err = c.readBody(limit)
	}
	if err == nil {
		err = c.checkBodyHash()
	}
	if err == nil {
		return c.app, c.body, 0, nil
	}
	refused, ok := errors.AsType[*statusError](err)
	if !ok {
		return nil, nil, http.StatusInternalServerError, errors.New("internal error")
	}
	status = refused.status
	if status == a.unknownKey && c.app == nil && refused.message == unknownKey {
		status = http.StatusUnauthorized
	}
	return nil, nil, status, errors.New(refused.message)
}
