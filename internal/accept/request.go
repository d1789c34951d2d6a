package accept

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
)

type contextKey struct{}

// Serve makes a server note which requests of the connections that a listener
// of this package has accepted are complete, before and while next answers them.
// Connections for which there are hardly any descriptors end with their first
// answer.
func Serve(s *http.Server, next http.Handler) {
	s.Handler, s.ConnContext, s.ConnState = wrap(next), withConn, noteIdle
}

func withConn(ctx context.Context, nc net.Conn) context.Context {
	if c := connOf(nc); c != nil {
		return context.WithValue(ctx, contextKey{}, c)
	}
	return ctx
}

func noteIdle(nc net.Conn, state http.ConnState) {
	if c := connOf(nc); c != nil && state == http.StateIdle {
		if e := c.entry.Load(); e != nil {
			e.idle()
		}
	}
}

// connOf returns the connection that a server knows as nc, or nil if it was
// accepted by another listener.
func connOf(nc net.Conn) *Conn {
	if c, ok := nc.(*Conn); ok {
		return c
	}
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok { // TLS
		nc = t.NetConn()
	}
	c, _ := nc.(*Conn)
	return c
}

// entryOf returns what is known of the connection of a request, or nil.
func entryOf(r *http.Request) *entry {
	if c, ok := r.Context().Value(contextKey{}).(*Conn); ok {
		return c.entry.Load()
	}
	return nil
}

// Full reports whether the process is so short of descriptors that the client
// of a request should be refused.
func Full(r *http.Request) bool {
	e := entryOf(r)
	return e != nil && e.full
}

func wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := entryOf(r)
		if e == nil {
			next.ServeHTTP(w, r)
			return
		}
		if e.full {
			w.Header().Set("Connection", "close")
		}
		if r.Body == nil || r.Body == http.NoBody {
			e.begin()
			defer e.end()
			next.ServeHTTP(w, r)
			return
		}
		b := &body{ReadCloser: r.Body, entry: e, header: HeaderSize(r), http1: r.ProtoMajor == 1}
		e.beginBody(b.header)
		defer b.end()
		// A copy, because net/http looks at the body of its own request.
		with := *r
		with.Body = b
		next.ServeHTTP(w, &with)
	})
}

// HeaderSize is about how many bytes the header of a request has without
// compression, its first line among them.
func HeaderSize(r *http.Request) int {
	const around = len(": \r\n")
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + around
		}
	}
	return n
}

// A body notes when it has been read to its end. One goroutine uses it.
type body struct {
	io.ReadCloser
	entry    *entry
	header   int // bytes of the header before it
	http1    bool
	complete bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.complete && errors.Is(err, io.EOF) {
		b.complete = true
		b.entry.completeBody(b.header)
	}
	return n, err
}

func (b *body) end() {
	switch {
	case b.complete:
		b.entry.end()
	case b.http1:
		b.entry.leaveRest()
	default:
		b.entry.endBody(b.header)
	}
}
