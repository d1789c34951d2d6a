package e2e

import (
	"fmt"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestConsoleGivesAccess makes a token on the page, uses it for a session of its own, and
// sees what was done; then it is revoked.
func TestConsoleGivesAccess(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	makeApp(t, svc, "9", "elsewhere")
	operator := openConsole(t, svc)
	operator.open("access")
	operator.see("There are no named tokens.")
	operator.fill("Name", "a b")
	operator.fill("Apps", "8")
	operator.press("Make it")
	operator.see("is not 1 to 64 letters")
	operator.fill("Name", "ada")
	operator.press("Make it")
	operator.see("This is the token of ada.", "It is shown now and never again.")
	operator.accessible("access")
	var token string
	operator.evaluate(`document.querySelector("main .notice code").textContent`, &token)
	operator.open("")
	operator.open("access")
	operator.see("ada")
	operator.await(fmt.Sprintf("document.body.textContent.includes(%q)", token), false)

	ada := openTab(t, svc)
	ada.open("")
	ada.fill("Token", token)
	ada.press("Log in")
	ada.see("shop", "viewer, read only")
	ada.gone("elsewhere")
	ada.gone("Create an app")
	ada.gone("Audit")
	ada.accessible("apps of a viewer")
	ada.open("apps/8/keys")
	ada.see("Every pair is valid")
	ada.gone("Add a key")
	ada.gone("Revoke")
	ada.open("apps/8")
	ada.see("Last 24 hours")
	ada.gone("Delete…")
	ada.open("apps/8/settings")
	ada.see("This page is for the role app-admin")
	ada.open("apps/9")
	ada.see("There is no such app.")

	operator.open("audit?who=ada")
	operator.see("login")
	operator.gone("POST /api/v1/tokens")
	operator.fill("Who", "operator")
	operator.see("POST /api/v1/tokens", "viewer for 8")
	operator.accessible("audit")
	operator.open("access")
	operator.press("Revoke ada")
	operator.see("Whoever has the token of ada is refused")
	operator.fill("Type ada to go on", "ada")
	operator.press("Revoke")
	operator.see("There are no named tokens.")
	ada.see("Log in") // as she is asked to again
}
