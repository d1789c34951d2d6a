// Package beams serves the push API that is called Beams: backends publish to interests
// and to users, installations register themselves, and tell what they have received.
//
// Paths name the instance, and hosts are ignored, so any name of the service serves every
// instance. SDKs try again for ever on some statuses, and their reactions to texts are
// fixed: what they are answered is conformance and not taste.
//
// What is refused has had no effect. The package takes no locks.
package beams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/mount"
	"github.com/belfryhq/belfry/internal/push/devices"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/pushapi"
)

// Devices are where installations are kept.
type Devices interface {
	Register(ctx context.Context, app string, r devices.Registration) (devices.Device, error)
	Get(ctx context.Context, app, id string) (devices.Device, error)
	Delete(ctx context.Context, app, id string) error
	SetToken(ctx context.Context, app, id, token, vapidKey string) error
	SetMetadata(ctx context.Context, app, id string, metadata json.RawMessage) error
	SetUser(ctx context.Context, app, id, user string) error
	DeleteUser(ctx context.Context, app, user string) (int, error)
	HasUser(app, user string) bool
	Subscribe(ctx context.Context, app, id, interest string) error
	Unsubscribe(ctx context.Context, app, id, interest string) error
	SetInterests(ctx context.Context, app, id string, interests []string) error
}

// A Report says that a device has received a notification, or that somebody opened it.
type Report struct {
	PublishID string
	Device    string
	User      string // whose device it is; empty: nobody's
	Opened    bool   // else it was received
}

// Config is what the API stands on. All fields are required but those that say otherwise.
type Config struct {
	Apps    *apps.Registry
	Devices Devices
	Publish notification.Publisher
	// Report takes a report of a publish of the app. One that was told before does
	// nothing.
	Report func(ctx context.Context, app *apps.App, r Report) error
	// Admit returns how long an app has to wait until it may publish again, or false.
	Admit func(app *apps.App) (wait time.Duration, ok bool)
	// Register and Change return how long a client has to wait until it may register,
	// or change something.
	Register, Change func(*http.Request) (wait time.Duration, ok bool)
	// Secure reports whether a request came over TLS. RequireTLS refuses others.
	Secure     func(*http.Request) bool
	RequireTLS bool
	// Hosts are those of push services that browsers may name.
	Hosts []string
	Path  string // prefix in front of all paths, as in "/realtime"; may be empty

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

// A refusal is an error that the caller is told.
type refusal struct {
	status      int
	title       string        // the member error; SDKs compare it
	description string        // a sentence for people; says nothing internal
	retryAfter  time.Duration // zero: not said
	allow       string        // the method that the path takes instead
}

func (e *refusal) Error() string { return fmt.Sprintf("beams: answer %d: %s", e.status, e.description) }

func refuse(status int, title, format string, args ...any) error {
	return &refusal{status: status, title: title, description: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "Bad request", format, args...)
}

func unprocessable(format string, args ...any) error {
	return refuse(http.StatusUnprocessableEntity, "Unprocessable Entity", format, args...)
}

var errPath = refuse(http.StatusNotFound, "Not found", "There is nothing at this path.")

// A call is one request whose instance was found.
type call struct {
	*Handler
	w    http.ResponseWriter
	r    *http.Request
	app  *apps.App
	rest string // of the path, behind the instance; with escapes
}

// A section is one of the APIs, at a prefix of paths.
type section struct {
	prefix string
	pages  bool // whether pages of all origins call it
	serve  func(*call) error
}

var sections = []section{
	{"/publish_api/v1/instances/", false, (*call).publish},
	{"/device_api/v1/instances/", true, (*call).device},
	{"/customer_api/v1/instances/", false, (*call).customer},
	{"/user_api/v1/instances/", false, (*call).customer},
	{"/reporting_api/v2/instances/", true, (*call).report},
	{"/reporting_api/v1/instances/", true, (*call).report},
	{"/safari_api/", true, func(*call) error { return errPath }},
}

// Handler returns what answers a request, or nil if the path is none of the API.
func (h *Handler) Handler(r *http.Request) http.Handler {
	path := h.mount.Rest(r.URL.EscapedPath())
	for _, s := range sections {
		if rest, ok := strings.CutPrefix(path, s.prefix); ok {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, s, rest) })
		}
	}
	return nil
}

// answer takes one request through the steps that all have in common.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, s section, path string) {
	if s.pages {
		allowPages(w.Header())
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	err := h.open(w, r, s, path)
	if err == nil {
		return
	}
	e, ok := errors.AsType[*refusal](err)
	if !ok {
		e = h.internal(r, err)
	}
	pushapi.RetryAfter(w.Header(), e.retryAfter)
	if e.allow != "" {
		w.Header().Set("Allow", e.allow)
	}
	body, err := json.Marshal(map[string]string{"error": e.title, "description": e.description})
	if err != nil {
		panic(err) // there is nothing in it that can not be written
	}
	send(w, e.status, body)
}

