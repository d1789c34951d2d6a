package config

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry/internal/acme"
	"github.com/belfryhq/belfry/internal/hostname"
	"github.com/belfryhq/belfry/internal/setting"
)

// acmeSettings are those of certificates that an authority gives.
var acmeSettings = []setting.Setting[Config]{
	setting.Row("tls.acme.domains", "[]", "list of domains",
		"Domains for which certificates are ordered and renewed by ACME, such as realtime.example.com, instead of tls.cert_file. The authority must reach listen as port 80 of the domain, or tls.listen as port 443. Setting it agrees to the authority's terms.",
		setting.List(func(c *Config) *[]string { return &c.Server.ACME.Domains }, parseDomain)),
	setting.Row("tls.acme.email", `""`, setting.KindText,
		"Whom the authority writes to when something is wrong with a certificate. Need not be given.",
		setting.Scalar(func(c *Config) *string { return &c.Server.ACME.Email }, parseEmail)),
	setting.Row("tls.acme.directory", acme.LetsEncrypt, "URL",
		"The authority, by its ACME directory. For Let's Encrypt's tests, which browsers do not trust, it is https://acme-staging-v02.api.letsencrypt.org/directory.",
		setting.Scalar(func(c *Config) *string { return &c.Server.ACME.Directory }, parseDirectory)),
	setting.Row("tls.acme.ca_file", `""`, setting.KindFile,
		"Who signed the certificate of tls.acme.directory, in PEM form. Only a private authority needs it.",
		setting.Scalar(func(c *Config) *string { return &c.Server.ACME.CAFile }, setting.Any)),
	setting.Row("tls.acme.eab_key_id", `""`, setting.KindText,
		"Id of the key by which the authority knows whose account it is (external account binding). Let's Encrypt needs none.",
		setting.Scalar(func(c *Config) *string { return &c.Server.ACME.EABKeyID }, setting.Any)),
	setting.Secret(setting.Row("tls.acme.eab_key", `""`, setting.KindText,
		"The key that belongs to tls.acme.eab_key_id, as the authority gives it.",
		setting.Scalar(func(c *Config) *string { return &c.Server.ACME.EABKey }, parseEABKey))),
}

// parseDomain takes a name that an authority can ask for: no wildcard, because
// that needs changes of the DNS, and no address.
func parseDomain(text string) (string, error) {
	name, err := hostname.Pattern(text)
	switch {
	case err != nil:
		return "", err
	case strings.Contains(name, "*"):
		return "", fmt.Errorf("%q is a wildcard, which needs changes of the DNS; name each domain, or order it elsewhere and give tls.cert_file", text)
	case !strings.Contains(name, "."):
		return "", fmt.Errorf("%q is no domain that an authority can reach; it looks like realtime.example.com", text)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", fmt.Errorf("%q is an address; certificates are ordered for domains", text)
	}
	return name, nil
}

func parseEmail(text string) (string, error) {
	if text != "" && !strings.Contains(text, "@") {
		return "", errors.New("is not an address such as ops@example.com")
	}
	return text, nil
}

func parseDirectory(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", errors.New("is not a URL such as " + acme.LetsEncrypt)
	}
	return text, nil
}

func parseEABKey(text string) (string, error) {
	if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "=")); err != nil {
		return "", errors.New("is not in base64url, as authorities give it")
	}
	return strings.TrimRight(text, "="), nil
}

// acmeCertificate notes settings that lack what they need, and reports whether
// certificates are ordered.
func (l *loader) acmeCertificate() bool {
	s := &l.config.Server
	a := s.ACME
	if _, asked := l.merged["tls.acme.domains"]; asked && len(a.Domains) == 0 && len(l.problems) > 0 {
		return true // what is wrong with them was said
	}
	if len(a.Domains) == 0 {
		for _, other := range []struct{ name, value string }{
			{"tls.acme.email", a.Email}, {"tls.acme.ca_file", a.CAFile}, {"tls.acme.eab_key_id", a.EABKeyID}, {"tls.acme.eab_key", a.EABKey},
		} {
			if other.value != "" {
				l.problems.add(l.place(other.name), other.name, "is given, but tls.acme.domains is not; name the domains or take it away")
			}
		}
		return false
	}
	if s.TLSListen == "" {
		l.problems.add(l.place("tls.acme.domains"), "tls.acme.domains", "is given, but tls.listen is not; add tls.listen: 0.0.0.0:443")
	}
	for _, file := range []struct{ name, value string }{{"tls.cert_file", s.TLSCertFile}, {"tls.key_file", s.TLSKeyFile}} {
		if file.value != "" {
			l.problems.add(l.place(file.name), file.name, "is given, and so is tls.acme.domains; take one of them away")
		}
	}
	if (a.EABKeyID == "") != (a.EABKey == "") {
		l.problems.add(l.place("tls.acme.domains"), "tls.acme.eab_key_id", "and tls.acme.eab_key belong together; one of them is missing")
	}
	if text, ok := l.read("tls.acme.ca_file", a.CAFile); ok && !x509.NewCertPool().AppendCertsFromPEM(text) {
		l.problems.add(l.place("tls.acme.ca_file"), "tls.acme.ca_file", "there is no certificate in %s", a.CAFile)
	}
	return true
}
