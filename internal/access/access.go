// Package access decides who asks on the administration port: a program or a
// person with the token of the service, or a browser with a session.
//
// A session begins with the token, or with a code for which somebody with the
// token has asked. The code is good once, for a minute, so it may stand in the
// address that a terminal shows. Of codes and sessions the gate keeps hashes,
// in memory: neither survives the process, and neither can be read out of it.
//
// # Locks
//
// Gate.mu guards codes and sessions. Nothing is called while it is held.
package access

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/admission"
	"github.com/belfryhq/belfry/internal/forwarded"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// A Role says what somebody may do.
type Role string

// Operator may do everything.
const Operator Role = "operator"

// A Principal is who asks.
type Principal struct {
	Name string `json:"name"` // for people
	Role Role   `json:"role"`
	Via  Via    `json:"via"`
}

// Via is how somebody has shown who he is.
type Via string

// The ways in.
const (
	ViaToken Via = "token" // in the request itself
	ViaLogin Via = "login" // a session that began with a token
	ViaCode  Via = "code"  // a session that began with a code of the command line
	ViaOpen  Via = "open"  // a session for which nobody had to show anything
)

// Config says who is let in.
type Config struct {
	// Token is the token of the service.
	Token string
	// Open gives a session to whoever asks. It is for belfry dev, on loopback.
	Open bool
	// Insecure lets sessions begin where their cookie goes over a network
	// without encryption.
	Insecure bool
	// TrustedProxies name the clients whose guesses are counted, and say whether
	// they use TLS.
	TrustedProxies forwarded.Proxies

	Registerer prometheus.Registerer // nil: no metrics
	Log        *slog.Logger          // nil: no log
	Now        func() time.Time      // nil: time.Now
}

// A Gate lets requests through that show who asks. It is safe for concurrent
// use.
type Gate struct {
	cfg   Config
	log   *slog.Logger
	token *admission.Secret

	mu       sync.Mutex
	codes    map[hash]time.Time // until when each is good
	sessions map[hash]*session
}

type hash [sha256.Size]byte

// New returns a gate.
func New(cfg Config) *Gate {
	g := &Gate{
		cfg: cfg,
		log: cfg.Log,
		token: admission.NewSecret(admission.SecretConfig{
			Secret: cfg.Token, TrustedProxies: cfg.TrustedProxies, Registerer: cfg.Registerer, Now: cfg.Now,
		}),
		codes:    make(map[hash]time.Time),
		sessions: make(map[hash]*session),
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.cfg.Now == nil {
		g.cfg.Now = time.Now
	}
	return g
}

type principalKey struct{}

// From returns who asks, in a request that was let through.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// Wrap lets requests through to next that show who asks.
func (g *Gate) Wrap(next http.Handler) http.Handler {
	return jsonhttp.Handler(g.log, func(w http.ResponseWriter, r *http.Request) error {
		p, err := g.principal(w, r)
		if err != nil {
			return err
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, p)))
		return nil
	})
}

// principal is who asks. A token in the request goes before a session.
func (g *Gate) principal(w http.ResponseWriter, r *http.Request) (Principal, error) {
	if r.Header.Get("Authorization") == "" {
		s, err := g.session(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="belfry"`)
			return Principal{}, err
		}
		return s.Principal, nil
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if given = strings.TrimSpace(given); !strings.EqualFold(scheme, "Bearer") || given == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="belfry"`)
		return Principal{}, errNobody
	}
	if err := g.guess(w, r, given, g.token.Check); err != nil {
		return Principal{}, err
	}
	return Principal{Name: "the token of the service", Role: Operator, Via: ViaToken}, nil
}

var (
	errNobody = jsonhttp.Refuse(http.StatusUnauthorized, "A token is needed: Authorization: Bearer …")
	errWrong  = jsonhttp.Refuse(http.StatusUnauthorized, "The token is not the one of this node.")
)

// guess looks at something that was given, unless too much of it was wrong.
func (g *Gate) guess(w http.ResponseWriter, r *http.Request, given string, check func(*http.Request, string) (bool, time.Duration)) error {
	right, wait := check(r, given)
	if wait > 0 {
		seconds := int(math.Ceil(wait.Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		return jsonhttp.Refuse(http.StatusTooManyRequests, "Too many wrong tokens came from this address; try again in %d s.", seconds)
	}
	if !right {
		w.Header().Set("WWW-Authenticate", `Bearer realm="belfry", error="invalid_token"`)
		return errWrong
	}
	return nil
}
