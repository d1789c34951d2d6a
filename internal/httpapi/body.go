package httpapi

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// readBody reads the whole body into c, if it is short enough to be read at
// all.
func (c *call) readBody(limit int64) error {
	if enc := c.r.Header["Content-Encoding"]; len(enc) > 0 && !isIdentity(enc) {
		return errContentEncoding
	}
	switch length := c.r.ContentLength; {
	case c.r.Body == nil || length == 0:
		return nil
	case length > limit:
		return errBodySize(limit)
	case length > 0:
		c.body = slices.Grow(c.body[:0], int(length))[:length]
		n, err := io.ReadFull(c.r.Body, c.body)
		c.body = c.body[:n]
		return errReading(err)
	default:
		return c.readChunked(limit)
	}
}

// readChunked reads a body of unknown length, and never more of it than one
// byte over the limit.
func (c *call) readChunked(limit int64) error {
	c.body = c.body[:0]
	for {
		c.body = slices.Grow(c.body, 512)
		n, err := c.r.Body.Read(c.body[len(c.body):cap(c.body)])
		c.body = c.body[:len(c.body)+n]
		switch {
		case int64(len(c.body)) > limit:
			return errBodySize(limit)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errReading(err)
		}
	}
}

// isIdentity reports whether a body is encoded by not encoding it.
func isIdentity(encodings []string) bool {
	return !slices.ContainsFunc(encodings, func(e string) bool {
		e = strings.TrimSpace(e)
		return e != "" && !strings.EqualFold(e, "identity")
	})
}

// errReading turns a body that broke off, or that a server's deadline cut off,
// into an answer that probably nobody reads.
func errReading(err error) error {
	if err == nil {
		return nil
	}
	return badRequest("Incomplete request body")
}

// errBodySize refuses a body of which the rest is not read. The connection has
// to end then: without saying so, the server of net/http would wait for more
// of the body before it answers.
func errBodySize(limit int64) error {
	return &statusError{
		status:  http.StatusRequestEntityTooLarge,
		message: "The request body exceeds the allowed maximum (" + strconv.FormatInt(limit, 10) + " bytes)",
		header:  "Connection",
		value:   "close",
	}
}
