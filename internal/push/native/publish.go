package native

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/payload"
	"github.com/belfryhq/belfry/internal/push/pushapi"
)

// server answers what follows apps/.
func (h *Handler) server(w http.ResponseWriter, r *http.Request, path string) error {
	id, rest, _ := strings.Cut(path, "/")
	if rest != "notifications" {
		return refuse(http.StatusNotFound, "404 NOT FOUND")
	}
	if err := method(w, r, http.MethodPost); err != nil {
		return err
	}
	if h.cfg.Apps.ByID(pushapi.Unescape(id)) == nil {
		return refuse(http.StatusNotFound, "There is no such app.")
	}
	app, body, err := h.cfg.Verify(r, pushapi.Unescape(id), maxBody)
	if err != nil {
		return err
	}
	if err := enabled(app); err != nil {
		return err
	}
	if wait, ok := h.cfg.Admit(app); !ok {
		return slower(wait)
	}
	p, err := h.read(app, body)
	if err != nil {
		return err
	}
	n := h.cfg.Devices.Count(app.ID, p.Audience)
	if err := h.cfg.Publish.Publish(r.Context(), p); err != nil {
		return err
	}
	return write(w, http.StatusAccepted, struct {
		Subscribers int `json:"number_of_subscribers"`
	}{n})
}

// request is the body of a publish. What is not named is ignored.
type request struct {
	Interests    []string        `json:"interests"`
	APNs         json.RawMessage `json:"apns"`
	GCM          json.RawMessage `json:"gcm"`
	FCM          json.RawMessage `json:"fcm"`
	WebhookURL   string          `json:"webhook_url"`
	WebhookLevel string          `json:"webhook_level"`
}

// read checks a request as a whole.
func (h *Handler) read(app *apps.App, body []byte) (*notification.Publish, error) {
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, refuse(http.StatusBadRequest, "The body is not a JSON object with interests and apns, gcm or fcm.")
	}
	interests, err := payload.Interests(q.Interests, maxInterests)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "interests %v", err)
	}
	back, err := q.callback()
	if err != nil {
		return nil, err
	}
	now := h.cfg.Now()
	p := &notification.Publish{
		ID: payload.NewID(app.Push.SecretKey, now), App: app.ID, API: notification.Native,
		Audience: notification.Audience{Interests: interests}, Accepted: now, Callback: back,
	}
	make := payload.Request{
		APNs: q.APNs, GCM: q.GCM, FCM: q.FCM, API: notification.Native,
		InstanceID: app.Push.InstanceID, PublishID: p.ID, Accepted: now,
	}
	if p.Notifications, err = make.Notifications(); err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	if len(p.Notifications) == 0 {
		return nil, refuse(http.StatusBadRequest, "GCM or APNS data must be provided")
	}
	return p, nil
}

// callback is who hears what becomes of a publish.
func (q *request) callback() (c notification.Callback, err error) {
	level := notification.Level(strings.ToUpper(q.WebhookLevel))
	switch {
	case q.WebhookURL == "" && q.WebhookLevel != "":
		return c, refuse(http.StatusBadRequest, "webhook_level is given without webhook_url")
	case q.WebhookURL == "":
		return c, nil
	case level == "":
		level = notification.Info
	case level != notification.Info && level != notification.Debug:
		return c, refuse(http.StatusBadRequest, "webhook_level is neither INFO nor DEBUG")
	}
	u, err := url.Parse(q.WebhookURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return c, refuse(http.StatusBadRequest, "webhook_url is not a URL of http or https")
	}
	return notification.Callback{URL: q.WebhookURL, Level: level}, nil
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body) // who does not listen any more can not be told either
	return nil
}
