//go:build unix

package e2e

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestConsoleSaysThatTheNodeIsLost and is right again by itself. The process is
// stopped as by a debugger: it takes connections and answers nothing.
func TestConsoleSaysThatTheNodeIsLost(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	tb := openConsole(t, svc)
	tb.open("apps/8")
	tb.see("shop", "ok")
	svc.Signal(syscall.SIGSTOP)
	begun := time.Now()
	tb.see("The node has not answered since", "not reached", "shop")
	t.Logf("it was said after %v", time.Since(begun))
	tb.accessible("lost")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "lost", 1280, false)
	}
	svc.Signal(syscall.SIGCONT)
	tb.gone("The node has not answered since")
	api(t, svc, "PATCH", "/api/v1/apps/8", `{"name":"kiosk"}`, http.StatusOK, nil)
	svc.Stop()
	tb.see("The node has not answered since")
	svc.Restart() // which forgets sessions
	tb.fill("Token", svc.Token())
	tb.press("Log in")
	tb.see("kiosk")
	tb.gone("The node has not answered since")
}
