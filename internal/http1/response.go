package http1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/loop"
)

// A Response is where a [Handler] writes the answer to a request. It is written
// as net/http writes it. One goroutine uses it.
type Response struct {
	header http.Header
	status int
	wrote  bool // the header is as it was when the status was written
	body   []byte
	names  []string // scratch

	taken *taken // nil: the connection is not taken over
	open  func(*loop.Socket) loop.Handler
}

var (
	_ http.ResponseWriter = (*Response)(nil)
	_ http.Hijacker       = (*Response)(nil)
)

// reset makes w ready for the answer to another request.
func (w *Response) reset() {
	if w.header == nil {
		w.header = make(http.Header, 8)
	}
	clear(w.header)
	w.status, w.wrote, w.body, w.taken, w.open = 0, false, w.body[:0], nil, nil
}

// Header implements [http.ResponseWriter].
func (w *Response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *Response) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

// Write implements [http.ResponseWriter].
func (w *Response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, b...)
	return len(b), nil
}

// Hijack implements [http.Hijacker], for an answer that takes the connection over.
// The one that it returns only takes the head of the answer, and has the method
// Become, by which a handler gets the socket. Without that it ends.
func (w *Response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.taken = &taken{response: w}
	w.body = w.body[:0]
	return w.taken, bufio.NewReadWriter(bufio.NewReaderSize(eof{}, 16), bufio.NewWriterSize(w.taken, 512)), nil
}

// A taken connection is one that a handler takes over.
type taken struct {
	net.Conn // nil: there is none yet
	response *Response
}

// Become gives the socket to the handler that open returns. Open is called on
// the loop, when the head of the answer is on its way.
func (t *taken) Become(open func(*loop.Socket) loop.Handler) { t.response.open = open }

func (t *taken) Write(b []byte) (int, error) {
	t.response.body = append(t.response.body, b...)
	return len(b), nil
}

func (*taken) Close() error                     { return nil }
func (*taken) SetDeadline(time.Time) error      { return nil }
func (*taken) SetReadDeadline(time.Time) error  { return nil }
func (*taken) SetWriteDeadline(time.Time) error { return nil }

// eof has nothing to read.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// append appends the answer. If closing, the connection ends with it; the
// answer may say that it does in any case.
func (w *Response) append(dst, date []byte, closing bool) (out []byte, closes bool) {
	w.WriteHeader(http.StatusOK)
	bodyless := w.status == http.StatusNoContent || w.status == http.StatusNotModified
	closing = closing || w.header.Get("Connection") == "close"
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(w.status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(w.status)...)
	dst = append(dst, "\r\n"...)
	dst = w.appendFields(dst, bodyless, closing)
	dst = append(dst, "Date: "...)
	dst = append(dst, date...)
	dst = append(dst, "\r\n"...)
	if _, told := w.header["Content-Length"]; !told && !bodyless {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(w.body)), 10)
		dst = append(dst, "\r\n"...)
	}
	if _, told := w.header["Content-Type"]; !told && len(w.body) > 0 {
		dst = appendField(dst, "Content-Type", http.DetectContentType(w.body))
	}
	if closing && w.header.Get("Connection") != "close" {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	if !bodyless {
		dst = append(dst, w.body...)
	}
	return dst, closing
}

// appendFields appends what the handler has set, in the order of the names.
func (w *Response) appendFields(dst []byte, bodyless, closing bool) []byte {
	w.names = w.names[:0]
	for name := range w.header {
		w.names = append(w.names, name)
	}
	slices.Sort(w.names)
	for _, name := range w.names {
		switch {
		case name == "Connection" && closing && w.header.Get(name) != "close":
			continue
		case bodyless && (name == "Content-Length" || name == "Content-Type" && w.status == http.StatusNotModified):
			continue
		}
		for _, value := range w.header[name] {
			dst = appendField(dst, name, value)
		}
	}
	return dst
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	at := len(dst)
	dst = append(dst, value...)
	for i, c := range dst[at:] { // or a value would be another field
		if c == '\r' || c == '\n' {
			dst[at+i] = ' '
		}
	}
	return append(dst, "\r\n"...)
}

// A clock knows the time as answers tell it, to the second.
type clock struct {
	second int64
	text   []byte
}

func (c *clock) date(now time.Time) []byte {
	if s := now.Unix(); s != c.second || c.text == nil {
		c.second = s
		c.text = now.UTC().AppendFormat(c.text[:0], http.TimeFormat)
	}
	return c.text
}

// A body is that of a request that has come to its end.
type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

// An exchange is a request and its answer, and the memory for both, which is
// used for one after the other.
type exchange struct {
	Parser
	Response
	clock
	body body
	last bool   // the connection ends with the answer
	out  []byte // what is sent
}
