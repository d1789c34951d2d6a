package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// A vector is a signed request of the published protocol. Each of its queries
// is another way to write the same. Statements are those of the conformance
// checklist that it shows.
type vector struct {
	ID, Statements, Method, Path, Body, Signature string

	Query  []string
	Status int
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// request returns the vector as it goes on the wire, with auth_signature
// somewhere in the middle.
func (v vector) request(query string) *http.Request {
	target := v.Path + "?auth_version=1.0&auth_signature=" + v.Signature + "&" + query +
		"&auth_timestamp=" + strconv.Itoa(testTime) + "&auth_key=" + testKey
	r := httptest.NewRequest(v.Method, "/", strings.NewReader(v.Body))
	r.RequestURI = target // some are nothing that NewRequest would take
	return r
}

func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Statements+" "+v.ID, func(t *testing.T) {
			for _, query := range v.Query {
				f := newFixture()
				f.app.SubscriptionCount = true
				if w := f.do(t, v.request(query)); w.Code != v.Status {
					t.Errorf("query %q: status = %d with %q, want %d", query, w.Code, w.Body, v.Status)
				}
			}
		})
	}
}

func TestVectorsNeedTheirSignature(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			v.Signature = flip(v.Signature)
			f := newFixture()
			w := f.do(t, v.request(v.Query[0]))
			if w.Code != 401 || !strings.HasPrefix(w.Body.String(), "Invalid signature: ") {
				t.Errorf("status = %d with %q, want 401 Invalid signature", w.Code, w.Body)
			}
			checkHeard(t, f.hub)
		})
	}
}

// flip returns another digest, which differs in its last digit.
func flip(digest string) string {
	last := len(digest) - 1
	if digest[last] == '0' {
		return digest[:last] + "1"
	}
	return digest[:last] + "0"
}

// TestVectorsOfLibraries has those of the test suites of official libraries,
// which sign paths that are none of the API's.
func TestVectorsOfLibraries(t *testing.T) {
	for name, v := range map[string]struct {
		key, secret, query string
		time               int64
		method, path       string
		signature          string
	}{
		"ruby 1":     {"key", "secret", "query=params&go=here", 1234, "POST", "/some/path", "3b237953a5ba6619875cbb2a2d43e8da9ef5824e8a2c689f6284ac85bc1ea0db"},
		"ruby 2":     {"key", "secret", "query=params", 1234, "POST", "/some/path", "da078fcedd72941b6c873caa40d0d6b2000ebfc700cee802b128dd20f72e74e9"},
		"python get": {"key", "secret", "foo=bar&body_md5=d41d8cd98f00b204e9800998ecf8427e", 1000, "GET", "/some/obscure/api", "5c49f04a95eedc9028b1e0e8de7c2c7ad63504a0e3b5c145d2accaef6c14dbac"},
		"python post": {"key", "secret", "body_md5=94232c5b8fc9272f6f73a1e36eb68fcf", 1000, "POST", "/some/obscure/api",
			"e05fa4cafee86311746ee3981d5581a5e4e87c27bbab0aeb1059e2df5c90258b"},
		"node body": {"f00d", "tofu", "body_md5=165d5e6d7ca8f73b3853ce45addf42fc", 1234567890, "GET", "/event",
			"a650196dc427ebe837226f8565ca9232198c6d1b9455eaa72374a9dc0b620e7b"},
		"node query": {"f00d", "tofu", "foo=bar&baz=123454321", 1234567890, "GET", "/event", "d8bdbd31911fb7400a14fbd36fd7de053494725b64400ae5856deafe304b34a9"},
	} {
		t.Run(name, func(t *testing.T) {
			app := &apps.App{ID: "1", Keys: []apps.Key{{Key: v.key, Secret: v.secret}}}
			registry, err := apps.NewRegistry([]*apps.App{app})
			if err != nil {
				t.Fatal(err)
			}
			a := New(Config{Apps: registry, Hub: &fakeHub{}, Now: func() time.Time { return time.Unix(v.time, 0) }})
			c := &call{
				r:    httptest.NewRequest(v.method, v.path, nil),
				path: v.path, began: time.Unix(v.time, 0),
				query: v.query + "&auth_key=" + v.key + "&auth_version=1.0&auth_timestamp=" + strconv.FormatInt(v.time, 10) +
					"&auth_signature=" + v.signature,
			}
			if err := a.authenticate(c); err != nil || c.app != app {
				t.Errorf("authenticate() = %v for app %v, want %v", err, c.app, app)
			}
		})
	}
}

