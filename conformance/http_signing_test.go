package conformance

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// httpSigning is statements 18 to 29 of the HTTP API checklist.
func httpSigning() []statement {
	return []statement{
		{18, "empty_body", testEmptyBody},
		{19, "empty_body_with_md5", testEmptyBodyWithMD5},
		{20, "keys_in_mixed_case", testKeysInMixedCase},
		{21, "commas_raw_and_encoded", testCommasRawAndEncoded},
		{22, "spaces", testSpaces},
		{23, "array_parameters", testArrayParameters},
		{24, "unknown_parameters_signed", testUnknownParametersSigned},
		{25, "order_on_the_wire", testOrderOnTheWire},
		{26, "path_raw_and_encoded", testPathRawAndEncoded},
		{27, "upper_case_signature", testUpperCaseSignature},
		{28, "two_keys", testTwoKeys},
		{29, "authentication_first", testAuthenticationFirst},
	}
}

func testEmptyBody(t *testing.T) {
	a := fixture(t, plain)
	a.get("/channels", "filter_by_prefix", "none-").do(t).expect(t, http.StatusOK, `{"channels":{}}`)
	a.post("/users/"+unique("user")+"/terminate_connections", nil).do(t).expect(t, http.StatusOK, `{}`)
}

func testEmptyBodyWithMD5(t *testing.T) {
	a := fixture(t, plain)
	a.get("/channels", "filter_by_prefix", "none-", "body_md5", "d41d8cd98f00b204e9800998ecf8427e").
		do(t).expect(t, http.StatusOK, `{"channels":{}}`)
	a.get("/channels/presence-none/users", "body_md5", "d41d8cd98f00b204e9800998ecf8427e").
		do(t).expect(t, http.StatusOK, `{"users":[]}`)
}

func testKeysInMixedCase(t *testing.T) {
	a := fixture(t, plain)
	a.get("/channels", "Filter_By_Prefix", "none-").do(t).expect(t, http.StatusOK, `{"channels":{}}`)
}

// testCommasRawAndEncoded asks for two attributes that are legal together in
// every app.
func testCommasRawAndEncoded(t *testing.T) {
	a := fixture(t, plain)
	for name, write := range map[string]func([]param) string{"raw": rawQuery, "encoded": escapedQuery} {
		r := a.get("/channels/"+unique("presence-cache-x"), "info", "user_count,cache")
		r.encode = write
		if got := strings.Contains(write(r.params), ","); got != (name == "raw") {
			t.Fatalf("the suite writes commas wrongly: %s", write(r.params))
		}
		r.do(t).expect(t, http.StatusOK, `{"occupied":false,"user_count":0,"cache":null}`)
	}
}

// fixed writes the query with one value as given, and the rest encoded.
func fixed(key, value string) func([]param) string {
	return func(params []param) string {
		rest := slices.DeleteFunc(slices.Clone(params), func(p param) bool { return p.key == key })
		return escapedQuery(rest) + "&" + key + "=" + value
	}
}

func testSpaces(t *testing.T) {
	a := fixture(t, plain)
	for _, wire := range []string{"a%20b%2Bc%25", "a+b%2Bc%25"} {
		r := a.get("/channels", "filter_by_prefix", "a b+c%")
		r.encode = fixed("filter_by_prefix", wire)
		r.do(t).expect(t, http.StatusOK, `{"channels":{}}`)
	}
	// Some libraries sign what they put on the wire, unencoded.
	r := a.get("/channels", "filter_by_prefix", "a+b%zz")
	r.encode = rawQuery
	r.do(t).expect(t, http.StatusOK, `{"channels":{}}`)
}

func testArrayParameters(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	first, second := unique("project-b"), unique("project-a")
	c.subscribe(first)
	c.subscribe(second)
	for _, write := range []func([]param) string{rawQuery, escapedQuery} {
		r := a.post("/events", nil, "name", "foo", "channels[]", first, "channels[]", second, "data", "x")
		r.encode = write
		r.do(t).expect(t, http.StatusOK, `{}`)
		got := []message{c.next(), c.next()}
		if got[0].Channel == got[1].Channel || got[0].Data != "x" || got[1].Data != "x" {
			t.Errorf("frames = %s, want one on each channel", summary(got))
		}
	}
	// The order of the values is signed as it was sent.
	r := a.post("/events", nil, "name", "foo", "channels[]", first, "channels[]", second, "data", "x").sign()
	i := slices.IndexFunc(r.params, func(p param) bool { return p.value == first })
	r.params[i], r.params[i+1] = r.params[i+1], r.params[i]
	r.do(t).expect(t, http.StatusUnauthorized, invalidSignature)
	c.nothing()
}

