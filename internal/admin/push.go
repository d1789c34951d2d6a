package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/push/fanout"
)

// A PushDelivery delivers push notifications.
type PushDelivery interface {
	Status(app string) ([]fanout.Status, bool)
	Try(ctx context.Context, app, device string) (fanout.Trial, error)
}

// PushRoutes are the calls that tell how the providers of push notifications take those of an app,
// and try one device. open returns nil while no app has push.
func PushRoutes(open func() PushDelivery) Routes {
	a := &pushAPI{open}
	return Routes{
		"/api/v1/push/providers": {http.MethodGet: a.providers},
		"/api/v1/push/test":      {http.MethodPost: a.test},
	}
}

type pushAPI struct{ open func() PushDelivery }

var errNoPush = jsonhttp.Refuse(http.StatusConflict, "No app has push notifications; set push.enabled of one.")

// providers tells how the platforms of an app are, on this node.
func (a *pushAPI) providers(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r, "app"); err != nil {
		return err
	}
	app := r.URL.Query().Get("app")
	if app == "" {
		return jsonhttp.Refuse(http.StatusBadRequest, "Name the app: GET /api/v1/push/providers?app=1234567.")
	}
	if !access.From(r.Context()).Sees(app) {
		return errNoApp
	}
	d := a.open()
	if d == nil {
		return errNoPush
	}
	list, ok := d.Status(app)
	if !ok {
		return errNoApp
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		App       string          `json:"app"`
		Providers []fanout.Status `json:"providers"`
	}{app, list})
}

// test sends a notification to one device at once.
func (a *pushAPI) test(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		App    string `json:"app"`
		Device string `json:"device"`
	}
	if err := errors.Join(jsonhttp.Query(r), jsonhttp.Read(r, &body)); err != nil {
		return err
	}
	entry := audit.Of(r.Context())
	entry.App, entry.Target = body.App, body.Device
	if !access.From(r.Context()).Sees(body.App) {
		return errNoApp
	}
	d := a.open()
	if d == nil {
		return errNoPush
	}
	trial, err := d.Try(r.Context(), body.App, body.Device)
	switch {
	case errors.Is(err, fanout.ErrNoApp):
		return errNoApp
	case errors.Is(err, fanout.ErrNoDevice):
		return jsonhttp.Refuse(http.StatusNotFound, "The app has no such device.")
	case err != nil:
		return err
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		Device   string `json:"device"`
		Platform string `json:"platform"`
		Accepted bool   `json:"accepted"`
		Verdict  string `json:"verdict"`
		Reason   string `json:"reason,omitempty"`
		ID       string `json:"id,omitempty"`
		Took     int64  `json:"took_ms"`
	}{body.Device, string(trial.Platform), trial.Verdict == "accepted", string(trial.Verdict), trial.Reason, trial.ID, trial.Took.Milliseconds()})
}