func TestChecklistAuthentication(t *testing.T) {
	const list = "/apps/3/channels"
	at := func(seconds int) map[string]string {
		return map[string]string{"auth_timestamp": strconv.Itoa(testTime + seconds)}
	}
	with := func(q request, set map[string]string, leaveOut ...string) request {
		q.set, q.leaveOut = set, leaveOut
		return q
	}
	signed := func(q request, signature func(string) string) request {
		q.signature = signature
		return q
	}
	secret := func(q request, key, secret string) request {
		q.set, q.secret = map[string]string{"auth_key": key}, secret
		return q
	}
	unrelated := func(string) string { return get(list).sign(get(list).pairs()) } // right, for another request
	const invalid = `Invalid signature: you should have sent HmacSHA256Hex("`
	const expired = "Timestamp expired: Given timestamp ("
	runStatements(t, []statement{
		{name: "3 one character of the signature", call: signed(get(list), flip), status: 401, body: invalid, starts: true},
		{name: "6 no signature", call: with(get(list), nil, "auth_signature"), status: 401, body: invalid, starts: true},
		{name: "7 no key", call: with(get(list), nil, "auth_key"), status: 401, body: "Missing parameter: auth_key"},
		{name: "8 unknown key", call: secret(get(list), "nobody", testSecret), status: 400, body: "Unknown auth_key"},
		{name: "8 unknown key, configured", call: secret(get(list), "nobody", testSecret), status: 401, body: "Unknown auth_key",
			given: func(f *fixture) { f.cfg.UnknownKeyStatus = 401 }},
		{name: "8 empty key", call: secret(get(list), "", testSecret), status: 400, body: "Unknown auth_key"},
		{name: "9 key of another app", call: secret(get(list), "other", "other secret"), status: 400, body: "Unknown auth_key"},
		{name: "9 unknown app", call: get("/apps/99/channels"), status: 400, body: "Unknown auth_key"},
		{name: "10 no version", call: with(get(list), nil, "auth_version"), status: 401, body: "Version required"},
		{name: "10 version 1.1", call: with(get(list), map[string]string{"auth_version": "1.1"}), status: 401, body: "Version not supported"},
		{name: "10 empty version", call: with(get(list), map[string]string{"auth_version": ""}), status: 401, body: "Version not supported"},
		{name: "11 no timestamp", call: with(get(list), nil, "auth_timestamp"), status: 401, body: "Timestamp required"},
		{name: "12 599 s ago", call: with(get(list), at(-599)), status: 200},
		{name: "12 in 599 s", call: with(get(list), at(599)), status: 200},
		{name: "13 600 s ago", call: with(get(list), at(-600)), status: 401, body: expired, starts: true},
		{name: "13 in 600 s", call: with(get(list), at(600)), status: 401, body: expired, starts: true},
		{name: "14 both instants", call: with(get(list), at(600)), status: 401,
			body: expired + "2012-11-16T17:59:39Z) not within 600s of server time (2012-11-16T17:49:39Z)"},
		{name: "15 timestamp abc", call: with(get(list), map[string]string{"auth_timestamp": "abc"}), status: 401,
			body: expired + "1970-01-01T00:00:00Z) not", starts: true},
		{name: "15 huge timestamp", call: with(get(list), map[string]string{"auth_timestamp": "9223372036854775807"}), status: 401,
			body: expired + "1970-01-01T00:00:00Z) not", starts: true},
		{name: "15 timestamp beyond integers", call: with(get(list), map[string]string{"auth_timestamp": "99999999999999999999"}),
			status: 401, body: expired, starts: true},
		{name: "15 negative timestamp", call: with(get(list), map[string]string{"auth_timestamp": "-9223372036854775808"}),
			status: 401, body: expired, starts: true},
		{name: "16 no body_md5", call: with(event(`{}`), nil, "body_md5"), status: 401, body: "Invalid body_md5: ", starts: true},
		{name: "17 wrong body_md5", call: with(event(`{}`), map[string]string{"body_md5": "99914b932bd37a50b983c5e7c90ae93c"}),
			status: 401, body: "Invalid body_md5: ", starts: true},
		{name: "17 upper-case body_md5", call: with(event(`{}`), map[string]string{"body_md5": "99914B932BD37A50B983C5E7C90AE93B"}),
			status: 401, body: "Invalid body_md5: ", starts: true},
		{name: "17 body_md5 without a body", call: with(get(list), map[string]string{"body_md5": "99914b932bd37a50b983c5e7c90ae93b"}),
			status: 401, body: "Invalid body_md5: ", starts: true},
		{name: "18 empty body on GET", call: get(list), status: 200},
		{name: "18 empty body on terminate", call: post("/apps/3/users/1/terminate_connections", ""), status: 200},
		{name: "19 hash of an empty body", call: with(get(list), map[string]string{"body_md5": "d41d8cd98f00b204e9800998ecf8427e"}), status: 200},
		{name: "24 unknown parameters", call: get(list, "zebra=1", "ant=2", "auth_note=x"), status: 200},
		{name: "24 unknown parameter that was not signed", call: signed(get(list, "zebra=1"), unrelated),
			status: 401, body: invalid, starts: true},
		{name: "27 upper-case signature", call: signed(get(list), strings.ToUpper), status: 401, body: invalid, starts: true},
		{name: "28 second key", call: secret(get(list), "second", "second secret"), status: 200},
		{name: "28 second key, first secret", call: secret(get(list), "second", testSecret), status: 401, body: invalid, starts: true},
		{name: "28 first key, second secret", call: secret(get(list), testKey, "second secret"), status: 401, body: invalid, starts: true},
		{name: "29 before parameter errors", call: signed(get(list, "info=nonsense"), flip), status: 401},
		{name: "29 hash before parameter errors", call: with(event(`[`), nil, "body_md5"), status: 401},
		{name: "29 before a disabled app", call: signed(get(list), flip), given: func(f *fixture) { f.app.Disabled = true }, status: 401},
	})
}

