package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds on what one HTTP connection may cost. The header has room for an
// event whose parameters all stand in the query.
const (
	readTimeout    = 30 * time.Second // of header and body together: one deadline to set
	writeTimeout   = 60 * time.Second
	idleTimeout    = 120 * time.Second
	maxHeaderBytes = 128 << 10
)

// An endpoint is a listener and the HTTP server on it. A nil endpoint serves
// nothing.
type endpoint struct {
	name     string
	listener net.Listener
	server   *http.Server
	tls      bool
}

// listen opens an endpoint and registers its end, or returns nil when no
// address is given.
func (s *Server) listen(name, address string, h http.Handler, config *tls.Config) (*endpoint, error) {
	e, err := s.open(name, address, h, config)
	if e != nil {
		s.onStop(name+" listener", e.stop)
	}
	return e, err
}

// open is listen for an endpoint whose end is registered already.
func (s *Server) open(name, address string, h http.Handler, config *tls.Config) (*endpoint, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("server: %s listener: %w", name, err)
	}
	e := &endpoint{
		name:     name,
		listener: l,
		tls:      config != nil,
		server: &http.Server{
			Handler:        h,
			TLSConfig:      config,
			ReadTimeout:    readTimeout,
			WriteTimeout:   writeTimeout,
			IdleTimeout:    idleTimeout,
			MaxHeaderBytes: maxHeaderBytes,
			ErrorLog:       slog.NewLogLogger(s.log.With("listener", name).Handler(), slog.LevelWarn),
		},
	}
	return e, nil
}

func (e *endpoint) addr() net.Addr {
	if e == nil {
		return nil
	}
	return e.listener.Addr()
}

// serve starts serving. A failure that is not the endpoint's stop is sent to
// failed, which must have room.
func (e *endpoint) serve(failed chan<- error) {
	if e == nil {
		return
	}
	go func() {
		serve := e.server.Serve
		if e.tls {
			serve = func(l net.Listener) error { return e.server.ServeTLS(l, "", "") }
		}
		if err := serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("server: %s listener: %w", e.name, err)
		}
	}()
}

// stop lets the requests that have begun end, until ctx does.
func (e *endpoint) stop(ctx context.Context) error {
	if e == nil {
		return nil
	}
	err := e.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, e.server.Close())
	}
	if cerr := e.listener.Close(); !errors.Is(cerr, net.ErrClosed) {
		err = errors.Join(err, cerr) // it never served
	}
	return err
}
