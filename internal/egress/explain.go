package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"syscall"
)

// A Cause is why no answer has come, in metrics.
type Cause string

// The causes.
const (
	Timeout    Cause = "timeout"
	Forbidden  Cause = "forbidden_address"
	DNS        Cause = "dns"
	TLS        Cause = "tls"
	Refused    Cause = "refused"
	Connection Cause = "connection" // any other
)

// Explain classes an error of [http.Transport.RoundTrip], and leaves out of it what may
// be secret: the URL.
func Explain(err error) (Cause, error) {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	_, noSuchHost := errors.AsType[*net.DNSError](err)
	_, badRecord := errors.AsType[tls.RecordHeaderError](err)
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	timeout, _ := errors.AsType[net.Error](err)
	c := Connection
	switch {
	case errors.Is(err, ErrForbidden):
		c = Forbidden
	case noSuchHost:
		c = DNS
	case errors.Is(err, context.DeadlineExceeded), timeout != nil && timeout.Timeout():
		c = Timeout
	case badRecord, badCertificate, unknownAuthority, alert:
		c = TLS
	case errors.Is(err, syscall.ECONNREFUSED):
		c = Refused
	}
	return c, err
}
