package accept

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
)

type contextKey struct{}

// Context is the ConnContext of an [http.Server] whose handler is wrapped by
// [Wrap].
func Context(ctx context.Context, nc net.Conn) context.Context {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	c, ok := nc.(*Conn)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, c)
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

// Wrap notes which requests are complete before and while next answers them.
// Connections for which there are hardly any descriptors end with their first
// answer.
func Wrap(next http.Handler) http.Handler {
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
		e.beginBody()
		b := &body{ReadCloser: r.Body, entry: e}
		defer b.end()
		// A copy, because net/http looks at the body of its own request.
		with := *r
		with.Body = b
		next.ServeHTTP(w, &with)
	})
}

// A body notes when it has been read to its end. One goroutine uses it.
type body struct {
	io.ReadCloser
	entry    *entry
	complete bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.complete && errors.Is(err, io.EOF) {
		b.complete = true
		b.entry.begin()
	}
	return n, err
}

func (b *body) end() {
	if b.complete {
		b.entry.end()
	} else {
		b.entry.endBody()
	}
}
