package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// peerTLS is what a node shows its peers, and by what it knows them.
type peerTLS struct{ certFile, keyFile, caFile string }

func (p *peerTLS) certificate() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return nil, fmt.Errorf("engine: certificate of the node: %w", err)
	}
	return &pair, nil
}

func (p *peerTLS) authority() (*x509.CertPool, error) {
	text, err := os.ReadFile(p.caFile)
	if err != nil {
		return nil, fmt.Errorf("engine: authority of the cluster: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("engine: authority of the cluster: no certificate in %s", p.caFile)
	}
	return pool, nil
}

// config is for both sides of a connection. A peer is known by the authority
// and not by a name: nodes tell each other addresses that no certificate has,
// and the authority signs for nodes of this cluster and nobody else.
func (p *peerTLS) config() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.certificate() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.certificate() },
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
	roots, err := p.authority()
	if err != nil {
		return err
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err = state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: between,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("engine: certificate of the peer: %w", err)
	}
	return nil
}
