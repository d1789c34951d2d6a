package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamedTokens makes one on the command line, and uses it there.
func TestNamedTokens(t *testing.T) {
	r := serveIn(t, t.TempDir())
	mine, other := r.create("--name", "mine"), r.create("--name", "other")
	as := func(env []string, args ...string) (int, string, string) {
		t.Helper()
		return runCommand(t, setup{dir: r.dir, env: append(env, "BELFRY_ADMIN_URL=http://"+r.admin)}, args...)
	}
	status, secret, told := as(nil, "tokens", "create", "ada", "--role", "app-admin", "--app", mine.ID, "--valid", "720h")
	if status != 0 || !strings.HasPrefix(secret, "belfry_") || strings.Count(secret, "\n") != 1 || !strings.Contains(told, "not shown again") {
		t.Fatalf("belfry tokens create = %d %s%s", status, secret, told)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	ada := []string{"BELFRY_ADMIN_TOKEN=" + strings.TrimSpace(secret)}
	if status, out, _ := as(nil, "apps", "list", "--token-file", file); status != 0 || !strings.Contains(out, mine.ID) || strings.Contains(out, other.ID) {
		t.Errorf("belfry apps list of ada = %d %s, want the app %s alone", status, out, mine.ID)
	}
	if status, out, told := as(ada, "apps", "update", mine.ID, "--client-events"); status != 0 {
		t.Errorf("belfry apps update of ada = %d %s%s", status, out, told)
	}
	if status, _, told := as(ada, "apps", "update", other.ID, "--client-events"); status == 0 || !strings.Contains(told, "There is no such app.") {
		t.Errorf("belfry apps update of another app = %d %s", status, told)
	}
	if status, _, told := as(ada, "apps", "create"); status == 0 || !strings.Contains(told, "This is for the role operator") {
		t.Errorf("belfry apps create of ada = %d %s", status, told)
	}
	if status, out, told := as(ada, "console"); status != 0 || !strings.Contains(out, "#code=") {
		t.Errorf("belfry console of ada = %d %s%s", status, out, told)
	}
	if status, out, _ := as(nil, "tokens", "list"); status != 0 || !strings.Contains(out, "ada   app-admin  "+mine.ID) || strings.Contains(out, strings.TrimSpace(secret)) {
		t.Errorf("belfry tokens list = %d %s", status, out)
	}
	if status, _, told := as(nil, "tokens", "revoke", "ada"); status != 0 {
		t.Errorf("belfry tokens revoke = %d %s", status, told)
	}
	if status, _, told := as(ada, "apps", "list"); status == 0 || !strings.Contains(told, "does not know the token") {
		t.Errorf("belfry apps list with a revoked token = %d %s", status, told)
	}
	if status, out, _ := as(nil, "tokens", "list"); status != 0 || !strings.Contains(out, "there are no named tokens") {
		t.Errorf("belfry tokens list = %d %s", status, out)
	}
	if status, out, told := as(nil, "audit", "--app", mine.ID); status != 0 || !strings.Contains(out, "PATCH /api/v1/apps/{id}, app "+mine.ID+", client_events: false → true") {
		t.Errorf("belfry audit of an app = %d %s%s", status, out, told)
	}
	if status, out, _ := as(nil, "audit", "--who", "operator", "--limit", "1"); status != 0 || !strings.Contains(out, "DELETE /api/v1/tokens/{name}, ada") || !strings.Contains(out, "there are more: --after ") {
		t.Errorf("belfry audit of the operator = %d %s", status, out)
	}
	if status, out, _ := as(nil, "audit", "--who", "nobody"); status != 0 || !strings.Contains(out, "nothing of that kind") {
		t.Errorf("belfry audit of nobody = %d %s", status, out)
	}
	for want, args := range map[string][]string{
		"which role?":                        {"create", "bob", "--app", mine.ID},
		"for which apps?":                    {"create", "bob", "--role", "viewer"},
		"not both":                           {"create", "bob", "--role", "viewer", "--app", mine.ID, "--all-apps"},
		"the name is missing":                {"create"},
		`"x" is not expected: belfry tokens`: {"revoke", "bob", "x"},
		"There is no such token.":            {"revoke", "bob"},
		"role: is none of":                   {"create", "bob", "--role", "root", "--all-apps"},
		"names an app that there is not":     {"create", "bob", "--role", "viewer", "--app", "none"},
	} {
		if status, _, told := as(nil, append([]string{"tokens"}, args...)...); status == 0 || !strings.Contains(told, want) {
			t.Errorf("belfry tokens %v = %d %s, want %s", args, status, told, want)
		}
	}
}