func TestInvalidSignatureShowsWhatToSign(t *testing.T) {
	f := newFixture()
	q := get("/apps/3/channels", "filter_by_prefix=a\"b\\c\nd\x00é")
	q.signature = func(string) string { return "no\"pe\n" }
	right := q.sign(q.pairs())
	w := f.do(t, q.build())
	want := `Invalid signature: you should have sent HmacSHA256Hex("GET\n/apps/3/channels\n` +
		`auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&filter_by_prefix=a\"b\\c\nd\x00é"` +
		`, your_secret_key), but you sent "no\"pe\n"` + "\n"
	t.Run("4 string to sign", func(t *testing.T) {
		if got := w.Body.String(); got != want {
			t.Errorf("body = %q, want %q", got, want)
		}
	})
	t.Run("5 no secret", func(t *testing.T) {
		if body := w.Body.String(); strings.Contains(body, right) || strings.Contains(body, testSecret) {
			t.Errorf("body = %q gives away what it must not", body)
		}
	})
	t.Run("6 nil", func(t *testing.T) {
		q.leaveOut = []string{"auth_signature"}
		if got := f.do(t, q.build()).Body.String(); !strings.HasSuffix(got, ", your_secret_key), but you sent nil\n") {
			t.Errorf("body = %q, want nil as what was sent", got)
		}
	})
}

