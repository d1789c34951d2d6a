package native

import (
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/push/devices"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/payload"
	"github.com/belfryhq/belfry/internal/push/pushapi"
)

// message is the body of every request of a client.
type message struct {
	AppKey    string    `json:"app_key"`
	Platform  string    `json:"platform_type"`
	Token     string    `json:"token"`
	Interests *[]string `json:"interests"`
}

// client answers what follows clients/.
func (h *Handler) client(w http.ResponseWriter, r *http.Request, path string) error {
	id, rest, _ := strings.Cut(path, "/")
	what, interest, _ := strings.Cut(rest, "/")
	switch {
	case id == "":
		return h.register(w, r)
	case rest == "token":
		return h.setToken(w, r, pushapi.Unescape(id))
	case what == "interests" && interest == "":
		return h.setInterests(w, r, pushapi.Unescape(id))
	case what == "interests":
		return h.subscription(w, r, pushapi.Unescape(id), pushapi.Unescape(interest))
	}
	return refuse(http.StatusNotFound, "404 NOT FOUND")
}

// open reads a request of a client and finds the app of its key.
func (h *Handler) open(r *http.Request, limit int64) (*apps.App, message, error) {
	var m message
	if wait, ok := h.cfg.Change(r); !ok {
		return nil, m, slower(wait)
	}
	if err := readBody(r, limit, &m); err != nil {
		return nil, m, err
	}
	app := h.cfg.Apps.ByKey(m.AppKey)
	if app == nil {
		return nil, m, refuse(http.StatusUnauthorized, "Unknown app_key")
	}
	return app, m, enabled(app)
}

// token checks platform and token of a message.
func (m *message) token() (notification.Platform, string, error) {
	p := notification.Platform(strings.ToLower(m.Platform))
	switch p {
	case notification.APNs:
		token := strings.ToLower(m.Token)
		if _, err := hex.DecodeString(token); err != nil || token == "" || len(token) > maxAPNsToken {
			return p, "", refuse(http.StatusBadRequest, "token is not one of APNs, which is in hexadecimal digits")
		}
		return p, token, nil
	case notification.GCM, notification.FCM:
		if m.Token == "" || len(m.Token) > maxFCMToken || strings.ContainsFunc(m.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return p, "", refuse(http.StatusBadRequest, "token is not one of FCM")
		}
		return p, m.Token, nil
	}
	return p, "", refuse(http.StatusBadRequest, "platform_type is not apns, gcm or fcm")
}

// How long tokens may be. Those of providers are far from it.
const (
	maxAPNsToken = 400
	maxFCMToken  = 4096
)

func (h *Handler) register(w http.ResponseWriter, r *http.Request) error {
	if err := method(w, r, http.MethodPost); err != nil {
		return err
	}
	if wait, ok := h.cfg.Register(r); !ok {
		return slower(wait)
	}
	app, m, err := h.open(r, maxBody)
	if err != nil {
		return err
	}
	platform, token, err := m.token()
	if err != nil {
		return err
	}
	d, err := h.cfg.Devices.Register(r.Context(), app.ID, devices.Registration{
		API: notification.Native, Platform: platform, Token: token, MaxDevices: app.Limits.PushDevices,
	})
	if err != nil {
		return err
	}
	return write(w, http.StatusCreated, struct {
		ID       string `json:"id"`
		AppKey   string `json:"pusher_app_key"`
		Platform string `json:"platform_type"`
		Token    string `json:"token"`
	}{d.ID, m.AppKey, string(platform), token})
}

func (h *Handler) setToken(w http.ResponseWriter, r *http.Request, id string) error {
	if err := method(w, r, http.MethodPut); err != nil {
		return err
	}
	app, m, err := h.open(r, maxBody)
	if err != nil {
		return err
	}
	platform, token, err := m.token()
	if err != nil {
		return err
	}
	have, err := h.device(r, app, id)
	if err != nil {
		return err
	}
	if have.Platform.Provider() != platform.Provider() {
		return refuse(http.StatusBadRequest, "the client is one of %s", have.Platform)
	}
	return done(w, h.cfg.Devices.SetToken(r.Context(), app.ID, id, token, ""))
}

// device returns a client of this API. Others have rules of their own.
func (h *Handler) device(r *http.Request, app *apps.App, id string) (devices.Device, error) {
	d, err := h.cfg.Devices.Get(r.Context(), app.ID, id)
	if err == nil && d.API != notification.Native {
		err = devices.ErrUnknown
	}
	return d, err
}

func (h *Handler) setInterests(w http.ResponseWriter, r *http.Request, id string) error {
	if err := method(w, r, http.MethodPut); err != nil {
		return err
	}
	app, m, err := h.open(r, maxInterestsBody)
	if err != nil {
		return err
	}
	if m.Interests == nil {
		return refuse(http.StatusBadRequest, "interests is missing")
	}
	if len(*m.Interests) > 0 {
		if _, err := payload.Interests(*m.Interests, devices.MaxInterests); err != nil {
			return refuse(http.StatusBadRequest, "interests %v", err)
		}
	}
	if _, err := h.device(r, app, id); err != nil {
		return err
	}
	return done(w, h.cfg.Devices.SetInterests(r.Context(), app.ID, id, *m.Interests))
}

func (h *Handler) subscription(w http.ResponseWriter, r *http.Request, id, interest string) error {
	if r.Method != http.MethodPost && r.Method != http.MethodDelete {
		w.Header().Set("Allow", "POST, DELETE")
		return refuse(http.StatusMethodNotAllowed, "This path can be asked POST and DELETE.")
	}
	app, _, err := h.open(r, maxBody)
	if err != nil {
		return err
	}
	if !payload.IsInterest(interest) {
		return refuse(http.StatusBadRequest, "the interest is not 1 to 164 of the characters A-Z a-z 0-9 _ - = @ , . ;")
	}
	if _, err := h.device(r, app, id); err != nil {
		return err
	}
	if r.Method == http.MethodDelete {
		return done(w, h.cfg.Devices.Unsubscribe(r.Context(), app.ID, id, interest))
	}
	return done(w, h.cfg.Devices.Subscribe(r.Context(), app.ID, id, interest))
}

// done answers that something was done, and nothing else.
func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
