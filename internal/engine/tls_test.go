package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An authority signs certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	a.key, der = sign(t, template, template, nil)
	a.cert, _ = x509.ParseCertificate(der)
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func sign(t *testing.T, template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certify gives a node a certificate of the authority, which has no address
// in it.
func (a *authority) certify(t *testing.T, s *site, until time.Time) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: s.cfg.Cluster.Name}, NotAfter: until}
	key, der := sign(t, template, a.cert, a.key)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := &s.cfg.Cluster
	c.CertFile, c.KeyFile, c.CAFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), a.file
	writePEM(t, c.CertFile, "CERTIFICATE", der)
	writePEM(t, c.KeyFile, "PRIVATE KEY", private)
}

func TestNodesKnowEachOtherByTheirAuthority(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	later := time.Now().Add(time.Hour)
	list := sites(t, 2)
	for _, s := range list {
		ours.certify(t, s, later)
	}
	start(t, list...)
	put(t, list[0], "a")
	reads(t, list[1], "a")
	strangers := map[string]func(*site){
		"no certificate":      func(*site) {},
		"another authority":   func(s *site) { theirs.certify(t, s, later) },
		"expired certificate": func(s *site) { ours.certify(t, s, time.Now().Add(-time.Minute)) },
		"trusts us, but is another's": func(s *site) {
			theirs.certify(t, s, later)
			s.cfg.Cluster.CAFile = ours.file
		},
	}
	for name, make := range strangers {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "node-3", list[0].cfg.Cluster.Listen, list[1].cfg.Cluster.Listen)
			make(s)
			refused(t, s)
		})
	}
	members(t, list[0], "node-1", "node-2")
}

func TestCertificateThatIsNotThere(t *testing.T) {
	s := newSite(t, "node-1")
	newAuthority(t).certify(t, s, time.Now().Add(time.Hour))
	for _, file := range []string{s.cfg.Cluster.CAFile, s.cfg.Cluster.CertFile} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if e, err := Open(t.Context(), s.cfg); err == nil {
			s.engine = e
			t.Errorf("Open without %s succeeds", filepath.Base(file))
		}
	}
}
