package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/certificate/certificatetest"
)

// serial is that of the certificate which is used now.
func serial(t testing.TB, pair *tls.Certificate) int64 {
	t.Helper()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.SerialNumber.Int64()
}

func TestCertificateIsReloaded(t *testing.T) {
	p := certificatetest.Write(t, 1)
	var log bytes.Buffer
	c, err := Pair(p.Cert, p.Key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	expect := func(after time.Duration, want int64, wantLog string) {
		t.Helper()
		now = now.Add(after)
		log.Reset()
		if got := serial(t, c.at(now)); got != want {
			t.Errorf("certificate %d is used, want %d", got, want)
		}
		if got := log.String(); (got == "") != (wantLog == "") || !strings.Contains(got, wantLog) {
			t.Errorf("the log says %q, want %q", got, wantLog)
		}
	}
	const kept = "TLS certificate not reloaded; the old one stays in use"
	expect(time.Minute, 1, "")
	cert, key := certificatetest.New(t, 2)
	p.Write(p.Cert, cert)
	expect(time.Minute, 1, kept) // the key is that of the old one
	expect(time.Minute, 1, "")   // which is said once
	p.Write(p.Key, key)
	expect(time.Minute, 2, "TLS certificate reloaded")
	expect(time.Minute, 2, "")

	p.Write(p.Cert, []byte("nonsense"))
	expect(time.Minute, 2, kept)
	if err := os.Remove(p.Key); err != nil {
		t.Fatal(err)
	}
	expect(time.Minute, 2, kept)
	cert, key = certificatetest.New(t, 3)
	p.Write(p.Cert, cert)
	p.Write(p.Key, key)
	expect(time.Minute, 3, "reloaded")
	cert, key = certificatetest.New(t, 4)
	p.Write(p.Cert, cert)
	p.Write(p.Key, key)
	expect(check/2, 3, "") // the files are not looked at with every handshake
	expect(check/2, 4, "reloaded")
}

func TestPairRefusesWhatIsNone(t *testing.T) {
	p := certificatetest.Write(t, 1)
	cert, _ := certificatetest.New(t, 2)
	p.Write(p.Cert, cert)
	for _, files := range [][2]string{{p.Cert, p.Key}, {p.Cert, "no such file"}, {"no such file", p.Key}, {p.Key, p.Cert}} {
		if _, err := Pair(files[0], files[1], slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("Pair(%q) = %v, want an error", files, err)
		}
	}
}

// A bad pool, or none, leaves the one before in use: nodes go on to know each
// other.
func TestPoolIsReloaded(t *testing.T) {
	p := certificatetest.Write(t, 1)
	c, err := Pool(p.Cert, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now, first := time.Now(), c.at(time.Now())
	for _, text := range []string{"nonsense", ""} {
		now = now.Add(time.Minute)
		p.Write(p.Cert, []byte(text))
		if !c.at(now).Equal(first) {
			t.Errorf("after %q the pool is another", text)
		}
	}
	other, _ := certificatetest.New(t, 2)
	p.Write(p.Cert, other)
	if c.at(now.Add(time.Minute)).Equal(first) {
		t.Error("the new pool is not used")
	}
	if _, err := Pool(p.Key, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no certificate in") {
		t.Errorf("Pool of a key = %v, want an error", err)
	}
}
