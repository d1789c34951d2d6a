// Package jsonhttp is what the handlers of the admin API have in common: how bodies
// and queries are read, and how refusals are told (problem details, RFC 9457).
//
// A handler returns its refusals as errors:
//
//	mux.Handle("GET /api/v1/things/{id}", jsonhttp.Handler(log, func(w http.ResponseWriter, r *http.Request) error {
//		if err := jsonhttp.Query(r); err != nil {
//			return err
//		}
//		thing, ok := things[r.PathValue("id")]
//		if !ok {
//			return jsonhttp.Refuse(http.StatusNotFound, "There is no thing %q.", r.PathValue("id"))
//		}
//		return jsonhttp.Write(w, http.StatusOK, thing)
//	}))
//
// The package keeps nothing and takes no locks.
package jsonhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/internal/setting"
)

// MaxBody is how many bytes the body of a request may have.
const MaxBody = 1 << 20

// A Problem is a refusal that the caller is told about.
type Problem struct {
	Title  string `json:"title"` // that of the status
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"` // a sentence for a person; says nothing internal
	// Mistakes are what is wrong with members of the body, each with its name.
	Mistakes []Mistake `json:"mistakes,omitempty"`

	// Err is the cause, for the log; it may be nil.
	Err error `json:"-"`
}

// A Mistake is what is wrong with one member of a body.
type Mistake struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func (p *Problem) Error() string {
	return fmt.Sprintf("jsonhttp: answer %d: %s", p.Status, p.Detail)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Refuse returns a [Problem] with that status and detail.
func Refuse(status int, format string, args ...any) error {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Handler adapts a function that returns its refusals. What is no [Problem]
// is logged and answered with 500, which tells nothing.
func Handler(log *slog.Logger, serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		err := serve(w, r)
		if err == nil {
			return
		}
		p, ok := errors.AsType[*Problem](err)
		if !ok {
			log.ErrorContext(r.Context(), "admin request failed", "method", r.Method, "route", r.Pattern, "err", err)
			p = &Problem{Title: http.StatusText(http.StatusInternalServerError), Status: http.StatusInternalServerError}
		} else if p.Err != nil {
			log.WarnContext(r.Context(), "admin request refused", "method", r.Method, "route", r.Pattern, "status", p.Status, "err", p.Err)
		}
		p.write(w)
	})
}

func (p *Problem) write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // there is nothing in it that can not be written
	}
	w.Header().Set("Content-Type", "application/problem+json")
	send(w, p.Status, body)
}

// Write answers with JSON.
func Write(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("jsonhttp: answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	send(w, status, b.Bytes())
	return nil
}

func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // who does not listen any more can not be told either
}

// Body returns the body of a request, which is JSON of one of the types, or
// application/json if none is named. An empty body is nil.
func Body(r *http.Request, types ...string) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, Refuse(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes.", e.Limit)
	}
	if err != nil {
		return nil, Refuse(http.StatusBadRequest, "The body did not come whole.")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if len(types) == 0 {
		types = []string{"application/json"}
	}
	given, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	for _, t := range types {
		if given == t {
			return body, nil
		}
	}
	return nil, Refuse(http.StatusUnsupportedMediaType, "The body must be of type %s.", strings.Join(types, " or "))
}

// Read decodes the body of a request into v, a pointer to a struct, whose
// fields are all that may stand there. An empty body leaves v as it is.
func Read(r *http.Request, v any) error {
	body, err := Body(r)
	if err != nil || body == nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return Refuse(http.StatusBadRequest, "The body can not be read: %s.", readable(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Refuse(http.StatusBadRequest, "The body has more than one JSON value.")
	}
	return nil
}

// readable says what is wrong with JSON without repeating what was written.
func readable(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return e.Field + " is of the wrong type (" + e.Value + ")"
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("it is not JSON at byte %d", e.Offset)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return name + " is unknown"
	}
	return "it is not JSON"
}

// Query refuses parameters of the query other than those named, so that a
// slip of the pen is not taken for consent.
func Query(r *http.Request, known ...string) error {
	for name := range r.URL.Query() {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if found {
			continue
		}
		if near, ok := setting.Nearest(name, known); ok {
			return Refuse(http.StatusBadRequest, "The parameter %q is unknown; did you mean %s?", name, near)
		}
		return Refuse(http.StatusBadRequest, "The parameter %q is unknown.", name)
	}
	return nil
}

// Bounds of [Page].
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Page returns the parameters of a list: after which element, and how many.
// The answer to a list tells the next after, if there is more.
func Page(r *http.Request) (after string, limit int, err error) {
	query := r.URL.Query()
	after, limit = query.Get("after"), DefaultLimit
	if text := query.Get("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > MaxLimit {
			return "", 0, Refuse(http.StatusBadRequest, "limit is not a number from 1 to %d.", MaxLimit)
		}
	}
	return after, limit, nil
}
