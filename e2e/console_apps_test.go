package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// makeApp makes an app with that id and name over the API.
func makeApp(t testing.TB, svc *service.Service, id, name string) {
	t.Helper()
	api(t, svc, "POST", "/api/v1/apps", fmt.Sprintf(`{"id":%q,"name":%q}`, id, name), http.StatusCreated, nil)
}

// shownApp is what tests look at of an app.
type shownApp struct {
	Name         string
	Disabled     bool
	ClientEvents bool `json:"client_events"`
	Limits       struct{ Connections int }
	Keys         []struct{ Key string }
	Webhooks     []struct {
		URL    string
		Events []string
	}
}

func showApp(t testing.TB, svc *service.Service, id string) (app shownApp) {
	t.Helper()
	api(t, svc, "GET", "/api/v1/apps/"+id, "", http.StatusOK, &app)
	return app
}

// TestConsoleShowsASecretOnce makes an app and looks for its secret later.
func TestConsoleShowsASecretOnce(t *testing.T) {
	t.Parallel()
	tb := openConsole(t, service.Start(t, service.Config{}))
	tb.press("Create an app")
	tb.fill("Name", "shop")
	tb.press("Create")
	tb.see("The app was made.", "never again")
	var secret string
	tb.evaluate(`[...document.querySelectorAll("dt")].find((e) => e.textContent === "Secret").nextSibling.querySelector("code").textContent`, &secret)
	if len(secret) < 20 {
		t.Fatalf("the secret is %q", secret)
	}
	tb.press("To the app")
	tb.see("Last 24 hours")
	for _, where := range []string{"Last 24 hours", "Create an app", "Create an app, loaded again"} {
		switch where {
		case "Create an app":
			tb.evaluate("history.back()", nil)
			tb.see("For people: logs and metrics call the app so.")
		case "Create an app, loaded again":
			tb.open("new")
			tb.see("For people: logs and metrics call the app so.")
		}
		var held bool
		tb.evaluate(fmt.Sprintf(`document.documentElement.outerHTML.includes(%q) || JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, location.href]).includes(%[1]q)`, secret), &held)
		if held {
			t.Errorf("the page has the secret at %q", where)
		}
	}
}

// TestConsoleExchangesAKey as a person does it: add, deploy, revoke.
func TestConsoleExchangesAKey(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	old := showApp(t, svc, "8").Keys[0].Key
	tb := openConsole(t, svc)
	tb.open("apps/8/keys")
	tb.see("The last key can not be revoked")
	tb.await(`[...document.querySelectorAll("button")].find((b) => b.textContent.startsWith("Revoke")).disabled`, true)
	tb.press("Add a key")
	tb.see("never again")
	tb.await(`document.querySelectorAll("tbody tr").length`, 2)
	tb.press("Revoke " + old)
	tb.see("backends that sign with its secret are refused", "webhooks are signed with the next oldest key")
	tb.await(`document.querySelector("dialog [type=submit]").disabled`, true)
	tb.fill("Type", "something else")
	tb.await(`document.querySelector("dialog [type=submit]").disabled`, true)
	tb.fill("Type", old)
	tb.await(`document.querySelector("dialog [type=submit]").disabled`, false)
	tb.press("Revoke")
	tb.await(`document.querySelectorAll("tbody tr").length`, 1)
	if keys := showApp(t, svc, "8").Keys; len(keys) != 1 || keys[0].Key == old {
		t.Errorf("keys = %v, want the new one alone", keys)
	}
}

// TestConsoleSavesWhatWasChangedAndNothingElse while somebody else changes
// another setting.
func TestConsoleSavesWhatWasChangedAndNothingElse(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	tb := openConsole(t, svc)
	tb.open("apps/8/settings")
	tb.see("Nothing changed", "Force TLS")
	tb.fill("Enable client events", true)
	tb.fill("Connections", "500")
	tb.see("Save 2 changes", "changed")
	tb.press("Save 2 changes")
	tb.see("Saved.")
	if app := showApp(t, svc, "8"); !app.ClientEvents || app.Limits.Connections != 500 || app.Name != "shop" {
		t.Errorf("app = %+v, want client events and a limit of 500", app)
	}
	tb.press("Take the default of Connections")
	tb.press("Save 1 change")
	tb.see("Saved.")
	if app := showApp(t, svc, "8"); app.Limits.Connections != 0 {
		t.Errorf("the limit is %d, want its default", app.Limits.Connections)
	}
}

func TestConsolePutsMistakesBesideTheirFields(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	tb := openConsole(t, svc)
	tb.open("apps/8/settings")
	tb.fill("Connections", "many")
	tb.fill("Activity timeout", "soon")
	tb.press("Save 2 changes")
	beside := func(label string) string {
		return fmt.Sprintf(`document.getElementById(field(%q).getAttribute("aria-describedby").split(" ").at(-1)).textContent !== ""`, label)
	}
	tb.await(beside("Connections"), true)
	tb.await(beside("Activity timeout"), true)
	tb.await(`field("Connections").getAttribute("aria-invalid")`, "true")
	tb.await(`field("Event data").getAttribute("aria-invalid")`, "false")
	tb.accessible("settings with mistakes")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "mistakes", 390, false)
	}
}

