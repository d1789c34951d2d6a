// Package certificatetest makes certificates for tests. It takes no locks.
package certificatetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// New returns a self-signed certificate and its key, in PEM.
func New(t testing.TB, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// Files are a certificate and its key on disk.
type Files struct {
	Cert, Key string

	t   testing.TB
	age time.Duration // each write is newer by a second, however coarse the file system
}

// Write writes a certificate and its key into files.
func Write(t testing.TB, serial int64) *Files {
	t.Helper()
	dir := t.TempDir()
	p := &Files{t: t, Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), age: time.Hour}
	cert, key := New(t, serial)
	p.Write(p.Cert, cert)
	p.Write(p.Key, key)
	return p
}

// Write replaces one of the files, which is then newer.
func (p *Files) Write(file string, b []byte) {
	p.t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.age -= time.Second
	at := time.Now().Add(-p.age)
	if err := os.Chtimes(file, at, at); err != nil {
		p.t.Fatal(err)
	}
}
