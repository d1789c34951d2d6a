// Package admission decides by the address of a client whether it may try to
// connect, before the upgrade and before anything else is known about it. It
// also decides whether the client may try another secret.
//
// The address is that of the TCP connection. If that is a trusted proxy, it is
// the one that the proxy names. A proxy that names nobody is not limited,
// because it stands for everybody behind it. Of an IPv6 address the first 64
// bits count, since every customer has at least such a network.
//
// # Locks
//
// Each shard of a table has a lock, a leaf, and so has each caller of a secret.
package admission

import (
	"hash/maphash"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/forwarded"
	"github.com/belfryhq/belfry/internal/rate"
)

// Config says how much is admitted.
type Config struct {
	// PerMinute is how often one address may try, a minute's worth at once.
	// Zero means no limit.
	PerMinute int
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies forwarded.Proxies
	Registerer     prometheus.Registerer // nil: no metrics are registered
	Now            func() time.Time      // nil: time.Now
}

// A Limiter counts attempts. It is safe for concurrent use.
type Limiter struct {
	perMinute atomic.Int64
	trusted   forwarded.Proxies
	now       func() time.Time
	attempts  addresses[rate.Limiter]

	refused, uncounted prometheus.Counter
}

// New returns a limiter.
func New(cfg Config) *Limiter {
	l := &Limiter{
		trusted:  cfg.TrustedProxies,
		now:      cfg.Now,
		attempts: addresses[rate.Limiter]{seed: maphash.MakeSeed()},
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_connection_attempts_refused_total", Help: "Attempts to connect that were refused because their address tried too often.",
		}),
		uncounted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_connection_attempts_uncounted_total", Help: "Attempts to connect that were let through because there were too many addresses to count.",
		}),
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.SetPerMinute(cfg.PerMinute)
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(l.refused, l.uncounted)
	}
	return l
}

// SetPerMinute changes the limit.
func (l *Limiter) SetPerMinute(n int) { l.perMinute.Store(int64(n)) }

// Admit counts an attempt and reports whether it may go on; if not, it returns
// after how long another may.
func (l *Limiter) Admit(r *http.Request) (wait time.Duration, ok bool) {
	perMinute := int(l.perMinute.Load())
	if perMinute <= 0 {
		return 0, true
	}
	addr, known := l.trusted.Client(r)
	if !known {
		return 0, true
	}
	now := l.now()
	bucket := l.attempts.get(Network(addr), now)
	if bucket == nil {
		l.uncounted.Inc()
		return 0, true
	}
	if wait, ok = bucket.Take(now, 1, rate.PerMinute(perMinute)); !ok {
		l.refused.Inc()
	}
	return wait, ok
}

// Wrap refuses requests with status 429 that are not admitted.
func (l *Limiter) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait, ok := l.Admit(r)
		if !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			http.Error(w, "too many attempts to connect from this address", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Network is what attempts are counted by.
func Network(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return addr
	}
	const customer = 64
	prefix, err := addr.WithZone("").Prefix(customer)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}
