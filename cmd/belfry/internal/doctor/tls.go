package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// renewBefore is how much time a certificate should have left: automatic
// renewal happens at thirty days.
const renewBefore = 14 * 24 * time.Hour

// tls checks the certificate as a browser does. It shakes hands without
// verification first, to see what is wrong with the chain.
func (e *examination) tls(ctx context.Context) Finding {
	cfg := e.tlsConfig()
	cfg.InsecureSkipVerify = true // verified below; nothing is sent on this connection
	d := tls.Dialer{Config: cfg}
	conn, err := d.DialContext(ctx, "tcp", e.hostPort())
	if err != nil {
		return e.noHandshake(err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	chain := state.PeerCertificates
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	leaf := chain[0]
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: e.cfg.Base.Hostname(), Roots: e.cfg.RootCAs, Intermediates: between})
	if err != nil {
		return e.badChain(chain, err)
	}
	end := leaf.NotAfter.UTC().Format(time.DateOnly)
	if left := time.Until(leaf.NotAfter); left < renewBefore {
		return warning(fmt.Sprintf("the certificate ends on %s, in %d days", end, int(left.Hours()/24)), "renew it now, and see why that did not happen by itself")
	}
	return ok("%s, a certificate of %s that ends on %s", tls.VersionName(state.Version), issuer(leaf), end)
}

// noHandshake says why there is no TLS at all.
func (e *examination) noHandshake(err error) Finding {
	host := e.cfg.Base.Hostname()
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return failed("this port does not speak TLS", "write http:// instead of https://, or give the port that has the certificate")
	}
	text := plain(err).Error()
	switch {
	case strings.Contains(text, "unrecognized name"):
		return failed("the server has no certificate for "+host, "add the name to the server that ends TLS, with a certificate for it")
	case strings.Contains(text, "protocol version"):
		return failed("the server speaks only versions of TLS that browsers refuse", "enable TLS 1.2 and 1.3 there")
	case strings.Contains(text, "EOF"), strings.Contains(text, "reset"):
		return failed("the server closed the connection during the TLS handshake", "is TLS configured on this port? Its log says why")
	}
	return failed("the TLS handshake failed: "+text, "the log of what ends TLS says why")
}

// badChain says what is wrong with a certificate.
func (e *examination) badChain(chain []*x509.Certificate, err error) Finding {
	leaf, host := chain[0], e.cfg.Base.Hostname()
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		if time.Now().Before(leaf.NotBefore) {
			return failed("the certificate begins only on "+leaf.NotBefore.UTC().Format(time.RFC3339), "is the clock of this machine right?")
		}
		return failed("a certificate of the chain ended; the server's own is valid until "+leaf.NotAfter.UTC().Format(time.RFC3339),
			"renew it and have the server load it again: a proxy goes on with the old one until it is reloaded")
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return failed(fmt.Sprintf("the certificate is for %s, not for %s", names(leaf), host), "get a certificate with that name in it, or give a name that it has")
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		switch {
		case leaf.Issuer.String() == leaf.Subject.String():
			return failed("the certificate is signed by itself, so that no browser accepts it", "use one of a public authority; for a private one, SSL_CERT_FILE names its file for this command")
		case len(chain) == 1:
			return failed(fmt.Sprintf("the server sends its own certificate alone, and %s, which signed it, is not known here", issuer(leaf)),
				"send the whole chain: nginx wants fullchain.pem as ssl_certificate; Belfry takes it as tls.cert_file. For a private authority, SSL_CERT_FILE names its file")
		}
		return failed(fmt.Sprintf("the chain of %d certificates ends at an authority that is not known here: %s", len(chain), issuer(chain[len(chain)-1])),
			"use a certificate of a public authority; for a private one, SSL_CERT_FILE names its file for this command")
	}
	return failed("the certificate is not accepted: "+err.Error(), "browsers refuse it as well; get another one")
}

// issuer names who signed a certificate.
func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return c.Issuer.String()
}

// names are those that a certificate is for, a few of them.
func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, net.IP(ip).String())
	}
	switch {
	case len(all) == 0:
		return "no name at all"
	case len(all) > 5:
		return fmt.Sprintf("%s and %d others", strings.Join(all[:5], ", "), len(all)-5)
	}
	return strings.Join(all, ", ")
}
