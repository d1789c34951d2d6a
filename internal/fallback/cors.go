package fallback

import "net/http"

// allow lets the page that asks read the answer, whatever it will be. An app
// with a list of origins is read by those alone.
//
// SockJS clients send their requests with credentials, although there are
// none, so they are answered by name.
func (s *Server) allow(h http.Header, r *http.Request, rt route) {
	origin := r.Header.Get("Origin")
	switch {
	case rt.endpoint.reports():
		h.Set("Access-Control-Allow-Origin", "*")
	case rt.app == "":
		h.Add("Vary", "Origin")
		if origin == "" {
			h.Set("Access-Control-Allow-Origin", "*")
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	default:
		app := s.cfg.Apps.ByKey(rt.id.key)
		if app == nil || app.EveryOrigin() {
			h.Set("Access-Control-Allow-Origin", "*")
			return
		}
		h.Add("Vary", "Origin")
		if origin != "" && app.OriginAllowed(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	}
}

// preflight answers OPTIONS. Browsers ask before every request, because every
// one has a URL of its own; so it costs next to nothing, and looks at no
// session.
func preflight(w http.ResponseWriter, method string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", method+", OPTIONS")
	h.Set("Access-Control-Allow-Headers", "content-type")
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
