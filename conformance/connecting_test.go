package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// connecting is statements 1 to 27 of the WebSocket checklist.
func connecting() []statement {
	return []statement{
		{1, "established_first", testEstablishedFirst},
		{2, "protocols_4_to_7", testProtocols4To7},
		{3, "protocol_too_old", testProtocolTooOld},
		{4, "protocol_too_new", testProtocolTooNew},
		{5, "protocol_not_a_number", testProtocolNotANumber},
		{6, "no_protocol", testNoProtocol},
		{7, "inferred_7", testInferred7},
		{8, "inferred_too_old", testInferredTooOld},
		{9, "inferred_from_nonsense", testInferredFromNonsense},
		{10, "version_not_looked_at", testVersionNotLookedAt},
		{11, "unknown_parameters", testUnknownParameters},
		{12, "unknown_key", testUnknownKey},
		{13, "long_key", testLongKey},
		{14, "disabled", testDisabled},
		{15, "tls_only", testTLSOnly},
		{16, "tls_by_trusted_proxy", testTLSByTrustedProxy},
		{17, "tls_forged", testTLSForged},
		{18, "no_such_path", testNoSuchPath},
		{19, "plain_get", testPlainGet},
		{20, "over_quota", testOverQuota},
		{21, "quota_freed", testQuotaFreed},
		{22, "origin", testOrigin},
		{23, "subprotocol_echoed", testSubprotocolEchoed},
		{24, "subprotocol_unknown", testSubprotocolUnknown},
		{25, "path_prefix", testPathPrefix},
		{26, "shape_of_refusals", testShapeOfRefusals},
		{27, "refused_answers_nothing", testRefusedAnswersNothing},
	}
}

func testEstablishedFirst(t *testing.T) {
	c := fixture(t, plain).connectWith(t, dialing{query: "protocol=7"})
	c.open()
}

func testProtocols4To7(t *testing.T) {
	a := fixture(t, plain)
	for _, version := range []string{"4", "5", "6", "7"} {
		a.connectWith(t, dialing{query: "protocol=" + version}).open()
	}
}

func testProtocolTooOld(t *testing.T) {
	a := fixture(t, plain)
	for _, version := range []string{"3", "2", "1", "0"} {
		a.refused(t, dialing{query: "protocol=" + version}, 4007)
	}
}

func testProtocolTooNew(t *testing.T) {
	a := fixture(t, plain)
	for _, version := range []string{"8", "99"} {
		a.refused(t, dialing{query: "protocol=" + version}, 4007)
	}
}

func testProtocolNotANumber(t *testing.T) {
	a := fixture(t, plain)
	for _, version := range []string{"abc", "7.0", "-7"} {
		a.refused(t, dialing{query: "protocol=" + version}, 4006)
	}
}

func testNoProtocol(t *testing.T) {
	a := fixture(t, plain)
	a.refused(t, dialing{query: noQuery}, 4008)
	a.refused(t, dialing{query: "protocol="}, 4008)
}

func testInferred7(t *testing.T) {
	a := fixture(t, plain)
	a.connectWith(t, dialing{query: "client=js&version=2.2.4"}).open()
}

func testInferredTooOld(t *testing.T) {
	fixture(t, plain).refused(t, dialing{query: "client=js&version=1.6.0"}, 4007)
}

func testInferredFromNonsense(t *testing.T) {
	fixture(t, plain).refused(t, dialing{query: "client=js&version=banana"}, 4006)
}

func testVersionNotLookedAt(t *testing.T) {
	fixture(t, plain).connectWith(t, dialing{query: "protocol=7&version=banana&client="}).open()
}

func testUnknownParameters(t *testing.T) {
	a := fixture(t, plain)
	a.connectWith(t, dialing{query: "protocol=7&flash=true&foo=bar&foo&x%5B%5D=1"}).open()
}

func testUnknownKey(t *testing.T) {
	a := fixture(t, plain)
	got := a.refused(t, dialing{path: a.prefix + "/app/nope"}, 4001)
	if want := "App key nope not in this cluster. Did you forget to specify the cluster?"; got != want {
		t.Errorf("message = %q, want %q", got, want)
	}
}

// testLongKey leaves the length of the close reason to closed, which checks
// that of every Close frame.
func testLongKey(t *testing.T) {
	a := fixture(t, plain)
	a.refused(t, dialing{path: a.prefix + "/app/" + strings.Repeat("k", 300)}, 4001)
	message := a.refused(t, dialing{path: a.prefix + "/app/" + strings.Repeat("%E2%82%AC", 100)}, 4001)
	if !utf8.ValidString(message) {
		t.Errorf("message = %q, want UTF-8", message)
	}
}

func testDisabled(t *testing.T) {
	fixture(t, disabled).refused(t, dialing{}, 4003)
}

func testTLSOnly(t *testing.T) {
	a := fixture(t, tlsOnly)
	a.refused(t, dialing{}, 4000)
	a.connectWith(t, dialing{overTLS: true}).open()
}

func testTLSByTrustedProxy(t *testing.T) {
	a := fixture(t, proxied)
	a.connectWith(t, dialing{headers: []string{"X-Forwarded-Proto: https"}}).open()
	a.refused(t, dialing{headers: []string{"X-Forwarded-Proto: http"}}, 4000)
	a.refused(t, dialing{}, 4000)
}

func testTLSForged(t *testing.T) {
	fixture(t, tlsOnly).refused(t, dialing{headers: []string{"X-Forwarded-Proto: https"}}, 4000)
}

