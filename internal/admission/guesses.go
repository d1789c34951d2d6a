package admission

import (
	"crypto/sha256"
	"crypto/subtle"
	"hash/maphash"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/forwarded"
	"github.com/belfryhq/belfry/internal/rate"
)

// guessing is how many wrong secrets one address may try.
var guessing = rate.Limit{Tokens: 10, Window: time.Minute}

// A Secret is something that callers have to know. Each address may try ten
// wrong ones, and then one every six seconds. It is safe for concurrent use.
type Secret struct {
	want    [sha256.Size]byte
	trusted forwarded.Proxies
	now     func() time.Time
	callers addresses[caller]
	others  caller // all addresses together that are too many to be known

	wrong, slowed prometheus.Counter
}

// A caller is one address that has given a secret.
type caller struct {
	mu      sync.Mutex
	guesses rate.Limiter
	wrong   [][sha256.Size]byte // those that it gave last, the oldest first
}

// wrongKept is how many wrong secrets of one address are remembered.
const wrongKept = 8

// A SecretConfig is what NewSecret needs.
type SecretConfig struct {
	Secret         string // must not be empty
	TrustedProxies forwarded.Proxies
	Registerer     prometheus.Registerer // nil: no metrics are registered
	Now            func() time.Time      // nil: time.Now
}

// NewSecret returns what checks a secret.
func NewSecret(cfg SecretConfig) *Secret {
	if cfg.Secret == "" {
		panic("admission: no secret")
	}
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_admin_tokens_refused_total",
		Help: "Tokens for the admin API that were refused: wrong, or not looked at because their address gave too many wrong ones.",
	}, []string{"reason"})
	s := &Secret{
		want:    sha256.Sum256([]byte(cfg.Secret)),
		trusted: cfg.TrustedProxies,
		now:     cfg.Now,
		callers: addresses[caller]{seed: maphash.MakeSeed()},
		wrong:   refused.WithLabelValues("wrong"),
		slowed:  refused.WithLabelValues("slowed"),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(refused)
	}
	return s
}

// Is reports whether something is the secret. It counts nothing.
func (s *Secret) Is(given string) bool {
	got := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(got[:], s.want[:]) == 1
}

// Try reports whether something that came with a request is right: the secret, or
// what else opens the same door. Right says so, and is called while it may be
// tried; all that is tried counts together. If wait is above zero it was not looked
// at, right or wrong, and is not until then.
//
// The same wrong one again is no new guess: programs whose secrets are out of
// date do not keep others of their address out. It may be right by now.
func (s *Secret) Try(r *http.Request, given string, right func() bool) (ok bool, wait time.Duration) {
	now, got := s.now(), sha256.Sum256([]byte(given))
	c := s.callers.get(s.address(r), now)
	if c == nil {
		c = &s.others
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.wrong, got); i >= 0 { // of what is wrong, hashes are no secret
		if right() {
			c.wrong = slices.Delete(c.wrong, i, i+1)
			return true, 0
		}
		s.wrong.Inc()
		return false, 0
	}
	if wait := c.guesses.Wait(now, guessing); wait > 0 {
		s.slowed.Inc()
		return false, wait
	}
	if right() {
		return true, 0
	}
	c.guesses.Take(now, 1, guessing)
	if len(c.wrong) == wrongKept {
		c.wrong = slices.Delete(c.wrong, 0, 1)
	}
	c.wrong = append(c.wrong, got)
	s.wrong.Inc()
	return false, 0
}

// address is what a caller is known by: that of the client, or of the proxy
// which does not name it.
func (s *Secret) address(r *http.Request) netip.Addr {
	if addr, ok := s.trusted.Client(r); ok {
		return Network(addr)
	}
	peer, _ := forwarded.Peer(r)
	return peer
}
