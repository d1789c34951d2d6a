// Package access decides who asks on the administration port: a program or a
// person with the token of the service or a named one, or a browser with a session.
// It knows what roles there are. What each may do, those who answer know.
//
// A session begins with a token, or with a code for which somebody with a
// token has asked. The code is good once, for a minute, so it may stand in the
// address that a terminal shows. Of codes and sessions the gate keeps hashes,
// in memory: neither survives the process, and neither can be read out of it.
// They end with the token that they began with, and so do requests that last.
//
// # Locks
//
// Gate.mu guards codes and sessions. While it is held, nothing is called but what ends
// the life of a session.
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

// Config says who is let in.
type Config struct {
	// Token is the token of the service.
	Token string
	// Tokens are the named ones. Nil: there are none.
	Tokens Tokens
	// Open gives a session to whoever asks. It is for belfry dev, on loopback.
	Open bool
	// Insecure lets sessions begin where their cookie goes over a network
	// without encryption.
	Insecure bool
	// TrustedProxies name the clients whose guesses are counted, and say whether
	// they use TLS.
	TrustedProxies forwarded.Proxies

	// Note is told of logins, logouts and tokens that are not known. It may be nil.
	Note func(Attempt)

	Registerer prometheus.Registerer // nil: no metrics
	Log        *slog.Logger          // nil: no log
	Now        func() time.Time      // nil: time.Now
}

// An Attempt is that somebody showed a token or a code, or logged out.
type Attempt struct {
	Principal        // without a name if he is not known
	What      string // one of the words below
	Refused   bool
}

// What an attempt is.
const (
	Login  = "login"
	Logout = "logout"
	Showed = "token"
)

// A Gate lets requests through that show who asks. It is safe for concurrent
// use.
type Gate struct {
	cfg   Config
	log   *slog.Logger
	token *admission.Secret

	mu       sync.Mutex
	codes    map[hash]*code
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
		codes:    make(map[hash]*code),
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

// A caller is who asks, and how long he is let in.
type caller struct {
	Principal
	life context.Context // of the token or the session: what was begun with it ends with it
}

// at is who asks, from an address.
func (c caller) at(address string) Principal {
	c.From = address
	return c.Principal
}

// Wrap lets requests through to next that show who asks. Their context ends when he
// is not let in any more.
func (g *Gate) Wrap(next http.Handler) http.Handler {
	return jsonhttp.Handler(g.log, func(w http.ResponseWriter, r *http.Request) error {
		c, err := g.caller(w, r)
		if err == errWrong {
			g.note(Attempt{Principal{From: g.address(r)}, Showed, true})
		}
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(NewContext(r.Context(), c.at(g.address(r))))
		defer cancel()
		defer context.AfterFunc(c.life, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
		return nil
	})
}

// note tells of an attempt.
func (g *Gate) note(a Attempt) {
	if g.cfg.Note != nil {
		g.cfg.Note(a)
	}
}

// address is that of whoever asks: of the client, or of the proxy that does not name it.
func (g *Gate) address(r *http.Request) string {
	addr, ok := g.cfg.TrustedProxies.Client(r)
	if !ok {
		if addr, ok = forwarded.Peer(r); !ok {
			return ""
		}
	}
	return addr.String()
}

// caller is who asks. A token in the request goes before a session.
func (g *Gate) caller(w http.ResponseWriter, r *http.Request) (caller, error) {
	if r.Header.Get("Authorization") == "" {
		s, err := g.session(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="belfry"`)
			return caller{}, err
		}
		return s.now(g.cfg.Now()), nil
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if given = strings.TrimSpace(given); !strings.EqualFold(scheme, "Bearer") || given == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="belfry"`)
		return caller{}, errNobody
	}
	return g.holder(w, r, given, ViaToken)
}

var (
	errNobody = jsonhttp.Refuse(http.StatusUnauthorized, "A token is needed: Authorization: Bearer …")
	errWrong  = jsonhttp.Refuse(http.StatusUnauthorized, "The token is not known: it is neither the one of this node nor a named one that is valid.")
)

// holder is who has a token.
func (g *Gate) holder(w http.ResponseWriter, r *http.Request, given string, via Via) (c caller, err error) {
	var token *Token
	if g.cfg.Tokens != nil && named(given) {
		if token, err = g.cfg.Tokens.Find(given); err != nil && !g.token.Is(given) {
			w.Header().Set("Retry-After", "1")
			return c, &jsonhttp.Problem{
				Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
				Detail: "The named tokens can not be read from the engine yet. The token of the service works.", Err: err,
			}
		}
	}
	err = g.guess(w, r, given, func() bool {
		switch {
		case token != nil:
			c = caller{Principal{Name: token.Name, Role: token.Role, Apps: token.Apps, Via: via}, token.Life}
		case g.token.Is(given):
			c = caller{operator(via), context.Background()}
		default:
			return false
		}
		return true
	})
	return c, err
}

// guess looks at something that was given, unless too much of it was wrong.
func (g *Gate) guess(w http.ResponseWriter, r *http.Request, given string, known func() bool) error {
	right, wait := g.token.Try(r, given, known)
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
