package access

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/internal/hostname"
	"github.com/belfryhq/belfry/internal/jsonhttp"
)

// Path is where sessions begin and end.
const Path = "/api/v1/session"

// Handler answers Path and what is below. It must not be wrapped: whoever begins
// a session has none yet.
func (g *Gate) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET " + Path:            g.show,
		"POST " + Path:           g.login,
		"DELETE " + Path:         g.logout,
		"POST " + Path + "/code": g.code,
		Path:                     wrongMethod("DELETE, GET, POST"),
		Path + "/code":           wrongMethod("POST"),
		Path + "/":               nothingHere,
	} {
		mux.Handle(pattern, jsonhttp.Handler(g.log, serve))
	}
	return mux
}

func nothingHere(http.ResponseWriter, *http.Request) error {
	return jsonhttp.Refuse(http.StatusNotFound, "There is nothing at this path; /openapi.yaml says what there is.")
}

func wrongMethod(allow string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", allow)
		return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked %s.", allow)
	}
}

// A view is what is told of who asks.
type view struct {
	Principal
	Ends        *time.Time `json:"ends,omitempty"` // of a session, however much it is used
	IdleSeconds int        `json:"idle_seconds,omitempty"`
}

func (s *session) view() view {
	return view{Principal: s.Principal, Ends: &s.ends, IdleSeconds: int(idleTime.Seconds())}
}

// show tells who asks.
func (g *Gate) show(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	if r.Header.Get("Authorization") == "" {
		s, err := g.session(r)
		if err != nil {
			return err
		}
		return jsonhttp.Write(w, http.StatusOK, s.view())
	}
	c, err := g.caller(w, r)
	if err != nil {
		return err
	}
	return jsonhttp.Write(w, http.StatusOK, view{Principal: c.Principal})
}

// login begins a session.
func (g *Gate) login(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	if !g.confidential(r) {
		return jsonhttp.Refuse(http.StatusForbidden, "The cookie of a session would go over the network without encryption. Open the console through ssh -L, give this port a certificate (admin.tls.cert_file), name the proxy that has one in trusted_proxies, or accept it with admin.insecure: true.")
	}
	var given struct {
		Token string `json:"token"`
		Code  string `json:"code"`
	}
	if err := jsonhttp.Read(r, &given); err != nil {
		return err
	}
	c, err := g.admit(w, r, given.Token, given.Code)
	if given.Token+given.Code != "" || err == nil {
		g.note(Attempt{c.at(g.address(r)), Login, err != nil})
	}
	if err != nil {
		return err
	}
	g.end(r) // of whoever was here before
	id, s := g.begin(c)
	cookie := g.cookie(r)
	cookie.Value = id
	http.SetCookie(w, cookie)
	g.log.InfoContext(r.Context(), "session of the console began", "name", c.Name, "role", c.Role, "via", c.Via, "address", r.RemoteAddr)
	return jsonhttp.Write(w, http.StatusCreated, s.view())
}

// admit returns who begins a session.
func (g *Gate) admit(w http.ResponseWriter, r *http.Request, token, code string) (c caller, err error) {
	switch {
	case token != "" && code != "":
		return c, jsonhttp.Refuse(http.StatusBadRequest, "Give token or code, not both.")
	case token != "":
		return g.holder(w, r, token, ViaLogin)
	case code != "":
		err = g.guess(w, r, code, func() (ok bool) {
			c, ok = g.takeCode(code)
			return ok
		})
		if err == errWrong {
			err = jsonhttp.Refuse(http.StatusUnauthorized, "The address was used already, or is older than a minute; belfry console prints another.")
		}
		return c, err
	case g.cfg.Open:
		return caller{operator(ViaOpen), context.Background()}, nil
	}
	return c, errNobody
}

// logout ends the session of a request, if it has one.
func (g *Gate) logout(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	if s, err := g.session(r); err == nil {
		g.note(Attempt{s.at(g.address(r)), Logout, false})
	}
	g.end(r)
	cookie := g.cookie(r)
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// code makes a code for whoever has a token.
func (g *Gate) code(w http.ResponseWriter, r *http.Request) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	c, err := g.caller(w, r)
	if err != nil {
		return err
	}
	if c.Via != ViaToken {
		return jsonhttp.Refuse(http.StatusForbidden, "A session makes no codes; that needs a token.")
	}
	if err := jsonhttp.Read(r, &struct{}{}); err != nil {
		return err
	}
	code, until := g.makeCode(c)
	return jsonhttp.Write(w, http.StatusCreated, struct {
		Code  string    `json:"code"`
		Until time.Time `json:"until"`
	}{code, until.UTC()})
}

// cookie is the one of a session, without a value.
func (g *Gate) cookie(r *http.Request) *http.Cookie {
	name := g.cookieName(r)
	return &http.Cookie{
		Name: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: name == secureCookie,
	}
}

// confidential reports whether nobody on the way can read the cookie, as far as
// that can be known here: it goes over TLS, or does not leave the machine. Who
// comes under another name than loopback comes through something.
func (g *Gate) confidential(r *http.Request) bool {
	if g.cfg.Insecure || g.cfg.TrustedProxies.Secure(r) {
		return true
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return local != nil && hostname.Loopback(hostname.Of(local.String())) && hostname.Loopback(hostname.Of(r.Host))
}