// TestConsoleLetsTwoOperatorsAgree: both change the name, one another setting.
func TestConsoleLetsTwoOperatorsAgree(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	tb := openConsole(t, svc)
	for _, mine := range []bool{true, false} {
		api(t, svc, "PATCH", "/api/v1/apps/8", `{"name":"shop","client_events":false,"limits":{"connections":null}}`, http.StatusOK, nil)
		tb.open("apps/8/settings")
		tb.fill("Name", "kiosk")
		tb.fill("Connections", "7")
		api(t, svc, "PATCH", "/api/v1/apps/8", `{"name":"store","client_events":true}`, http.StatusOK, nil)
		tb.press("Save 2 changes")
		tb.see("Somebody else changed the app", "Theirs: store", "Mine: kiosk", "It was shop", "Enable client events: off → on")
		tb.accessible("conflict")
		if dir := picturesDir(); dir != "" && mine {
			tb.picture(dir, "conflict", 1280, false)
			tb.picture(dir, "conflict", 390, true)
		}
		if mine {
			tb.fill("Mine: kiosk", true)
		}
		tb.press("Go on with these")
		tb.press(map[bool]string{true: "Save 2 changes", false: "Save 1 change"}[mine])
		tb.see("Saved.")
		want := map[bool]string{true: "kiosk", false: "store"}[mine]
		if app := showApp(t, svc, "8"); app.Name != want || !app.ClientEvents || app.Limits.Connections != 7 {
			t.Errorf("with mine %t app = %+v, want %s with client events and 7 connections", mine, app, want)
		}
	}
}

// TestConsoleSaysWhereAConfiguredAppIsChanged and offers nothing that would be
// refused.
func TestConsoleSaysWhereAConfiguredAppIsChanged(t *testing.T) {
	t.Parallel()
	tb := openConsole(t, service.Start(t, service.Config{}))
	for _, page := range []string{"apps/1", "apps/1/settings", "apps/1/keys", "apps/1/webhooks"} {
		tb.open(page)
		tb.see("can only be changed there", "belfry.yaml")
		tb.await(`[...document.querySelectorAll("main button:not(.copy):not([disabled])")].filter((b) => /save|add|revoke|delete|disable/i.test(b.textContent)).length`, 0)
		tb.await(`document.querySelectorAll("main fieldset:not([disabled])").length`, 0)
	}
}

func TestConsoleDisablesAndDeletesAnApp(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	tb := openConsole(t, svc)
	tb.open("apps/8")
	tb.press("Disable…")
	tb.see("closed with 4003")
	tb.press("Cancel")
	if showApp(t, svc, "8").Disabled {
		t.Error("Cancel has disabled the app")
	}
	tb.press("Disable…")
	tb.press("Disable")
	tb.press("Enable")
	tb.see("Disable…")
	if showApp(t, svc, "8").Disabled {
		t.Error("the app was not enabled again")
	}
	tb.press("Delete…")
	tb.see("closed with 4001")
	tb.fill("Type", "shop")
	tb.press("Delete")
	tb.see("1 app")
	tb.gone("1 apps")
	api(t, svc, "GET", "/api/v1/apps/8", "", http.StatusNotFound, nil)
}

// TestConsoleListsMoreAppsThanAPage, sorts and filters them, and all of that
// stands in the address.
func TestConsoleListsMoreAppsThanAPage(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	for i := range 120 {
		makeApp(t, svc, fmt.Sprint(1000+i), fmt.Sprintf("tenant %03d", 119-i))
	}
	tb := openConsole(t, svc)
	tb.see("100 apps, and more")
	tb.press("Load more")
	tb.see("121 apps")
	tb.press("Name")
	tb.await(`document.querySelector("tbody tr:nth-child(2) td:nth-child(2)").innerText`, "tenant 000")
	tb.press("Name")
	tb.await(`document.querySelector("tbody tr td:nth-child(2)").innerText`, "tenant 119")
	tb.fill("Filter", "tenant 11")
	tb.see("10 of 121 apps")
	tb.await("location.search", "?sort=-name&q=tenant+11")
	tb.open("?sort=-name&q=tenant+11") // as a colleague who gets the link
	tb.await(`document.querySelector("tbody tr td:nth-child(2)").innerText`, "tenant 119")
	tb.press("1000")
	tb.see("Last 24 hours")
	tb.evaluate("history.back()", nil)
	tb.await("location.search", "?sort=-name&q=tenant+11")
	tb.await(`field("Filter").value`, "tenant 11")
}

// TestConsoleGivesLinesThatConnect runs the backend's on the service.
func TestConsoleGivesLinesThatConnect(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("apps/1/connect")
	tb.see("REVERB_APP_KEY=app-key", "SECRET")
	_, port, _ := strings.Cut(svc.Addr, ":")
	tb.see(`wsHost: "127.0.0.1", wsPort: ` + port)
	tb.gone(service.Secret)
	tb.fill("Address of clients and backends", "https://ws.example/realtime")
	tb.press("Use this address")
	tb.see(`wsHost: "ws.example", wsPort: 443`, `wsPath: "/realtime"`, "forceTLS: true")
	tb.fill("Address of clients and backends", "javascript:alert(1)")
	tb.press("Use this address")
	tb.see("url is not the address of clients and backends")
}
