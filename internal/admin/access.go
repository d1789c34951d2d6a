package admin

import (
	"net/http"

	"github.com/belfryhq/belfry/internal/hostname"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// hosted answers only requests for hosts that are known.
func (c Config) hosted(next http.Handler) http.Handler {
	if c.Hosts == nil {
		return next
	}
	refuse := jsonhttp.Handler(c.Log, func(_ http.ResponseWriter, r *http.Request) error {
		return jsonhttp.Refuse(http.StatusForbidden, "This port does not answer to the name %q: set admin.hosts, or use an address.", hostname.Of(r.Host))
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

// ownPages refuses what pages of other hosts want to change. Programs, which
// are not known to come from a page, go on.
func (c Config) ownPages(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(jsonhttp.Handler(c.Log, func(http.ResponseWriter, *http.Request) error {
		return jsonhttp.Refuse(http.StatusForbidden, "The request comes from a page of another host. If a proxy is in front, it must hand on Host as it came.")
	}))
	return protection.Handler(next)
}