func testNoSuchPath(t *testing.T) {
	a := fixture(t, plain)
	a.refused(t, dialing{path: a.prefix + "/nothing/here"}, 4005)
}

func testPlainGet(t *testing.T) {
	a := fixture(t, plain)
	resp := a.request(http.MethodGet, "/app/"+a.key, "", "protocol", "7").do(t)
	if resp.status != http.StatusUpgradeRequired {
		t.Errorf("%s = %d %q, want 426", resp.request, resp.status, short(resp.body))
	}
}

func testOverQuota(t *testing.T) {
	a := fixture(t, quotaOfTwo)
	first, second := a.connect(t), a.connect(t)
	a.refused(t, dialing{}, 4004)
	a.refused(t, dialing{}, 4004)
	first.open()
	second.open()
}

func testQuotaFreed(t *testing.T) {
	a := fixture(t, quotaFreed)
	first, second := a.connect(t), a.connect(t)
	a.refused(t, dialing{}, 4004)
	first.hangUp()
	eventually(t, "a connection after another one has closed", func() bool {
		c := a.dial(t, dialing{})
		return c.next().Event == "pusher:connection_established"
	})
	a.refused(t, dialing{}, 4004)
	second.open()
}

func testOrigin(t *testing.T) {
	a := fixture(t, originsLimited)
	for _, origin := range []string{"https://evil.test", "https://example.com.evil.test", "https://example.com", "null", "%"} {
		got := a.refused(t, dialing{headers: []string{"Origin: " + origin}}, 4009)
		if want := "Origin not allowed"; got != want {
			t.Errorf("message for origin %s = %q, want %q", origin, got, want)
		}
	}
	a.refused(t, dialing{}, 4009)
	for _, origin := range []string{"https://a.example.com", "http://A.Example.COM:8080"} {
		a.connectWith(t, dialing{headers: []string{"Origin: " + origin}}).open()
	}
}

func testSubprotocolEchoed(t *testing.T) {
	a := fixture(t, plain)
	const name = "pusher-channels-protocol-7"
	c := a.connectWith(t, dialing{headers: []string{"Sec-WebSocket-Protocol: " + name}})
	if got := c.header.Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != name {
		t.Errorf("Sec-WebSocket-Protocol = %q, want %q", got, name)
	}
	c = a.connectWith(t, dialing{query: "protocol=5", headers: []string{
		"Sec-WebSocket-Protocol: foo, pusher-channels-protocol-7", "Sec-WebSocket-Protocol: pusher-channels-protocol-5",
	}})
	if got, want := c.header.Get("Sec-WebSocket-Protocol"), "pusher-channels-protocol-5"; got != want {
		t.Errorf("Sec-WebSocket-Protocol of protocol 5 = %q, want %q", got, want)
	}
}

func testSubprotocolUnknown(t *testing.T) {
	c := fixture(t, plain).connectWith(t, dialing{headers: []string{"Sec-WebSocket-Protocol: foo"}})
	if got, ok := c.header["Sec-Websocket-Protocol"]; ok {
		t.Errorf("Sec-WebSocket-Protocol = %q, want none", got)
	}
	c.open()
}

func testPathPrefix(t *testing.T) {
	a := fixture(t, prefixed)
	c := a.connectWith(t, dialing{path: "/ws/app/" + a.key, query: "protocol=7"})
	c.subscribe("news")
	a.publish(t, "news", "e", "{}")
	c.expect("e", "news", "{}")
	for _, path := range []string{"/app/", "//app/", "//ws/app/", "/ws//app/", "///ws//app/"} { // as proxies leave it
		a.connectWith(t, dialing{path: path + a.key, query: "protocol=7"})
	}
	for _, path := range []string{"/wsx/app/", "/ws/ws/app/", "/w/app/"} {
		a.refused(t, dialing{path: path + a.key}, 4005)
	}
	a.prefix = ""
	for _, path := range []string{"/apps/", "//apps/", "//ws/apps/", "/ws//apps/"} {
		r := a.request(http.MethodGet, path+a.id+"/channels", "", "filter_by_prefix", "none-")
		for _, signed := range []string{path, "/apps/", "/ws/apps/"} {
			r := *r
			r.params, r.signPath = slices.Clone(r.params), signed+a.id+"/channels"
			r.do(t).expect(t, http.StatusOK, `{"channels":{}}`)
		}
	}
}

// testShapeOfRefusals goes through the refusals again that need no other app,
// frame by frame; the others are held to the same by refused.
func testShapeOfRefusals(t *testing.T) {
	a := fixture(t, plain)
	for code, d := range map[int]dialing{
		4001: {path: a.prefix + "/app/nobody"},
		4005: {path: a.prefix + "/nothing"},
		4006: {query: "protocol=x"},
		4007: {query: "protocol=3"},
		4008: {query: noQuery},
	} {
		c := a.dial(t, d)
		m := c.next()
		members, err := strictObject([]byte(m.Data))
		if err != nil || m.Event != "pusher:error" || m.DataIsText || m.HasChannel || string(members["code"]) != fmt.Sprint(code) {
			t.Errorf("first frame of refusal %d = %s, want a pusher:error with that code and no channel (%v)", code, m, err)
		}
		c.expectClose(code)
	}
}

func testRefusedAnswersNothing(t *testing.T) {
	a := fixture(t, plain)
	early := textFrame(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)
	a.refused(t, dialing{path: a.prefix + "/app/nope", pipelined: early}, 4001)

	c := a.dial(t, dialing{path: a.prefix + "/app/nope"})
	_, _ = c.net.Write(early) // the server may have closed already
	c.ended(4001)
}
