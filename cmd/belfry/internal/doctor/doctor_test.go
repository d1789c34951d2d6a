package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// examine makes all checks of an address and returns the finding of one.
func examine(t *testing.T, address, check string, change func(*Config)) Finding {
	t.Helper()
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Base: base, Timeout: 2 * time.Second, Agent: "test"}
	if change != nil {
		change(&cfg)
	}
	report := Run(t.Context(), cfg, func(Finding) {})
	for _, f := range report.Findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no check %s in %+v", check, report)
	return Finding{}
}

// An authority signs certificates of tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string, by *authority) *authority {
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}
	return issue(t, c, by)
}

// issue makes a key and a certificate for it, signed by an authority or, with
// nil, by itself.
func issue(t *testing.T, c *x509.Certificate, by *authority) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	signer := &authority{c, key}
	if by != nil {
		signer = by
	}
	der, err := x509.CreateCertificate(rand.Reader, c, signer.cert, &key.PublicKey, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func leafFor(name string, from, to time.Duration) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

func TestWhatIsWrongWithAChainIsSaid(t *testing.T) {
	root := newAuthority(t, "Root", nil)
	middle := newAuthority(t, "Middle", root)
	const year = 9000 * time.Hour
	for name, test := range map[string]struct {
		leaf    *authority
		chain   []*authority
		verdict Verdict
		detail  string
		advice  string
	}{
		"right":            {issue(t, leafFor("localhost", -time.Hour, year), middle), []*authority{middle}, OK, "a certificate of Middle", ""},
		"ends soon":        {issue(t, leafFor("localhost", -time.Hour, 30*time.Hour), middle), []*authority{middle}, Warning, "in 1 days", "renew"},
		"ended":            {issue(t, leafFor("localhost", -time.Hour, -time.Minute), middle), []*authority{middle}, Failed, "ended", "renew"},
		"not yet":          {issue(t, leafFor("localhost", time.Hour, year), middle), []*authority{middle}, Failed, "begins only", "clock"},
		"for another":      {issue(t, leafFor("shop.example", -time.Hour, year), middle), []*authority{middle}, Failed, "is for shop.example, not for localhost", ""},
		"without middle":   {issue(t, leafFor("localhost", -time.Hour, year), middle), nil, Failed, "sends its own certificate alone", "fullchain.pem"},
		"signed by itself": {issue(t, leafFor("localhost", -time.Hour, year), nil), nil, Failed, "signed by itself", "SSL_CERT_FILE"},
		"an unknown root":  {issue(t, leafFor("localhost", -time.Hour, year), newAuthority(t, "Other", nil)), []*authority{middle}, Failed, "not known here", "SSL_CERT_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			chain := [][]byte{test.leaf.cert.Raw}
			for _, a := range test.chain {
				chain = append(chain, a.cert.Raw)
			}
			server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: test.leaf.key}}}
			server.StartTLS()
			defer server.Close()
			roots := x509.NewCertPool()
			roots.AddCert(root.cert)
			_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
			f := examine(t, "https://localhost:"+port, "tls", func(cfg *Config) { cfg.RootCAs = roots })
			if f.Verdict != test.verdict || !strings.Contains(f.Detail, test.detail) || !strings.Contains(f.Advice, test.advice) {
				t.Errorf("%+v, want %s with %q and %q", f, test.verdict, test.detail, test.advice)
			}
		})
	}
}

func TestPortWithoutTLSIsNamed(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	f := examine(t, strings.Replace(server.URL, "http", "https", 1), "tls", nil)
	if f.Verdict != Failed || !strings.Contains(f.Advice, "http://") {
		t.Errorf("%+v, want advice to write http://", f)
	}
}

func TestPortWithTLSIsNamedToWhoWritesHTTP(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	f := examine(t, strings.Replace(server.URL, "https", "http", 1), "upgrade", nil)
	if f.Verdict != Failed || !strings.Contains(f.Advice, "https://") {
		t.Errorf("%+v, want advice to write https://", f)
	}
}

func TestClockThatIsWrongIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		offset  time.Duration
		verdict Verdict
		detail  string
	}{
		"right":    {0, OK, "agree"},
		"slow":     {-time.Minute, Warning, "1m0s behind"},
		"far away": {time.Hour, Failed, "1h0m0s ahead"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// Half a second less is what a Date without fractions has on average.
				w.Header().Set("Date", time.Now().Add(test.offset-500*time.Millisecond).Round(time.Second).UTC().Format(http.TimeFormat))
				w.WriteHeader(http.StatusUnauthorized)
			}))
			defer server.Close()
			f := examine(t, server.URL, "clock", nil)
			// A second more or less is rounding.
			near := strings.Contains(f.Detail, test.detail) || f.Verdict == test.verdict && test.verdict != OK
			if f.Verdict != test.verdict || !near {
				t.Errorf("%+v, want %s with %q", f, test.verdict, test.detail)
			}
		})
	}
}

// TestRefusedSignatureHasItsCause: what a service says about a request that is
// signed, and what follows from it.
func TestRefusedSignatureHasItsCause(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		advice string
	}{
		"secret":    {401, `Invalid signature: you should have sent HmacSHA256Hex("GET\n/x/apps/1/channels\nauth_key=k", your_secret_key), but you sent "b"`, "the secret is not that of the key k"},
		"path":      {401, `Invalid signature: you should have sent HmacSHA256Hex("GET\n/apps/1/channels\nauth_key=k", your_secret_key), but you sent "b"`, "a proxy rewrites it"},
		"key":       {401, "Unknown auth_key", "has no key k"},
		"clock":     {401, "Timestamp expired: Given timestamp (x) not within 600s", "NTP"},
		"elsewhere": {302, "", "do not follow redirects"},
		"nothing":   {404, "page not found", "a proxy in front must pass it on"},
		"down":      {502, "bad gateway", "down or overloaded"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(test.status)
				fmt.Fprintln(w, test.body)
			}))
			defer server.Close()
			f := examine(t, server.URL+"/x", "signature", func(cfg *Config) { cfg.AppID, cfg.Key, cfg.Secret = "1", "k", "hidden" })
			if f.Verdict != Failed || !strings.Contains(f.Advice, test.advice) {
				t.Errorf("%+v, want %q", f, test.advice)
			}
			if strings.Contains(fmt.Sprint(f), "hidden") {
				t.Errorf("%+v has the secret in it", f)
			}
		})
	}
}

func TestWhatStrangersSayIsPrintedOnOneLine(t *testing.T) {
	if got, want := printable("a\x1b[31m\r\nb\u202ec\xff "), "a [31m  b c?"; got != want {
		t.Errorf("printable = %q, want %q", got, want)
	}
	if got := printable(strings.Repeat("é", 1000)); len([]rune(got)) != 301 {
		t.Errorf("%d characters are left, want 301", len([]rune(got)))
	}
}
