package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/belfryhq/belfry/internal/acme"
)

// clientTLS is how the listener of clients encrypts: with a certificate of
// files, or with those that an authority gives, as soon as there is one.
func (s *Server) clientTLS() (*tls.Config, error) {
	if len(s.cfg.ACME.Domains) == 0 {
		return serverTLS(s.cfg.TLSCertFile, s.cfg.TLSKeyFile, s.log)
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: s.certificate,
		NextProtos:     []string{"h2", "http/1.1", acme.Protocol},
	}, nil
}

var errNoCertificateYet = errors.New("server: the node is starting; certificates are in the engine")

func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := s.certificates.Load(); c != nil {
		return c.GetCertificate(hello)
	}
	return nil, errNoCertificateYet
}

// openCertificates begins to get certificates from an authority, if that was
// asked for.
func (s *Server) openCertificates() error {
	if len(s.cfg.ACME.Domains) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	stream, err := s.engine.Stream(ctx, acme.StreamConfig())
	if err != nil {
		return err
	}
	source, err := acme.Open(acme.Config{
		Settings:   s.cfg.ACME,
		JetStream:  s.engine.JetStream(),
		Stream:     stream,
		Plain:      s.plain.addr(),
		TLS:        s.tls.addr(),
		Registerer: s.metrics,
		Log:        s.log,
	})
	if err != nil {
		return err
	}
	s.certificates.Store(source)
	s.onStop("certificates", func(ctx context.Context) error { source.Close(ctx); return nil })
	return nil
}

// beginCertificates orders what is missing, now that challenges are answered.
func (s *Server) beginCertificates() error {
	if c := s.certificates.Load(); c != nil {
		return c.Begin()
	}
	return nil
}

// challenged answers authorities that ask whether a domain is ours, before
// anything else is looked at.
func (s *Server) challenged(next http.Handler) http.Handler {
	if len(s.cfg.ACME.Domains) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := s.certificates.Load(); c != nil {
			if h := c.Handler(r); h != nil {
				h.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
