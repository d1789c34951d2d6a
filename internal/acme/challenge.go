package acme

import (
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"

	"github.com/belfryhq/belfry/internal/hostname"
)

var errNoChallenge = errors.New("acme: no challenge for that name is open")

// GetCertificate is the certificate for a handshake, for [tls.Config]. A client
// that names no host, or one that is none of ours, gets that of the first
// domain. If it is the authority that asks, it gets the answer to a challenge.
func (s *Source) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !slices.Contains(hello.SupportedProtos, Protocol) {
		return s.magic.GetCertificate(hello)
	}
	if !s.ours(hello.ServerName) || !s.mayAnswer() {
		return nil, errNoChallenge
	}
	defer s.answered()
	return s.magic.GetCertificate(hello)
}

// Handler returns what answers the request, or nil if no authority asks for
// the answer to a challenge.
func (s *Source) Handler(r *http.Request) http.Handler {
	if !certmagic.LooksLikeHTTPChallenge(r) || !s.ours(hostname.Of(r.Host)) {
		return nil
	}
	return http.HandlerFunc(s.answer)
}

func (s *Source) answer(w http.ResponseWriter, r *http.Request) {
	if !s.mayAnswer() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many challenges are answered at this moment", http.StatusServiceUnavailable)
		return
	}
	defer s.answered()
	if !s.issuer.HandleHTTPChallenge(w, r) {
		http.Error(w, "no challenge with this token is open here", http.StatusNotFound)
	}
}

// ours reports whether a certificate is ordered for that name.
func (s *Source) ours(name string) bool {
	return slices.ContainsFunc(s.cfg.Domains, func(d string) bool { return strings.EqualFold(d, name) })
}

// mayAnswer reports whether one more challenge may be answered now. Whoever is
// told so calls answered.
func (s *Source) mayAnswer() bool {
	select {
	case s.answers <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s *Source) answered() { <-s.answers }
