package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/hub"
)

// An answer is what a call is answered with. A JSON body may be a part of the
// call.
type answer struct {
	status int
	body   []byte // JSON if the status is 200, else text; nil for none
	header string // one more header
	value  string
}

// emptyObject is the success that has nothing to tell. Libraries read every
// 200 as JSON.
var emptyObject = answer{status: http.StatusOK, body: []byte("{}")}

// Values of headers, shared by all answers.
var (
	typeJSON   = []string{"application/json"}
	typeText   = []string{"text/plain; charset=utf-8"}
	nosniff    = []string{"nosniff"}
	lengthZero = []string{"0"}
	lengthTwo  = []string{"2"}
	anyOrigin  = []string{"*"}
	corsVerbs  = []string{"GET, POST, OPTIONS"}
	corsFields = []string{"Content-Type, X-Pusher-Library, Authorization, X-Requested-With, Idempotency-Key, X-Idempotency-Key"}
	corsShown  = []string{"Retry-After, Idempotent-Replayed, X-Belfry-Event-Id, X-Belfry-Receivers"}
)

// write sends the answer. The keys of the header are in their canonical form.
func (ans answer) write(w http.ResponseWriter, method string) {
	h := w.Header()
	switch len(ans.body) {
	case 0:
		if ans.status != http.StatusNoContent {
			h["Content-Length"] = lengthZero
		}
		w.WriteHeader(ans.status)
		return
	case 2:
		h["Content-Length"] = lengthTwo
	default:
		h["Content-Length"] = []string{strconv.Itoa(len(ans.body))}
	}
	if ans.status == http.StatusOK {
		h["Content-Type"] = typeJSON
	} else {
		h["Content-Type"] = typeText
		h["X-Content-Type-Options"] = nosniff // names that were sent are echoed
	}
	if ans.header != "" {
		h.Set(ans.header, ans.value)
	}
	w.WriteHeader(ans.status)
	if method != http.MethodHead {
		_, _ = w.Write(ans.body) // who does not listen any more can not be told either
	}
}

// allowOrigins lets pages of every origin read the answer.
func allowOrigins(h http.Header) {
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Allow-Methods"] = corsVerbs
	h["Access-Control-Allow-Headers"] = corsFields
	h["Access-Control-Expose-Headers"] = corsShown
}

// A statusError is a refusal that the caller is told about.
type statusError struct {
	status  int
	message string // one line, without its end; says nothing internal
	header  string // one more header of the answer, in its canonical form; "" for none
	value   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("httpapi: answer %d: %s", e.status, e.message)
}

var (
	errNotFound        = &statusError{status: http.StatusNotFound, message: "404 NOT FOUND"}
	errAppDisabled     = &statusError{status: http.StatusForbidden, message: "App disabled"}
	errInvalidUTF8     = &statusError{status: http.StatusBadRequest, message: "Invalid UTF-8"}
	errInvalidJSON     = &statusError{status: http.StatusBadRequest, message: "Invalid JSON body"}
	errContentEncoding = &statusError{
		status:  http.StatusUnsupportedMediaType,
		message: "Unsupported Content-Encoding: only identity is accepted",
		header:  "Accept-Encoding",
		value:   "identity",
	}
	errOverloaded = &statusError{
		status:  http.StatusServiceUnavailable,
		message: "Overloaded, try again",
		header:  "Retry-After",
		value:   "1",
	}
	errNotWritable = &statusError{
		status:  http.StatusServiceUnavailable,
		message: "The history of this app is durable and can not be written now, try again; nothing was delivered",
		header:  "Retry-After",
		value:   "1",
	}
	// What was delivered can not be taken back. A repeat would deliver it again.
	errNotKept = &statusError{
		status:  http.StatusServiceUnavailable,
		message: "The events were delivered, but whether the durable history has them is not known",
	}
	errInternal = &statusError{status: http.StatusInternalServerError, message: "Internal error"}
)

func badRequest(message string) error {
	return &statusError{status: http.StatusBadRequest, message: message}
}

// refusal answers an error. What is no refusal is ours to fix, not the
// caller's to read.
func (a *Handler) refusal(c *call, err error) answer {
	e, ok := errors.AsType[*statusError](err)
	switch {
	case ok:
	case errors.Is(err, hub.ErrNotWritable):
		e = errNotWritable
	case errors.Is(err, hub.ErrNotKept):
		e = errNotKept
	case errors.Is(err, hub.ErrOverloaded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = errOverloaded
	default:
		a.log.ErrorContext(c.r.Context(), "request failed", "route", c.route.label(), "err", err)
		e = errInternal
	}
	return answer{status: e.status, body: []byte(e.message + "\n"), header: e.header, value: e.value}
}

// maxEcho is how much of a name is shown to who sent it.
const maxEcho = 200

// printable makes a name fit for a line of text: what does not print becomes
// U+FFFD, and what is long is cut.
func printable(s string) string {
	if len(s) > maxEcho {
		cut := maxEcho
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// inspect shows a text between double quotes on one line, without the quotes.
func inspect(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return r == '"' || r == '\\' || r < ' ' || r == 0x7f || r == utf8.RuneError
	}) {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\n':
			b = append(b, `\n`...)
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f || r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02X`, s[i])
		default:
			b = append(b, s[i:i+size]...)
		}
		i += size
	}
	return string(b)
}
