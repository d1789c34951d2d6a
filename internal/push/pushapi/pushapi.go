// Package pushapi has what the APIs of push notifications do alike with a request,
// before each answers in a form of its own.
package pushapi

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Errors of Body.
var (
	ErrTooLarge   = errors.New("pushapi: the body is too large")
	ErrIncomplete = errors.New("pushapi: the body did not come whole")
)

// Body reads the body of a request, of limit bytes at most. A longer one is refused
// by its announced length, before it is read.
func Body(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, ErrTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, ErrIncomplete
	case int64(len(body)) > limit:
		return nil, ErrTooLarge
	}
	return body, nil
}

// RetryAfter tells a client how long to wait, in whole seconds, rounded up. Zero is not
// told.
func RetryAfter(h http.Header, wait time.Duration) {
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
}

// Unescape decodes a part of a path once. One that can not be decoded stays as it is.
func Unescape(part string) string {
	if text, err := url.PathUnescape(part); err == nil {
		return text
	}
	return part
}
