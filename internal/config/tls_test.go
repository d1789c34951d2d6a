package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"
)

// writePair makes a certificate that is valid until then, and its key.
func writePair(t *testing.T, cert, key string, until time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: until}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: certDER}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"files without a listener": {"tls: {cert_file: cert.pem, key_file: key.pem}", []string{
			"belfry.yaml:1: tls.cert_file: is given, but tls.listen is not; add tls.listen: 0.0.0.0:443 or take it away"}},
		"key without a listener": {"tls: {key_file: key.pem}", []string{
			"belfry.yaml:1: tls.key_file: is given, but tls.listen is not; add tls.listen: 0.0.0.0:443 or take it away"}},
		"listener alone": {"tls: {listen: \":6443\"}", []string{
			"belfry.yaml:1: tls.cert_file: is missing; tls.listen needs a certificate, or tls.acme.domains",
			"belfry.yaml:1: tls.key_file: is missing; tls.listen needs the key of the certificate"}},
		"no key": {"tls: {listen: \":6443\", cert_file: cert.pem}", []string{
			"belfry.yaml:1: tls.key_file: is missing; tls.listen needs the key of the certificate"}},
		"files that are not there": {"tls:\n  listen: \":6443\"\n  cert_file: none.pem\n  key_file: none.key", []string{
			"belfry.yaml:3: tls.cert_file: none.pem can not be read: no such file or directory",
			"belfry.yaml:4: tls.key_file: none.key can not be read: no such file or directory"}},
		"other key": {"tls:\n  listen: \":6443\"\n  cert_file: cert.pem\n  key_file: other.key", []string{
			"belfry.yaml:3: tls.cert_file: does not make a pair with tls.key_file: tls: private key does not match public key"}},
		"admin port without a key": {"admin: {tls: {cert_file: cert.pem}}", []string{
			"belfry.yaml:1: admin.tls.key_file: is missing; it is the key of admin.tls.cert_file"}},
		"admin port without a certificate": {"admin: {tls: {key_file: key.pem}}", []string{
			"belfry.yaml:1: admin.tls.cert_file: is missing; admin.tls.key_file belongs to a certificate"}},
		"admin port that is off": {"admin: {listen: off, tls: {cert_file: cert.pem, key_file: key.pem}}", []string{
			"belfry.yaml:1: admin.tls.cert_file: is given, but admin.listen is off"}},
		"admin port with another key": {"admin: {tls: {cert_file: cert.pem, key_file: other.key}}", []string{
			"belfry.yaml:1: admin.tls.cert_file: does not make a pair with admin.tls.key_file: tls: private key does not match public key"}},
		"clash": {"tls:\n  listen: \":6001\"\n  cert_file: cert.pem\n  key_file: key.pem", []string{
			"belfry.yaml:2: tls.listen: :6001 is taken by listen (0.0.0.0:6001)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := inFile(t, tt.file)
			writePair(t, "cert.pem", "key.pem", time.Now().Add(time.Hour))
			writePair(t, "other.pem", "other.key", time.Now().Add(time.Hour))
			expectProblems(t, s, tt.want)
		})
	}
}

func TestTLSPairIsTaken(t *testing.T) {
	s := inFile(t, "listen: off\ntls: {listen: \":6443\", cert_file: cert.pem, key_file: key.pem}")
	writePair(t, "cert.pem", "key.pem", time.Now().Add(time.Hour))
	c := load(t, s)
	if c.Server.Listen != "" || c.Server.TLSListen != ":6443" || c.Server.TLSCertFile != "cert.pem" || c.Server.TLSKeyFile != "key.pem" {
		t.Errorf("TLS settings = %+v", c.Server)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings = %v, want none", c.Warnings)
	}
}

func TestAdminPortWithTLSIsNotWarnedOf(t *testing.T) {
	s := inFile(t, "admin: {listen: \"10.0.0.1:6002\", tls: {cert_file: cert.pem, key_file: key.pem}}")
	writePair(t, "cert.pem", "key.pem", time.Now().Add(time.Hour))
	c := load(t, s)
	if c.Server.AdminTLSCertFile != "cert.pem" || c.Server.AdminTLSKeyFile != "key.pem" || len(c.Warnings) != 0 {
		t.Errorf("admin.tls = %q, %q with warnings %v", c.Server.AdminTLSCertFile, c.Server.AdminTLSKeyFile, c.Warnings)
	}
}

func TestExpiredCertificateIsWarnedOf(t *testing.T) {
	s := inFile(t, "tls: {listen: \":6443\", cert_file: cert.pem, key_file: key.pem}")
	until := time.Now().Add(-48 * time.Hour)
	writePair(t, "cert.pem", "key.pem", until)
	want := "belfry.yaml:1: tls.cert_file: has expired on " + until.UTC().Format(time.DateOnly) + "; clients will refuse it"
	if got := load(t, s).Warnings.Error(); got != want {
		t.Errorf("warnings = %q, want %q", got, want)
	}
}
