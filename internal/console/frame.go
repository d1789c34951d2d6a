package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry/internal/hostname"
)

// framePath is where the diagnostics run pusher-js, below [Path].
const framePath = "diagnostics/frame"

// framePolicy is what the frame may do. It is shut off (sandbox): its origin is one
// that nothing else has, so it has neither the cookie of the console nor can it reach
// into its page. It asks those hosts for something that its address names.
const framePolicy = "sandbox allow-scripts; default-src 'none'; script-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; connect-src"

// probeName is the script of ours in the frame, as it was built.
const probeName = "probe.js"

// openFrame makes the page of the frame, and the files that only it loads.
func (h *handler) openFrame(pusherJS []byte) {
	var page strings.Builder
	page.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Diagnostics of Belfry</title>\n")
	script := func(name string) {
		h.files[name].anyOrigin = true
		page.WriteString(`<script src="../files/` + name + `"></script>` + "\n")
	}
	library := tagged("pusher.js", pusherJS)
	h.files[library] = newFile(library, pusherJS)
	script(library)
	for name := range h.files {
		if strings.HasPrefix(name, strings.TrimSuffix(probeName, ".js")+"-") {
			script(name)
		}
	}
	h.frame = []byte(page.String())
}

// serveFrame answers with the page of the frame. Who asks for a page names the
// origins that it talks to.
func (h *handler) serveFrame(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	sources, ok := connectSources(r.URL.Query()["to"])
	if !ok {
		http.Error(w, "to is not an origin such as https://belfry.example", http.StatusBadRequest)
		return
	}
	header.Set("Content-Security-Policy", framePolicy+sources)
	header.Set("Content-Type", "text/html; charset=utf-8")
	send(w, h.frame)
}

// maxOrigins is how many hosts a frame talks to: the service, and an auth endpoint.
const maxOrigins = 2

// connectSources are the origins as a policy has them, each also for WebSockets.
func connectSources(origins []string) (sources string, ok bool) {
	if len(origins) == 0 || len(origins) > maxOrigins {
		return "", false
	}
	for _, text := range origins {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !hostname.Plain(u.Host) || u.Scheme+"://"+u.Host != text {
			return "", false
		}
		sources += " " + text + " ws" + strings.TrimPrefix(text, "http")
	}
	return sources, true
}
