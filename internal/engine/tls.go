package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"

	"github.com/belfryhq/belfry/internal/certificate"
)

// peerTLS is what a node shows its peers, and by what it knows them.
type peerTLS struct {
	own       *certificate.File[*tls.Certificate]
	authority *certificate.File[*x509.CertPool]
}

// tls is for both sides of connections between nodes.
func (c Cluster) tls(log *slog.Logger) (*tls.Config, error) {
	var p peerTLS
	var err error
	if p.own, err = certificate.Pair(c.CertFile, c.KeyFile, log); err != nil {
		return nil, fmt.Errorf("engine: certificate of the node: %w", err)
	}
	if p.authority, err = certificate.Pool(c.CAFile, log); err != nil {
		return nil, fmt.Errorf("engine: authority of the cluster: %w", err)
	}
	return p.config(), nil
}

// config is for both sides of a connection. A peer is known by the authority
// and not by a name. Nodes tell each other addresses that no certificate
// has, and the authority signs for nodes of this cluster and nobody else.
func (p *peerTLS) config() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.own.Current(), nil },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.own.Current(), nil },
		ClientAuth:           tls.RequireAnyClientCert,
		InsecureSkipVerify:   true, // of the name; the rest is done by verify
		VerifyConnection:     p.verify,
	}
}

var errNoCertificate = errors.New("engine: the peer has no certificate")

// verify is called for each connection, on both sides.
func (p *peerTLS) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errNoCertificate
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots:         p.authority.Current(),
		Intermediates: between,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("engine: certificate of the peer: %w", err)
	}
	return nil
}