// allowPages lets pages of every origin, and their service workers, call the API.
func allowPages(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization, X-Pusher-Library")
	h.Set("Access-Control-Max-Age", "86400")
}

var instanceID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// open finds the instance, and has the section serve the request.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, s section, path string) error {
	id, rest, _ := strings.Cut(path, "/")
	id = strings.ToLower(pushapi.Unescape(id))
	switch {
	case h.cfg.RequireTLS && !h.cfg.Secure(r):
		return refuse(http.StatusForbidden, "TLS required", "Use https for this address.")
	case !instanceID.MatchString(id):
		return badRequest("The instance id is not a UUID.")
	}
	app := h.cfg.Apps.ByInstance(id)
	if app == nil || app.Disabled || !app.Push.Enabled {
		return refuse(http.StatusNotFound, "Instance not found", "There is no instance of this id. Is push.enabled set for the app?")
	}
	return s.serve(&call{Handler: h, w: w, r: r, app: app, rest: rest})
}

// internal is what a caller is told of an error that is not his.
func (h *Handler) internal(r *http.Request, err error) *refusal {
	switch {
	case errors.Is(err, devices.ErrUnknown):
		return &refusal{status: http.StatusNotFound, title: "Device not found", description: "There is no device of this id."}
	case errors.Is(err, devices.ErrFull):
		return &refusal{status: http.StatusTooManyRequests, title: "Rate Limited", description: "The instance has as many devices as it may have.", retryAfter: time.Hour}
	case errors.Is(err, devices.ErrTooManyInterests), errors.Is(err, devices.ErrTooLarge):
		return &refusal{status: http.StatusBadRequest, title: "Bad request", description: fmt.Sprintf("Too many interests: a device has %d at most.", devices.MaxInterests)}
	case errors.Is(err, devices.ErrOtherUser):
		return &refusal{status: http.StatusBadRequest, title: "Bad request", description: "A User Id is already associated with this device"}
	case errors.Is(err, devices.ErrUserFull):
		return &refusal{status: http.StatusUnprocessableEntity, title: "Unprocessable Entity", description: fmt.Sprintf("The user has %d devices of this platform.", devices.MaxPerUser)}
	}
	h.cfg.Log.WarnContext(r.Context(), "request of Beams failed", "method", r.Method, "err", err)
	return &refusal{status: http.StatusServiceUnavailable, title: "Something went wrong", description: "The service can not do this at the moment.", retryAfter: time.Second}
}

func slower(wait time.Duration) error {
	return &refusal{status: http.StatusTooManyRequests, title: "Rate Limited", description: "Too many requests.", retryAfter: wait}
}

// method refuses others than those that a path takes.
func (c *call) method(allowed ...string) error {
	if slices.Contains(allowed, c.r.Method) {
		return nil
	}
	list := strings.Join(allowed, ", ")
	return &refusal{status: http.StatusMethodNotAllowed, title: "Method not allowed", description: "This path can be asked " + list + ".", allow: list}
}

// body reads a JSON object.
func (c *call) body(limit int64) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, refuse(http.StatusBadRequest, "Invalid content type", "The content type is not application/json.")
	}
	body, err := pushapi.Body(c.r, limit)
	switch {
	case errors.Is(err, pushapi.ErrTooLarge):
		return nil, badRequest("The body is larger than %d bytes.", limit)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "Incomplete Request", "The body did not come whole.")
	}
	var o map[string]json.RawMessage
	if json.Unmarshal(body, &o) != nil || o == nil {
		return nil, badRequest("The body is not a JSON object.")
	}
	return body, nil
}

// read reads a JSON object into v. A member of another type is refused.
func (c *call) read(limit int64, v any) error {
	body, err := c.body(limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return badRequest("%s", wrongType(err))
	}
	return nil
}

// wrongType says which member of an object is of a type that it can not have.
func wrongType(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return "The member " + e.Field + " is of the wrong type."
	}
	return "The body is not of the right form."
}

// write answers 200 with JSON.
func (c *call) write(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("beams: %w", err)
	}
	send(c.w, http.StatusOK, body)
	return nil
}

// done answers 200 with nothing, if there is no error.
func (c *call) done(err error) error {
	if err == nil {
		c.w.Header().Set("Content-Length", "0")
		c.w.WriteHeader(http.StatusOK)
	}
	return err
}

func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // who does not listen any more can not be told either
}
