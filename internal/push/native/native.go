// Package native serves the push API of 2016: backends publish with the signature of the
// HTTP API, and installations register themselves with the public key of the app.
//
// Backends and clients of that time may use any of its names of hosts, so paths alone
// tell what is asked for. What is refused has had no effect. The package takes no locks.
package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/mount"
	"github.com/belfryhq/belfry/internal/push/devices"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/pushapi"
)

const (
	// maxBody is how large a request may be, but for a list of interests.
	maxBody = 10 << 10
	// maxInterestsBody is how large a list of interests may be.
	maxInterestsBody = 1 << 20
	// maxInterests is how many interests one notification may name.
	maxInterests = 10
)

// Devices are where installations are kept.
type Devices interface {
	Register(ctx context.Context, app string, r devices.Registration) (devices.Device, error)
	Get(ctx context.Context, app, id string) (devices.Device, error)
	SetToken(ctx context.Context, app, id, token, vapidKey string) error
	Subscribe(ctx context.Context, app, id, interest string) error
	Unsubscribe(ctx context.Context, app, id, interest string) error
	SetInterests(ctx context.Context, app, id string, interests []string) error
	Count(app string, of notification.Audience) int
}

// Config is what the API stands on. All fields are required but those that say otherwise.
type Config struct {
	Apps    *apps.Registry
	Devices Devices
	Publish notification.Publisher
	// Verify returns the app that has signed a request, and the body, which it reads up
	// to a limit. An error that is a [*Refusal] is told to the caller.
	Verify func(r *http.Request, appID string, limit int64) (*apps.App, []byte, error)
	// Admit returns how long an app has to wait until it may publish again, or false.
	Admit func(app *apps.App) (wait time.Duration, ok bool)
	// Register and Change return how long a client has to wait until it may register,
	// or change something.
	Register, Change func(*http.Request) (wait time.Duration, ok bool)
	// Secure reports whether a request came over TLS. RequireTLS refuses others.
	Secure     func(*http.Request) bool
	RequireTLS bool
	Path       string // prefix in front of all paths, as in "/realtime"; may be empty

	Log *slog.Logger     // nil: no log
	Now func() time.Time // nil: time.Now
}

// A Handler answers the API. It is immutable.
type Handler struct {
	cfg   Config
	mount mount.Point
}

// New returns a handler.
func New(cfg Config) *Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Handler{cfg: cfg, mount: mount.At(cfg.Path)}
}

// A Refusal is an error that the caller is told.
type Refusal struct {
	Status     int
	Message    string        // one line; says nothing internal
	RetryAfter time.Duration // zero: not said
}

func (e *Refusal) Error() string { return fmt.Sprintf("native: answer %d: %s", e.Status, e.Message) }

func refuse(status int, format string, args ...any) error {
	return &Refusal{Status: status, Message: fmt.Sprintf(format, args...)}
}

func slower(wait time.Duration) error {
	return &Refusal{Status: http.StatusTooManyRequests, Message: "Too many requests.", RetryAfter: wait}
}

// Prefixes of the paths of the API. Backends of July 2016 call it by the name before.
const (
	serverPaths = "/server_api/v1/apps/"
	formerPaths = "/customer_api/v1/apps/"
	clientPaths = "/client_api/v1/clients"
)

// Handler returns what answers a request, or nil if the path is none of the API.
func (h *Handler) Handler(r *http.Request) http.Handler {
	path := h.mount.Rest(r.URL.EscapedPath(), serverPaths, formerPaths, clientPaths, clientPaths+"/")
	for _, prefix := range []string{serverPaths, formerPaths} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			return h.answer(func(w http.ResponseWriter, r *http.Request) error { return h.server(w, r, rest) })
		}
	}
	if rest, ok := strings.CutPrefix(path, clientPaths); ok && (rest == "" || rest[0] == '/') {
		return h.answer(func(w http.ResponseWriter, r *http.Request) error {
			return h.client(w, r, strings.TrimPrefix(rest, "/"))
		})
	}
	return nil
}

// answer adapts a function that returns its refusals.
func (h *Handler) answer(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if h.cfg.RequireTLS && !h.cfg.Secure(r) {
			err = refuse(http.StatusForbidden, "TLS is required: use https")
		} else {
			err = serve(w, r)
		}
		if err == nil {
			return
		}
		e, ok := errors.AsType[*Refusal](err)
		if !ok {
			e = h.internal(r, err)
		}
		pushapi.RetryAfter(w.Header(), e.RetryAfter)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.Error(w, e.Message, e.Status)
	})
}

// internal is what a caller is told of an error that is not his.
func (h *Handler) internal(r *http.Request, err error) *Refusal {
	switch {
	case errors.Is(err, devices.ErrUnknown):
		return &Refusal{Status: http.StatusNotFound, Message: "There is no such client."}
	case errors.Is(err, devices.ErrFull):
		return &Refusal{Status: http.StatusTooManyRequests, Message: "The app has as many devices as it may have.", RetryAfter: time.Hour}
	case errors.Is(err, devices.ErrTooManyInterests), errors.Is(err, devices.ErrTooLarge):
		return &Refusal{Status: http.StatusBadRequest, Message: fmt.Sprintf("A client may be subscribed to %d interests.", devices.MaxInterests)}
	}
	h.cfg.Log.WarnContext(r.Context(), "push request failed", "method", r.Method, "err", err)
	return &Refusal{Status: http.StatusServiceUnavailable, Message: "The service can not do this at the moment.", RetryAfter: time.Second}
}

// method refuses others than those that a path takes.
func method(w http.ResponseWriter, r *http.Request, allowed string) error {
	if r.Method == allowed {
		return nil
	}
	w.Header().Set("Allow", allowed)
	return refuse(http.StatusMethodNotAllowed, "This path can be asked %s.", allowed)
}

// readBody reads a JSON object of a request of a client into v.
func readBody(r *http.Request, limit int64, v any) error {
	if text := r.Header.Get("Content-Type"); text != "" {
		if kind, _, err := mime.ParseMediaType(text); err != nil || kind != "application/json" {
			return refuse(http.StatusBadRequest, "The content type is not application/json.")
		}
	}
	body, err := pushapi.Body(r, limit)
	switch {
	case errors.Is(err, pushapi.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes.", limit)
	case err != nil:
		return refuse(http.StatusBadRequest, "The body did not come whole.")
	case json.Unmarshal(body, v) != nil:
		return refuse(http.StatusBadRequest, "The body is not a JSON object of the right form.")
	}
	return nil
}

// enabled refuses what an app without push is asked.
func enabled(app *apps.App) error {
	switch {
	case app.Disabled:
		return refuse(http.StatusForbidden, "The app is disabled.")
	case !app.Push.Enabled:
		return refuse(http.StatusForbidden, "Push notifications are not enabled for this app: see its setting push.enabled.")
	}
	return nil
}
