package admin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/apps"
)

// hiddenHooks are endpoints with secrets that answers do not show.
const hiddenHooks = `[
	{"id":"a","url":"https://a.test/hooks","headers":["Authorization: hunter-a","X-Two: hunter-1","X-Two: hunter-2"]},
	{"id":"b","url":"https://u:hunter-p@b.test/?token=hunter-q","headers":["Authorization: hunter-b"]},
	{"url":"https://c.test/","headers":["Authorization: hunter-c"]}]`

func TestHiddenValuesAreNeverSentSomewhereElse(t *testing.T) {
	const at, header, address = "webhooks[0].headers[0]", `"headers":["Authorization: …"]`, "webhooks[0].url"
	for name, tt := range map[string]struct{ hooks, mistake string }{
		"another host":              {`{"id":"a","url":"https://evil.test/hooks",` + header + `}`, at},
		"a longer host":             {`{"id":"a","url":"https://a.test.evil.test/hooks",` + header + `}`, at},
		"the host as a user":        {`{"id":"a","url":"https://a.test@evil.test/hooks",` + header + `}`, at},
		"another port":              {`{"id":"a","url":"https://a.test:8443/hooks",` + header + `}`, at},
		"another scheme":            {`{"id":"a","url":"http://a.test/hooks",` + header + `}`, at},
		"https on the port of http": {`{"id":"a","url":"http://a.test:443/hooks",` + header + `}`, at},
		"another user":              {`{"id":"b","url":"https://v:x@b.test/",` + header + `}`, at},
		"the id of another":         {`{"id":"b","url":"https://a.test/",` + header + `}`, at},
		"ids exchanged":             {`{"id":"b","url":"https://evil.test/",` + header + `},{"id":"a","url":"https://b.test/"}`, at},
		"without an id":             {`{"url":"https://evil.test/",` + header + `}`, at},
		"a new id and address":      {`{"id":"n","url":"https://evil.test/",` + header + `}`, at},
		"a header that was not":     {`{"id":"a","url":"https://a.test/hooks","headers":["X-Other: …"]}`, at},
		"one header more":           {`{"id":"a","url":"https://a.test/hooks","headers":["X-Two: …","X-Two: …","X-Two: …"]}`, "webhooks[0].headers[2]"},
		"password, another host":    {`{"id":"b","url":"https://u:xxxxx@evil.test/"}`, address},
		"password, another user":    {`{"id":"b","url":"https://v:xxxxx@b.test/"}`, address},
		"query, another host":       {`{"id":"b","url":"https://evil.test/?…"}`, address},
		"query, encoded":            {`{"id":"b","url":"https://u@evil.test/?%E2%80%A6"}`, address},
		"password that was not":     {`{"id":"a","url":"https://u:xxxxx@a.test/"}`, address},
		"query that was not":        {`{"id":"a","url":"https://a.test/?…"}`, address},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.expect(f.call("POST", "/api/v1/apps", `{"id":"1","webhooks":`+hiddenHooks+`}`), 201)
			before := f.call("GET", "/api/v1/apps/1", "")
			a := f.expect(f.call("PATCH", "/api/v1/apps/1", `{"name":"x","webhooks":[`+tt.hooks+`]}`), 422, `"name":"`+tt.mistake+`"`)
			expectNoSecrets(t, f, "hunter", a.text)
			if after := f.call("GET", "/api/v1/apps/1", ""); after.text != before.text {
				t.Errorf("the app is %s, want what it was: %s", after.text, before.text)
			}
		})
	}
}

func TestHiddenValuesOfAnotherAppAreNotGiven(t *testing.T) {
	f := newFixture(t)
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"1","webhooks":`+hiddenHooks+`}`), 201)
	hook := `{"id":"2","webhooks":[{"id":"a","url":"https://a.test/hooks","headers":["Authorization: …"]}]}`
	f.expect(f.call("POST", "/api/v1/apps", hook), 422, `"name":"webhooks[0].headers[0]"`)
	f.expect(f.call("DELETE", "/api/v1/apps/1", ""), 204)
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"1"`+hook[len(`{"id":"2"`):]), 422, `"name":"webhooks[0].headers[0]"`)
}

func TestHiddenValuesStayWhereTheyWere(t *testing.T) {
	header := func(lines ...string) []apps.Header {
		var list []apps.Header
		for i := 0; i < len(lines); i += 2 {
			list = append(list, apps.Header{Name: lines[i], Value: lines[i+1]})
		}
		return list
	}
	for name, tt := range map[string]struct {
		hook, url string
		headers   []apps.Header
	}{
		"another path": {`{"id":"a","url":"https://a.test/other","headers":["Authorization: …"]}`,
			"https://a.test/other", header("Authorization", "hunter-a")},
		"the port written out": {`{"id":"a","url":"https://a.test:443/","headers":["Authorization: …"]}`,
			"https://a.test:443/", header("Authorization", "hunter-a")},
		"some of the headers, in lower case": {`{"id":"a","url":"https://a.test/","headers":["X-New: 3","x-two: …","X-Two: …"]}`,
			"https://a.test/", header("X-New", "3", "x-two", "hunter-1", "X-Two", "hunter-2")},
		"another id": {`{"id":"n","url":"https://u:xxxxx@b.test/?…","headers":["Authorization: …"]}`,
			"https://u:hunter-p@b.test/?token=hunter-q", header("Authorization", "hunter-b")},
		"another path behind a password": {`{"id":"b","url":"https://u:xxxxx@b.test/p?…","headers":["Authorization: …"]}`,
			"https://u:hunter-p@b.test/p?token=hunter-q", header("Authorization", "hunter-b")},
		"an id for one that had none": {`{"id":"c","url":"https://c.test/","headers":["Authorization: …"]}`,
			"https://c.test/", header("Authorization", "hunter-c")},
		"another place with a new value": {`{"id":"a","url":"https://new.test/","headers":["Authorization: mine"]}`,
			"https://new.test/", header("Authorization", "mine")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.expect(f.call("POST", "/api/v1/apps", `{"id":"1","webhooks":`+hiddenHooks+`}`), 201)
			f.expect(f.call("PATCH", "/api/v1/apps/1", `{"webhooks":[`+tt.hook+`]}`), 200)
			got := f.registry.ByID("1").Webhooks[0]
			if got.URL != tt.url {
				t.Errorf("url = %s, want %s", got.URL, tt.url)
			}
			if diff := cmp.Diff(tt.headers, got.Headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}
