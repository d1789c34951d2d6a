// Package acme gets certificates from an authority that speaks ACME (RFC 8555),
// such as Let's Encrypt, and renews them.
//
// certmagic does the work. What it keeps (certificates, keys, the account, the
// challenges that are open) is in a stream of the engine. So any node of a
// cluster answers a challenge, and a lock there makes one node order what all
// of them use. While the engine can not be written, what is in use stays in
// use.
//
// The authority proves that we have a name by asking for it on port 80
// (HTTP-01), or with a handshake on port 443 (TLS-ALPN-01). The listeners of
// clients answer both. Wildcards would need changes of the DNS, and are not
// ordered.
//
// # Locks
//
// locks.mu guards which locks this node has, and is a leaf.
package acme

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// LetsEncrypt is the directory of the authority that most people use.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// Protocol is the one that an authority asks for in a handshake to see that
// the name is ours (RFC 8737). A listener must offer it.
const Protocol = acmez.ACMETLS1Protocol

// maxChallenges is how many challenges are answered at once. Each may read the
// engine, and anybody can ask.
const maxChallenges = 16

// Settings say which certificates are ordered, and where.
type Settings struct {
	Domains   []string // names to order a certificate for each; none: nothing is ordered
	Email     string   // whom the authority writes to; may be empty
	Directory string   // URL of the authority; empty: LetsEncrypt
	CAFile    string   // PEM, who signed the certificate of Directory; empty: the authorities that the system trusts
	// EABKeyID and EABKey (base64url) bind the account to one that exists
	// (external account binding), where the authority asks for it.
	EABKeyID, EABKey string
}

// Config is what a [Source] stands on. JetStream and Stream are required.
type Config struct {
	Settings
	JetStream jetstream.JetStream
	Stream    jetstream.Stream // as StreamConfig says
	// Plain and TLS are the addresses of the listeners that answer challenges.
	// Nil means that there is none.
	Plain, TLS net.Addr
	Registerer prometheus.Registerer // nil: no metrics are registered
	Log        *slog.Logger          // nil: no log
}

// roots are the authorities that may have signed the certificate of Directory,
// or nil for those of the system.
func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("acme: no certificate in %s", c.CAFile)
	}
	return pool, nil
}

// A Source has the certificates. Its methods are safe for concurrent use.
type Source struct {
	cfg     Config
	log     *slog.Logger
	store   *store
	cache   *certmagic.Cache
	magic   *certmagic.Config
	issuer  *certmagic.ACMEIssuer
	answers chan struct{} // has an element for each challenge that is answered now
	end     context.CancelFunc
}

// Open makes a source that has nothing yet; see [Source.Begin].
func Open(cfg Config) (*Source, error) {
	cfg.Directory = cmp.Or(cfg.Directory, LetsEncrypt)
	s := &Source{cfg: cfg, log: cfg.Log, answers: make(chan struct{}, maxChallenges)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	s.store = newStore(cfg.JetStream, cfg.Stream, lockExpiry, s.log)
	detailed := details(s.log)
	s.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return s.magic, nil },
		Logger:           detailed,
	})
	s.magic = certmagic.New(s.cache, certmagic.Config{
		Storage:            s.store,
		DefaultServerName:  cfg.Domains[0], // of clients that name none
		FallbackServerName: cfg.Domains[0],
		OCSP:               certmagic.OCSPConfig{DisableStapling: true}, // the large authorities have ended it
		OnEvent:            s.tell,
		ShouldEmitFunc:     func(event string) bool { return event == obtained || event == failed },
		Logger:             detailed,
	})
	s.issuer = certmagic.NewACMEIssuer(s.magic, s.template(roots, detailed))
	s.magic.Issuers = []certmagic.Issuer{s.issuer}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(expiry{s.cache, cfg.Domains})
	}
	return s, nil
}

// Begin reads the certificates, orders those that are missing, and renews all,
// until Close. It does not wait for them. It is called once, when challenges
// can be answered.
func (s *Source) Begin() error {
	life, end := context.WithCancel(context.Background())
	s.end = end
	if err := s.magic.ManageAsync(life, s.cfg.Domains); err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	return nil
}

// Close ends all orders, and gives back the locks of this node until ctx ends.
func (s *Source) Close(ctx context.Context) {
	if s.end != nil {
		s.end()
	}
	s.cache.Stop()
	s.store.close(ctx)
}

// template is how the authority is asked.
func (s *Source) template(roots *x509.CertPool, log *zap.Logger) certmagic.ACMEIssuer {
	t := certmagic.ACMEIssuer{
		CA:                      s.cfg.Directory,
		Email:                   s.cfg.Email,
		Agreed:                  true, // whoever sets domains does, as the docs say
		TrustedRoots:            roots,
		DisableHTTPChallenge:    s.cfg.Plain == nil,
		DisableTLSALPNChallenge: s.cfg.TLS == nil,
		Logger:                  log,
	}
	if s.cfg.EABKeyID != "" {
		t.ExternalAccount = &acme.EAB{KeyID: s.cfg.EABKeyID, MACKey: s.cfg.EABKey}
	}
	// certmagic looks whether something listens there, and leaves it the answer.
	t.ListenHost, t.AltHTTPPort = hostPort(s.cfg.Plain)
	if host, port := hostPort(s.cfg.TLS); port != 0 {
		t.ListenHost, t.AltTLSALPNPort = host, port
	}
	return t
}

func hostPort(a net.Addr) (string, int) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return "", 0
	}
	if tcp.IP.IsUnspecified() {
		return "", tcp.Port
	}
	return tcp.IP.String(), tcp.Port
}
