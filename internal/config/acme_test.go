package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/acme"
)

func TestACME(t *testing.T) {
	const domain = "tls: {acme: {domains: [realtime.example.com]"
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"no listener": {domain + "}}", []string{
			"belfry.yaml:1: tls.acme.domains: is given, but tls.listen is not; add tls.listen: 0.0.0.0:443"}},
		"files too": {domain + "}, listen: \":443\", cert_file: cert.pem, key_file: key.pem}", []string{
			"belfry.yaml:1: tls.cert_file: is given, and so is tls.acme.domains; take one of them away",
			"belfry.yaml:1: tls.key_file: is given, and so is tls.acme.domains; take one of them away"}},
		"no domains": {"tls: {acme: {email: a@example.com}}", []string{
			"belfry.yaml:1: tls.acme.email: is given, but tls.acme.domains is not; name the domains or take it away"}},
		"wildcard": {"tls: {listen: \":443\", acme: {domains: [\"*.example.com\"]}}", []string{
			`belfry.yaml:1: tls.acme.domains: "*.example.com" is a wildcard, which needs changes of the DNS; name each domain, or order it elsewhere and give tls.cert_file`}},
		"address": {"tls: {listen: \":443\", acme: {domains: [10.0.0.1]}}", []string{
			`belfry.yaml:1: tls.acme.domains: "10.0.0.1" is an address; certificates are ordered for domains`}},
		"no dot": {"tls: {listen: \":443\", acme: {domains: [belfry]}}", []string{
			`belfry.yaml:1: tls.acme.domains: "belfry" is no domain that an authority can reach; it looks like realtime.example.com`}},
		"directory without encryption": {domain + ", directory: \"http://ca.example/dir\"}, listen: \":443\"}", []string{
			"belfry.yaml:1: tls.acme.directory: is not a URL such as https://acme-v02.api.letsencrypt.org/directory"}},
		"half a binding": {domain + ", eab_key_id: x}, listen: \":443\"}", []string{
			"belfry.yaml:1: tls.acme.eab_key_id: and tls.acme.eab_key belong together; one of them is missing"}},
		"authority that is none": {domain + ", ca_file: key.pem}, listen: \":443\"}", []string{
			"belfry.yaml:1: tls.acme.ca_file: there is no certificate in key.pem"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := inFile(t, tt.file)
			writePair(t, "cert.pem", "key.pem", time.Now().Add(time.Hour))
			expectProblems(t, s, tt.want)
		})
	}
}

func TestACMEIsTaken(t *testing.T) {
	c := load(t, inFile(t, "tls: {listen: \":443\", acme: {domains: [Realtime.Example.com, ws.example.com], email: ops@example.com, eab_key_id: id, eab_key: c2VjcmV0}}"))
	want := acme.Settings{
		Domains: []string{"realtime.example.com", "ws.example.com"}, Email: "ops@example.com", Directory: acme.LetsEncrypt,
		EABKeyID: "id", EABKey: "c2VjcmV0",
	}
	if diff := cmp.Diff(want, c.Server.ACME); diff != "" {
		t.Error(diff)
	}
}
