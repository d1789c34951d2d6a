package e2e

import (
	"os"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestConsolePagesAreForEverybody visits every page in each form: wide and
// narrow, light and dark, and the narrowest that is promised. With
// BELFRY_TEST_PICTURES it writes pictures there.
func TestConsolePagesAreForEverybody(t *testing.T) {
	if os.Getenv("E2E_ACCEPTANCE") == "" {
		t.Skip("every page in every form takes a while: make acceptance-console")
	}
	t.Parallel()
	svc := service.Start(t, service.Config{})
	pages := furnish(t, svc)
	tb := openConsole(t, svc)
	for name, p := range pages {
		tb.open(p.path)
		tb.see(p.says)
		for _, width := range []int{1280, 390, 360} {
			for _, dark := range []bool{false, true} {
				tb.must("screen", map[string]any{"width": width, "dark": dark}, nil)
				tb.accessible(name)
				if dir := os.Getenv("BELFRY_TEST_PICTURES"); dir != "" && width != 360 {
					tb.picture(dir, name, width, dark)
				}
			}
		}
	}
}

// A view is a page, and something that it says when it is complete.
type view struct{ path, says string }

// furnish fills a service with what pages can show, and lists the pages.
func furnish(t testing.TB, svc *service.Service) map[string]view {
	t.Helper()
	return map[string]view{
		"apps":     {"", "Create an app"},
		"new":      {"new", "For people"},
		"overview": {"apps/1", "Peak connections"},
		"keys":     {"apps/1/keys", "signs webhooks"},
		"none":     {"no/such/page", "There is no page"},
	}
}
