package acme

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"github.com/prometheus/client_golang/prometheus"
)

// Events of certmagic that people are told of.
const (
	obtained = "cert_obtained"
	failed   = "cert_failed"
)

// tell writes to the log what happened to a certificate.
func (s *Source) tell(_ context.Context, event string, data map[string]any) error {
	domain, _ := data["identifier"].(string)
	switch event {
	case obtained:
		s.log.Info("TLS certificate obtained", "domain", domain, "directory", s.cfg.Directory)
	case failed:
		err, _ := data["error"].(error)
		s.log.Warn("TLS certificate not obtained; it is tried again", "domain", domain, "directory", s.cfg.Directory,
			"err", reason(err), "do", s.remedy(err))
	}
	return nil
}

// reason is what the authority says, or why it could not be asked.
func reason(err error) string {
	if p, ok := errors.AsType[acme.Problem](err); ok {
		return fmt.Sprintf("%s (%s)", p.Detail, p.Type)
	}
	return fmt.Sprint(err)
}

// remedy is what an operator can do.
func (s *Source) remedy(err error) string {
	p, ok := errors.AsType[acme.Problem](err)
	switch {
	case !ok:
		return "see whether this machine reaches the directory, and tls.acme.ca_file if its authority is a private one"
	case p.Type == acme.ProblemTypeRateLimited:
		return "wait; the authority takes no more orders for this domain for now"
	case p.Type == acme.ProblemTypeExternalAccountRequired:
		return "set tls.acme.eab_key_id and tls.acme.eab_key as the authority gave them"
	case p.Type == acme.ProblemTypeCAA:
		return "allow this authority in the CAA record of the domain"
	default:
		return "see that the domain's address is this service's, and that port 80 leads to listen or port 443 to tls.listen"
	}
}

// expiry tells Prometheus until when the certificates in use are valid.
type expiry struct {
	cache   *certmagic.Cache
	domains []string
}

var expires = prometheus.NewDesc("belfry_acme_certificate_expires_timestamp_seconds",
	"When the certificate of a domain of tls.acme expires, as seconds since 1970; missing as long as there is none.", []string{"domain"}, nil)

func (expiry) Describe(to chan<- *prometheus.Desc) { to <- expires }

func (e expiry) Collect(to chan<- prometheus.Metric) {
	for _, d := range e.domains {
		var latest int64
		for _, c := range e.cache.AllMatchingCertificates(d) {
			if c.Leaf != nil {
				latest = max(latest, c.Leaf.NotAfter.Unix())
			}
		}
		if latest != 0 {
			to <- prometheus.MustNewConstMetric(expires, prometheus.GaugeValue, float64(latest), d)
		}
	}
}
