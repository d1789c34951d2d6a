package beams

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/internal/push/devices"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/payload"
)

// maxReportBody is how large a report may be.
const maxReportBody = 4 << 10

// event is the body of a report. What is not named is ignored.
type event struct {
	Event     string      `json:"event"`
	PublishID string      `json:"publishId"`
	Device    string      `json:"deviceId"`
	At        json.Number `json:"timestampSecs"`
	User      *string     `json:"userId"` // whose it is, the device knows
}

// report takes what a device says of a notification. Anybody can make reports up, so only
// those count that are of a publish of ours and a device of the instance. Others are
// answered as if they did: the device can do nothing about it.
func (c *call) report() error {
	if c.rest != "events" {
		return errPath
	}
	if err := c.method(http.MethodPost); err != nil {
		return err
	}
	if wait, ok := c.cfg.Change(c.r); !ok {
		return slower(wait)
	}
	var e event
	if err := c.read(maxReportBody, &e); err != nil {
		return err
	}
	for name, value := range map[string]string{"event": e.Event, "publishId": e.PublishID, "deviceId": e.Device, "timestampSecs": e.At.String()} {
		if value == "" {
			return badRequest("The member %s is missing.", name)
		}
	}
	kind := strings.ToLower(e.Event)
	if kind != "delivery" && kind != "open" {
		return badRequest("The member event is neither delivery nor open.")
	}
	if !payload.Made(c.app.Push.SecretKey, e.PublishID, c.cfg.Now()) {
		return c.done(nil)
	}
	d, err := c.cfg.Devices.Get(c.r.Context(), c.app.ID, e.Device)
	if errors.Is(err, devices.ErrUnknown) || err == nil && d.API != notification.Beams {
		return c.done(nil)
	}
	if err != nil {
		return err
	}
	return c.done(c.cfg.Report(c.r.Context(), c.app, Report{PublishID: e.PublishID, Device: d.ID, User: d.User, Opened: kind == "open"}))
}
