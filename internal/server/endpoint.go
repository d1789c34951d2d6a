package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/certificate"
	"github.com/belfryhq/belfry/internal/http1"
	"github.com/belfryhq/belfry/internal/ticket"
)

// Bounds on what one HTTP connection may cost. The header has room for an
// event whose parameters all stand in the query.
const (
	headerTimeout  = 10 * time.Second // of a TLS handshake, and of a header
	readTimeout    = 30 * time.Second // of header and body together
	writeTimeout   = 60 * time.Second
	idleTimeout    = 120 * time.Second
	maxHeaderBytes = 128 << 10
	maxFrameBytes  = 16 << 10 // of HTTP/2: memory for one is taken when it is announced
)

// Bounds on the connections of operators that owe a request.
const (
	adminPending           = 256
	adminPendingPerAddress = 64
)

// An endpoint is a listener and the HTTP server on it, which answers from the
// moment it is open. A nil endpoint serves nothing.
type endpoint struct {
	name     string
	listener net.Listener
	server   *http.Server
	tls      bool
	door     *door
	loops    *http1.Server // nil: net/http serves all; else it is the listener
}

// listenForOperators opens the admin listener, which says that the node is
// starting until openAdmin is called.
func (p *process) listenForOperators() (err error) {
	var encrypted *tls.Config
	if p.cfg.AdminTLSCertFile != "" {
		if encrypted, err = serverTLS(p.cfg.AdminTLSCertFile, p.cfg.AdminTLSKeyFile, p.log); err != nil {
			return fmt.Errorf("server: admin.tls: %w", err)
		}
	}
	p.admin, err = p.endpoint("admin", p.cfg.AdminListen, encrypted, accept.New(accept.Config{
		Name:          "admin",
		Max:           adminPending,
		MaxPerAddress: adminPendingPerAddress,
		Reserved:      true,
		Log:           p.log,
		Metrics:       p.accepts,
	}), false)
	return err
}

// listen opens the listeners for clients and backends, before anything is made
// that a failure would leave behind. They say that the node is starting until
// open is called.
func (s *Server) listen() (err error) {
	s.warnOfDescriptors()
	s.loopRequests = http1.NewMetrics(s.metrics)
	clients := accept.New(accept.Config{
		Name:           "clients",
		Max:            s.cfg.MaxPending,
		MaxPerAddress:  s.cfg.MaxPendingPerAddress,
		TrustedProxies: s.cfg.TrustedProxies,
		Log:            s.log,
		Metrics:        s.accepts,
	})
	if s.plain, err = s.endpoint("plain", s.cfg.Listen, nil, clients, s.inLoops()); err != nil || s.cfg.TLSListen == "" {
		return err
	}
	encrypted, err := s.clientTLS()
	if err != nil {
		return fmt.Errorf("server: TLS certificate: %w", err)
	}
	s.tickets = ticket.New(s.log)
	s.tickets.Use(encrypted)
	s.tls, err = s.endpoint("tls", s.cfg.TLSListen, encrypted, clients, s.inLoops())
	return err
}

// openTickets makes the nodes of a cluster read each other's TLS tickets.
func (s *Server) openTickets() error {
	if s.tls == nil || !s.cfg.Clustered() {
		return nil
	}
	ctx, cancel := s.starting()
	defer cancel()
	bucket, err := s.engine.Bucket(ctx, ticket.BucketConfig())
	if err != nil {
		return err
	}
	s.tickets.Follow(bucket)
	s.onStop("tickets", func(context.Context) error { s.tickets.Close(); return nil })
	return nil
}

// serverTLS has the certificate of two files, read again when they change.
func serverTLS(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	pair, err := certificate.Pair(certFile, keyFile, log)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.Current(), nil },
	}, nil
}

// warnOfDescriptors says when there can not be many clients: they take one
// descriptor each.
func (s *Server) warnOfDescriptors() {
	const few = 1024
	d, ok := accept.Limit()
	if !ok {
		return
	}
	if d.Max < few {
		s.log.Warn("the limit on open files is low, and each client is one; raise it (ulimit -n, LimitNOFILE)", "limit", d.Max, "for_clients", d.Clients())
	}
	if s.cfg.MaxConnections > d.Clients() {
		s.log.Warn("there can not be as many clients as max_connections says; raise the limit on open files (ulimit -n, LimitNOFILE)",
			"max_connections", s.cfg.MaxConnections, "for_clients", d.Clients())
	}
}

// open lets clients and backends in, and registers the end of the listeners.
func (s *Server) open(h http.Handler) {
	h = s.challenged(hosted(s.cfg.Hosts, h))
	for _, e := range []*endpoint{s.plain, s.tls} {
		if e != nil {
			s.onStop(e.name+" listener", e.stop)
			e.door.open(h)
			s.openLoops(e)
		}
	}
}

// openAdmin lets operators in. The end of their listener is registered first
// of all, so that it comes last.
func (p *process) openAdmin(answers admin.Config) {
	if p.admin != nil {
		p.admin.door.open(hosted(p.cfg.Hosts, admin.New(answers)))
	}
}

// addresses are those of endpoints that were asked for.
func addresses(endpoints ...*endpoint) (list []Listener) {
	for _, e := range endpoints {
		if e != nil {
			list = append(list, Listener{e.name, e.listener.Addr()})
		}
	}
	return list
}

// abandon undoes what was built when the rest fails: endpoints whose end is
// not registered, and all parts.
func (p *process) abandon(endpoints ...*endpoint) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for _, e := range append(endpoints, p.admin) {
		errs = append(errs, e.stop(ctx))
	}
	return errors.Join(append(errs, p.stop())...)
}

// endpoint opens an endpoint, or returns nil when no address is given. Its
// connections are among pending at first. With loops, those serve what they can,
// once they are there.
func (p *process) endpoint(name, address string, config *tls.Config, pending *accept.Pending, loops bool) (*endpoint, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("server: %s listener: %w", name, err)
	}
	if config != nil {
		pending.Handshakes(config)
		// Events are small, and those that are written together share a record.
		config.DynamicRecordSizingDisabled = true
		if !slices.Contains(config.NextProtos, "h2") {
			config.NextProtos = append(slices.Clip(config.NextProtos), "h2", "http/1.1")
		}
	}
	e := &endpoint{
		name: name,
		tls:  config != nil,
		door: new(door),
		server: &http.Server{
			TLSConfig:         config,
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			HTTP2:             &http.HTTP2Config{MaxReadFrameSize: maxFrameBytes},
			ErrorLog:          p.errorLog(name),
		},
	}
	switch {
	case loops:
		if e.loops, err = p.listenOnLoops(l, config, pending, e.server.ErrorLog); err != nil {
			return nil, errors.Join(fmt.Errorf("server: %s listener: %w", name, err), l.Close())
		}
		e.listener = e.loops
	case config != nil:
		e.listener = pending.ListenTLS(l)
	default:
		e.listener = pending.Listen(l)
	}
	accept.Serve(e.server, e.door)
	e.serve(p.failed)
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
		if e.tls && e.loops == nil {
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
	var err error
	if e.loops != nil {
		err = e.loops.Shutdown(ctx)
	}
	if failed := e.server.Shutdown(ctx); failed != nil {
		err = errors.Join(err, failed, e.server.Close())
	}
	if cerr := e.listener.Close(); !errors.Is(cerr, net.ErrClosed) {
		err = errors.Join(err, cerr) // it did not serve yet
	}
	return err
}