func testUnknownParametersSigned(t *testing.T) {
	a := fixture(t, plain)
	a.get("/channels", "filter_by_prefix", "none-", "unknown", "x", "empty", "").do(t).expect(t, http.StatusOK, `{"channels":{}}`)
	r := a.get("/channels", "filter_by_prefix", "none-").sign()
	r.params = append(r.params, param{"unknown", "x"})
	r.do(t).expect(t, http.StatusUnauthorized, invalidSignature)
}

func testOrderOnTheWire(t *testing.T) {
	a := fixture(t, plain)
	for _, order := range []func([]param){
		func(p []param) { slices.Reverse(p) },
		func(p []param) { p[0], p[len(p)-1] = p[len(p)-1], p[0] },
		func(p []param) { p[0], p[2] = p[2], p[0] },
	} {
		r := a.get("/channels", "filter_by_prefix", "none-", "a", "1", "z", "2").sign()
		order(r.params)
		r.do(t).expect(t, http.StatusOK, `{"channels":{}}`)
	}
}

func testPathRawAndEncoded(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	name := unique("presence-a@b,c.d;e=f_1")
	c.join(name, `{"user_id":"a@b.c"}`)
	encoded := strings.NewReplacer("@", "%40", ",", "%2C", ";", "%3B", "=", "%3D").Replace(name)
	const want = `{"occupied":true}`
	a.get("/channels/"+name).do(t).expect(t, http.StatusOK, want)
	a.get("/channels/"+encoded).do(t).expect(t, http.StatusOK, want)
	decodedSigned := a.get("/channels/" + encoded)
	decodedSigned.signPath = "/apps/" + a.id + "/channels/" + name
	decodedSigned.do(t).expect(t, http.StatusOK, want)

	a.post("/users/a@b.c/terminate_connections", "{}").do(t).expect(t, http.StatusOK, `{}`)
	a.post("/users/a%40b.c/terminate_connections", "{}").do(t).expect(t, http.StatusOK, `{}`)
	encodedSigned := a.get("/channels/" + name) // decoded by a proxy
	encodedSigned.signPath = "/apps/" + a.id + "/channels/" + encoded
	encodedSigned.do(t).expect(t, http.StatusOK, want)
	wrong := a.get("/channels/" + name)
	wrong.signPath = "/apps/" + a.id + "/channels/other"
	wrong.do(t).expect(t, http.StatusUnauthorized, invalidSignature)
}

func testUpperCaseSignature(t *testing.T) {
	r := fixture(t, plain).get("/channels").sign()
	r.set("auth_signature", strings.ToUpper(r.value("auth_signature")))
	r.do(t).expect(t, http.StatusUnauthorized, invalidSignature)
}

func testTwoKeys(t *testing.T) {
	a := fixture(t, secondKey)
	key, secret := secondKeyOf()
	for _, attempt := range []struct {
		key, secret string
		status      int
		want        string
	}{
		{a.key, a.secret, http.StatusOK, `{"channels":{}}`},
		{key, secret, http.StatusOK, `{"channels":{}}`},
		{a.key, secret, http.StatusUnauthorized, invalidSignature},
		{key, a.secret, http.StatusUnauthorized, invalidSignature},
	} {
		r := a.get("/channels", "filter_by_prefix", "none-").set("auth_key", attempt.key)
		r.secret = attempt.secret
		r.do(t).expect(t, attempt.status, attempt.want)
	}
}

func testAuthenticationFirst(t *testing.T) {
	a := fixture(t, plain)
	for _, r := range []*apiRequest{
		a.post("/events", "not json"),
		a.post("/events", `{"name":5}`),
		a.post("/events", event1("a b", "e", strings.Repeat("x", 20_000))),
		a.post("/batch_events", `{"batch":[]}`),
		a.get("/channels", "info", "user_count"),
		a.get("/channels/news", "info", "unknown"),
		a.get("/channels/news/users", "info", "user_count"),
		a.post("/users/1/terminate_connections", "{}", "extra", "1"),
		a.post("/channels/news/events", "body"),
	} {
		r.sign()
		r.set("auth_signature", strings.Repeat("0", 64))
		r.do(t).expect(t, http.StatusUnauthorized, invalidSignature)
	}
}
