package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

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
	operator.evaluate(`URL.createObjectURL = (blob) => (window.exported = blob, "data:,"), 0`, nil)
	operator.press("Export NDJSON")
	operator.await(`window.exported?.text().then((text) => text.trim().split("\n").every((l) => JSON.parse(l).who === "operator"))`, true)
	operator.open("access")
	operator.press("Revoke ada")
	operator.see("Whoever has the token of ada is refused")
	operator.fill("Type ada to go on", "ada")
	operator.press("Revoke")
	operator.see("There are no named tokens.")
	ada.see("Log in") // as she is asked to again
}

// TestConsoleAsksAgainBeforeWhatCanNotBeUndone where the login is old. The page is
// told so instead of waiting.
func TestConsoleAsksAgainBeforeWhatCanNotBeUndone(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	tb := openConsole(t, svc)
	tb.open("apps/8")
	tb.evaluate(`{
		const real = fetch
		let logins = 0
		window.fetch = (url, options) => {
			if (options?.method === "POST" && String(url).endsWith("/session")) logins++
			if (options?.method !== "DELETE" || logins > 0) return real(url, options)
			const body = JSON.stringify({ title: "Log in again", status: 403, detail: "Give the token again." })
			return Promise.resolve(new Response(body, { status: 403, headers: { "Content-Type": "application/problem+json" } }))
		}
	}`, nil)
	tb.press("Delete…")
	tb.fill("Type shop to go on", "shop")
	tb.press("Delete")
	tb.see("Give the token again.")
	tb.accessible("log in again")
	tb.fill("Token", "wrong")
	tb.press("Delete")
	tb.see("The token is not known")
	tb.fill("Token", svc.Token())
	tb.press("Delete")
	tb.await("location.pathname", "/console/")
	tb.gone("shop")
}

// TestAccessOfThreeNodes: a token is made on one node and used on another, a third one
// tells what was done, and revokes it everywhere.
func TestAccessOfThreeNodes(t *testing.T) {
	t.Parallel()
	nodes := threeNodes(t, "http://192.0.2.1/hook")
	var made struct{ Token string }
	api(t, nodes[0], "POST", "/api/v1/tokens", `{"name":"ada","role":"developer","apps":["1"]}`, http.StatusCreated, &made)
	awaitStatus(t, nodes[1], made.Token, http.StatusOK)
	ada := openTab(t, nodes[1])
	ada.open("")
	ada.fill("Token", made.Token)
	ada.press("Log in")
	ada.see("developer")
	ada.open("apps/1/live") // shows what is sent, which is written down
	ada.see("This browser reaches the stream.", "3 of 3 nodes")
	ada.open("apps/1/settings")
	ada.see("This page is for the role app-admin")
	ada.open("audit")
	ada.see("This page is for the role operator")

	operator := openConsole(t, nodes[2])
	operator.open("audit?who=ada&renew=1")
	operator.see("login", "payloads seen", "developer", "node-1")
	operator.open("audit?who=operator&renew=1")
	operator.see("POST /api/v1/tokens", "node-0")
	operator.open("access")
	operator.press("Revoke ada")
	operator.fill("Type ada to go on", "ada")
	operator.press("Revoke")
	operator.see("There are no named tokens.")
	ada.see("Log in")
	for _, n := range nodes {
		awaitStatus(t, n, made.Token, http.StatusUnauthorized)
	}
}

// awaitStatus asks a node with a token until that is answered so: the nodes tell each
// other of tokens.
func awaitStatus(t *testing.T, n *service.Service, token string, want int) {
	t.Helper()
	for deadline := time.Now().Add(service.Patience); ; {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.AdminAddr+"/api/v1/apps", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s answers a token with %s, want %d", n.AdminAddr, answer.Status, want)
		}
	}
}