func TestPrefix(t *testing.T) {
	for name, q := range map[string]request{
		"sent with, signed with":           {path: "/realtime/apps/3/channels"},
		"sent with, signed without":        {path: "/realtime/apps/3/channels", signPath: "/apps/3/channels"},
		"stripped by a proxy, signed with": {path: "/apps/3/channels", signPath: "/realtime/apps/3/channels"},
		"stripped, signed without":         {path: "/apps/3/channels"},
		"escaped, signed decoded":          {path: "/realtime/apps/3/channels/a%40b", signPath: "/apps/3/channels/a@b"},
		"a slash too many":                 {path: "//apps/3/channels"},
		"a slash too many, signed with":    {path: "//apps/3/channels", signPath: "/realtime/apps/3/channels"},
		"a slash too many behind it":       {path: "/realtime//apps/3/channels", signPath: "/apps/3/channels"},
		"sent and signed with slashes":     {path: "/realtime//apps/3/channels"},
		"decoded and stripped":             {path: "/apps/3/channels/a@b", signPath: "/realtime/apps/3/channels/a%40b"},
		"escaped and stripped":             {path: "/apps/3/channels/a%40b", signPath: "/realtime/apps/3/channels/a@b"},
	} {
		t.Run(name, func(t *testing.T) {
			q.method = http.MethodGet
			for _, path := range []string{"/realtime", "realtime/"} {
				f := newFixture()
				f.cfg.Path = path
				if w := f.do(t, q.build()); w.Code != 200 {
					t.Errorf("Path %q: status = %d with %q, want 200", path, w.Code, w.Body)
				}
			}
		})
	}
	t.Run("none configured", func(t *testing.T) {
		q := get("/realtime/apps/3/channels")
		if w := newFixture().do(t, q.build()); w.Code != 404 {
			t.Errorf("status = %d, want 404", w.Code)
		}
	})
	t.Run("called like a path of the API", func(t *testing.T) {
		for _, prefix := range []string{"/apps", "/apps/3", "/app", "/users"} {
			const path = "/apps/3/channels"
			for _, q := range []request{{path: path}, {path: prefix + path}, {path: path, signPath: prefix + path}, {path: prefix + path, signPath: path}} {
				f := newFixture()
				f.cfg.Path, q.method = prefix, http.MethodGet
				if w := f.do(t, q.build()); w.Code != 200 {
					t.Errorf("prefix %s: %s, signed over %q = %d %q, want 200", prefix, q.path, q.signPath, w.Code, w.Body)
				}
			}
		}
	})
	t.Run("only alike", func(t *testing.T) {
		f := newFixture()
		f.cfg.Path = "/real"
		if w := f.do(t, get("/realtime/apps/3/channels").build()); w.Code != 404 {
			t.Errorf("status = %d, want 404", w.Code)
		}
	})
}

// TestRawQuery has what a library sends that writes the query without
// escaping, and signs what it wrote.
func TestRawQuery(t *testing.T) {
	q := post("/apps/3/events", "", "name=a+b", "data=100%41%", "channels[]=c")
	signature := q.sign(q.pairs())
	f := newFixture()
	r := httptest.NewRequest(q.method, "/", nil)
	r.RequestURI = q.path + "?" + strings.Join(q.pairs(), "&") + "&auth_signature=" + signature
	if w := f.do(t, r); w.Code != 200 {
		t.Fatalf("status = %d with %q, want 200", w.Code, w.Body)
	}
	checkHeard(t, f.hub, heard("a+b", `"100%41%"`, "c"))
}

func TestEmptySecretIsNoLogin(t *testing.T) {
	// A registry refuses such an app; this one is changed afterwards.
	f := newFixture()
	f.serving(t)
	f.app.Keys[0].Secret = ""
	q := get("/apps/3/channels")
	pairs := q.pairs()
	target := q.path + "?" + strings.Join(pairs, "&") + "&auth_signature=" +
		protocol.Sign("", protocol.RequestText("GET", q.path, appendParams(nil, strings.Join(pairs, "&"), true)))
	if w := f.do(t, httptest.NewRequest("GET", target, nil)); w.Code != 400 || w.Body.String() != "Unknown auth_key\n" {
		t.Errorf("status = %d with %q, want 400 Unknown auth_key", w.Code, w.Body)
	}
}

// TestUnsignedBodyIsNotRead shows that who has no secret can not make the
// process hold a body.
func TestUnsignedBodyIsNotRead(t *testing.T) {
	f := newFixture()
	q := event(`{"name":"a","channel":"b","data":"c"}`)
	q.signature = func(string) string { return "0" }
	r := q.build()
	r.Body = brokenBody{t}
	if w := f.do(t, r); w.Code != 401 {
		t.Errorf("status = %d, want 401", w.Code)
	}
}

// A brokenBody must not be read.
type brokenBody struct{ t *testing.T }

func (b brokenBody) Read([]byte) (int, error) {
	b.t.Error("the body was read")
	return 0, errors.New("broken")
}

func (b brokenBody) Close() error { return nil }
