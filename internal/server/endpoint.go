package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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

// An endpoint is a listener and the HTTP server on it, which answers from the
// moment it is open. A nil endpoint serves nothing.
type endpoint struct {
	name     string
	listener net.Listener
	server   *http.Server
	tls      bool
	door     *door
}

// listen opens all listeners, before anything is made that a failure would
// leave behind. They say that the node is starting until open is called.
func (s *Server) listen() (err error) {
	if s.admin, err = s.endpoint("admin", s.cfg.AdminListen, nil); err != nil || s.cfg.Cluster.Witness {
		return err
	}
	if s.plain, err = s.endpoint("plain", s.cfg.Listen, nil); err != nil || s.cfg.TLSListen == "" {
		return err
	}
	certs, err := loadCertificate(s.cfg.TLSCertFile, s.cfg.TLSKeyFile, s.log)
	if err != nil {
		return err
	}
	s.tls, err = s.endpoint("tls", s.cfg.TLSListen, certs.config())
	return err
}

// open lets clients and backends in, and registers the end of the listeners.
func (s *Server) open(h http.Handler) {
	h = hosted(s.cfg.Hosts, h)
	for _, e := range []*endpoint{s.plain, s.tls} {
		if e != nil {
			s.onStop(e.name+" listener", e.stop)
			e.door.open(h)
		}
	}
}

// openAdmin lets operators in. The end of their listener is registered first
// of all, so that it comes last.
func (s *Server) openAdmin(h http.Handler) {
	if s.admin != nil {
		s.admin.door.open(hosted(s.cfg.Hosts, h))
	}
}

// endpoints are those that were asked for.
func (s *Server) endpoints() (list []*endpoint) {
	for _, e := range []*endpoint{s.plain, s.tls, s.admin} {
		if e != nil {
			list = append(list, e)
		}
	}
	return list
}

// abandon undoes what New has built when it fails.
func (s *Server) abandon() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for _, e := range s.endpoints() {
		errs = append(errs, e.stop(ctx))
	}
	return errors.Join(append(errs, s.stop())...)
}

// endpoint opens an endpoint, or returns nil when no address is given.
func (s *Server) endpoint(name, address string, config *tls.Config) (*endpoint, error) {
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
		door:     new(door),
		server: &http.Server{
			TLSConfig:      config,
			ReadTimeout:    readTimeout,
			WriteTimeout:   writeTimeout,
			IdleTimeout:    idleTimeout,
			MaxHeaderBytes: maxHeaderBytes,
			ErrorLog:       s.errorLog(name),
		},
	}
	e.server.Handler = e.door
	e.serve(s.failed)
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
		err = errors.Join(err, cerr) // it did not serve yet
	}
	return err
}
