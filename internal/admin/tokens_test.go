package admin

import (
	"strings"
	"testing"
	"time"
)

func TestLifeOfAToken(t *testing.T) {
	f := newFixture(t, configured("mine", "km"), configured("theirs", "kt"))
	made := f.expect(f.call("POST", "/api/v1/tokens", `{"name":"ada@example.org","role":"developer","apps":["mine"],"expires":"2999-01-01T00:00:00Z"}`), 201,
		`"role":"developer"`, `"created_by":"operator"`, `"expired":false`)
	secret, _ := made.member("token").(string)
	if !strings.HasPrefix(secret, "belfry_") || made.header.Get("Location") != "/api/v1/tokens/ada@example.org" {
		t.Fatalf("the answer has the token %q, and is at %q", secret, made.header.Get("Location"))
	}
	f.expect(f.call("POST", "/api/v1/tokens", `{"name":"ada@example.org","role":"viewer","apps":["mine"]}`), 409)
	as := []string{"Authorization", "Bearer " + secret}
	f.expect(f.call("GET", "/api/v1/session", "", as...), 200, `"name":"ada@example.org"`, `"apps":["mine"]`, `"via":"token"`)
	if got := f.expect(f.call("GET", "/api/v1/apps", "", as...), 200, `"id":"mine"`).text; strings.Contains(got, "theirs") {
		t.Errorf("a token for one app sees others: %s", got)
	}
	f.expect(f.call("POST", "/api/v1/tokens", `{"name":"eve","role":"operator"}`, as...), 403, "for the role operator")
	listed := f.expect(f.call("GET", "/api/v1/tokens", ""), 200, `"name":"ada@example.org"`, `"last_used":`)

	code, _ := f.expect(f.call("POST", "/api/v1/session/code", "", as...), 201).member("code").(string)
	began := f.expect(f.call("POST", "/api/v1/session", `{"code":"`+code+`"}`), 201, `"name":"ada@example.org"`, `"role":"developer"`, `"via":"code"`)
	cookie, _, _ := strings.Cut(began.header.Get("Set-Cookie"), ";")
	f.expect(f.call("GET", "/api/v1/apps/mine", "", "Authorization", "", "Cookie", cookie), 200)
	f.expect(f.call("GET", "/api/v1/apps/theirs", "", "Authorization", "", "Cookie", cookie), 404)

	f.expect(f.call("DELETE", "/api/v1/tokens/ada@example.org", ""), 204)
	f.expect(f.call("DELETE", "/api/v1/tokens/ada@example.org", ""), 404)
	f.expect(f.call("GET", "/api/v1/apps/mine", "", as...), 401)
	f.expect(f.call("GET", "/api/v1/apps/mine", "", "Authorization", "", "Cookie", cookie), 401)
	expectNoSecrets(t, f, secret, listed.text)
}

func TestTokensThatCanNotBeMade(t *testing.T) {
	f := newFixture(t, configured("mine", "km"))
	for body, mistake := range map[string]string{
		`{"role":"viewer","apps":["mine"]}`:                                          `"name":"name"`,
		`{"name":"a b","role":"viewer","apps":["mine"]}`:                             `"name":"name"`,
		`{"name":"Operator","role":"viewer","apps":["mine"]}`:                        `"name":"name"`,
		`{"name":"a","role":"root","apps":["mine"]}`:                                 `"name":"role"`,
		`{"name":"a","apps":["mine"]}`:                                               `"name":"role"`,
		`{"name":"a","role":"viewer"}`:                                               `"name":"apps"`,
		`{"name":"a","role":"viewer","apps":[]}`:                                     `"name":"apps"`,
		`{"name":"a","role":"viewer","apps":["mine","*"]}`:                           `"name":"apps"`,
		`{"name":"a","role":"viewer","apps":["other"]}`:                              `"name":"apps"`,
		`{"name":"a","role":"operator","apps":["mine"]}`:                             `"name":"apps"`,
		`{"name":"a","role":"viewer","apps":["*"],"expires":"2001-01-01T00:00:00Z"}`: `"name":"expires"`,
	} {
		f.expect(f.call("POST", "/api/v1/tokens", body), 422, mistake)
	}
	f.expect(f.call("POST", "/api/v1/tokens", `{"name":"a","role":"viewer","app":"mine"}`), 400)
	f.expect(f.call("GET", "/api/v1/tokens", ""), 200, `"tokens":[]`)
}

// TestTokenEndsWithItsApp also where an app of the same id is made later.
func TestTokenEndsWithItsApp(t *testing.T) {
	f := newFixture(t, configured("stays", "ks"))
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"mine"}`), 201)
	one, _ := f.call("POST", "/api/v1/tokens", `{"name":"one","role":"viewer","apps":["mine"]}`).member("token").(string)
	two, _ := f.call("POST", "/api/v1/tokens", `{"name":"two","role":"viewer","apps":["mine","stays"]}`).member("token").(string)
	f.expect(f.call("GET", "/api/v1/apps/mine", "", "Authorization", "Bearer "+one), 200)
	f.expect(f.call("DELETE", "/api/v1/apps/mine", ""), 204)
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"mine"}`), 201)
	f.expect(f.call("GET", "/api/v1/apps/mine", "", "Authorization", "Bearer "+one), 401)
	f.expect(f.call("GET", "/api/v1/apps/mine", "", "Authorization", "Bearer "+two), 404)
	f.expect(f.call("GET", "/api/v1/apps/stays", "", "Authorization", "Bearer "+two), 200)
}

// TestEndpointsAreShownByTheirHosts to those who may not change them.
func TestEndpointsAreShownByTheirHosts(t *testing.T) {
	f := newFixture(t)
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"mine","webhooks":[{"id":"a","url":"https://a.test/hunter2","headers":["X-Key: hunter2"]}]}`), 201)
	for role, hidden := range map[string]bool{"viewer": true, "developer": true, "app-admin": false} {
		secret, _ := f.call("POST", "/api/v1/tokens", `{"name":"`+role+`","role":"`+role+`","apps":["mine"]}`).member("token").(string)
		for _, path := range []string{"/api/v1/apps/mine", "/api/v1/apps", "/api/v1/webhooks", "/api/v1/webhooks?app=mine"} {
			got := f.expect(f.call("GET", path, "", "Authorization", "Bearer "+secret), 200, "https://a.test/").text
			if strings.Contains(got, "hunter2") == hidden {
				t.Errorf("%s to a %s = %s", path, role, got)
			}
		}
	}
}

// TestExpiredTokenIsRefused and stays in the list until it is revoked.
func TestExpiredTokenIsRefused(t *testing.T) {
	f := newFixture(t, configured("mine", "km"))
	body := `{"name":"a","role":"viewer","apps":["mine"],"expires":"` + time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano) + `"}`
	secret, _ := f.expect(f.call("POST", "/api/v1/tokens", body), 201).member("token").(string)
	token, err := f.tokens.Find(secret)
	if err != nil || token == nil {
		t.Fatalf("Find = %v, %v, want the token", token, err)
	}
	<-token.Life.Done()
	f.expect(f.call("GET", "/api/v1/apps", "", "Authorization", "Bearer "+secret), 401)
	f.expect(f.call("GET", "/api/v1/tokens", ""), 200, `"expired":true`)
}
