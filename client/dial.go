package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// A target is where to connect to, and over which transport.
type target struct {
	cfg       *Config
	transport Transport
	url       *url.URL
	query     string // of an HTTP transport
}

// open opens a link and does the handshake, until ctx ends. The link ends with
// its parent.
func (t target) open(ctx, parent context.Context, number int) (*opened, error) {
	o, err := t.dial(ctx, parent, number)
	if err != nil {
		return nil, dialError(ctx, t.transport, err)
	}
	o.transport = t.transport
	return o, nil
}

func (t target) dial(ctx, parent context.Context, number int) (*opened, error) {
	try := &ConnectAttempt{Number: number, Transport: t.transport, URL: t.url, Header: t.cfg.Header.Clone()}
	if try.Header == nil {
		try.Header = http.Header{}
	}
	if before := t.cfg.BeforeConnect; before != nil {
		if err := before(ctx, try); err != nil {
			return nil, err
		}
	}
	if f := t.cfg.Trace.DialStart; f != nil {
		f(t.transport, try.URL.String())
	}
	l, err := t.link(ctx, parent, try)
	if f := t.cfg.Trace.DialDone; f != nil {
		f(t.transport, err)
	}
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, l.abort)
	o, err := handshake(l, t.cfg.Trace)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		l.abort()
		return nil, err
	}
	return o, nil
}

func (t target) link(ctx, parent context.Context, try *ConnectAttempt) (link, error) {
	if t.transport == WebSocket {
		return dialWebSocket(ctx, t.cfg, try.URL, try.Header)
	}
	return dialHTTP(ctx, parent, t.cfg, try.URL, t.query, try.Header, t.transport == XHRStreaming)
}

// dialError says over which transport what went wrong. What the service said
// stays as it is.
func dialError(ctx context.Context, t Transport, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(cause, ErrHandshakeTimeout) {
		err = ErrHandshakeTimeout
	}
	switch {
	case errors.Is(err, ErrAbort):
		return err
	case isType[*CloseError](err), isType[*ServerError](err), isType[*DialError](err):
		return err
	}
	return &DialError{Transport: t, Err: err}
}
