package admin

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/internal/admission"
	"github.com/belfryhq/belfry/internal/hostname"
	"github.com/belfryhq/belfry/internal/rest"
)

// hosted answers only requests for hosts that are known.
func (c Config) hosted(next http.Handler) http.Handler {
	if c.Hosts == nil {
		return next
	}
	refuse := rest.Handler(c.Log, func(_ http.ResponseWriter, r *http.Request) error {
		return rest.Refuse(http.StatusForbidden, "This port does not answer to the name %q: set admin.hosts, or use an address.", hostname.Of(r.Host))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/metrics":
			next.ServeHTTP(w, r)
			return
		}
		if !c.Hosts(r.Host) {
			refuse.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bearer lets requests through to next that have the token.
func (c Config) bearer(next http.Handler) http.Handler {
	token := admission.NewSecret(admission.SecretConfig{Secret: c.Token, TrustedProxies: c.TrustedProxies, Registerer: c.Registerer})
	return rest.Handler(c.Log, func(w http.ResponseWriter, r *http.Request) error {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if given = strings.TrimSpace(given); !strings.EqualFold(scheme, "Bearer") || given == "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="belfry"`)
			return rest.Refuse(http.StatusUnauthorized, "A token is needed: Authorization: Bearer …")
		}
		right, wait := token.Check(r, given)
		if wait > 0 {
			seconds := int(math.Ceil(wait.Seconds()))
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
			return rest.Refuse(http.StatusTooManyRequests, "Too many wrong tokens came from this address; try again in %d s.", seconds)
		}
		if !right {
			w.Header().Set("WWW-Authenticate", `Bearer realm="belfry", error="invalid_token"`)
			return rest.Refuse(http.StatusUnauthorized, "The token is not the one of this node.")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}
