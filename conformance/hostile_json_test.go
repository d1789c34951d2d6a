package conformance

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func testTruncatedJSON(t *testing.T) {
	c := fixture(t, plain).connect(t)
	const whole = `{"event":"pusher:subscribe","data":{"channel":"a\u00e9","n":[1.5e3,true]}}`
	for i := range len(whole) {
		c.sendText(whole[:i])
		c.expectErrorText("Received invalid JSON")
	}
	for _, text := range []string{
		`{"event":"pusher:ping"}}`, `{"event":"pusher:ping"} {}`, `{"event":"pusher:ping",}`, `{'event':'pusher:ping'}`, `{event:1}`,
		`{"event":"pusher:ping","data":01}`, `{"event":"pusher:ping","data":+1}`, `{"event":"pusher:ping","data":.5}`,
		`{"event":"pusher:ping","data":NaN}`, `{"event":"pusher:ping","data":"\x"}`, `{"event":"pusher:ping","data":"\u12"}`,
		"{\"event\":\"pusher:ping\",\"data\":\"\n\"}", `{"event":"pusher:ping","data":tru}`, "\ufeff" + pingText, pingText + "\x00",
		`{"event" "pusher:ping"}`, `{"event":"pusher:ping" "data":1}`, `[` + pingText + `]`,
	} {
		c.sendText(text)
		c.expectErrorText("Received invalid JSON")
	}
	c.sendText(" \t\r\n" + pingText + " \n")
	c.expect("pusher:pong", "", "{}")
}

func testDeepJSON(t *testing.T) {
	c := fixture(t, plain).connect(t)
	nested := func(open, end string, depth int) string {
		return `{"event":"pusher:ping","data":` + strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth) + `}`
	}
	c.sendText(nested("[", "]", 60))
	c.expect("pusher:pong", "", "{}")
	for _, depth := range []int{65, 10_000, 60_000} {
		c.sendText(nested("[", "]", depth))
		c.expectErrorText("Received invalid JSON")
	}
	c.sendText(nested(`{"a":`, "}", 10_000))
	c.expectErrorText("Received invalid JSON")
	c.sendText(strings.Repeat("[", 100_000))
	c.expectErrorText("Received invalid JSON")
	c.open()
}

func testDuplicateMembers(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.sendText(`{"event":"pusher:bogus","event":"pusher:ping"}`) // the last one wins
	c.expect("pusher:pong", "", "{}")
	c.sendText(`{"event":"pusher:ping","event":5}`)
	c.expectErrorText("Missing parameter: event")
	c.sendText(`{"Event":"pusher:ping","EVENT":"pusher:ping"}`) // names are case-sensitive
	c.expectErrorText("Missing parameter: event")
	c.sendText(`{"\u0065vent":"pusher:\u0070ing"}`)
	c.expect("pusher:pong", "", "{}")
	first, second := unique("news"), unique("news")
	c.sendText(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"Channel":"x","channel":%q}}`, first, second))
	c.expect("pusher_internal:subscription_succeeded", second, "{}")
	c.open()
}

func testLoneSurrogates(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	for _, escape := range []string{`\ud800`, `\udc00`, `\ud800\ud800`, `\ud83dx`} {
		c.sendText(`{"event":"pusher:subscribe","data":{"channel":"private-` + escape + `","auth":"` + escape + `"}}`)
		c.expectError(null)
		if m := c.next(); m.Event != "pusher:subscription_error" {
			t.Errorf("frame = %s, want pusher:subscription_error", m)
		}
		resp := a.post("/events", `{"name":"e`+escape+`","channel":"`+unique("news")+`","data":"`+escape+`"}`).do(t)
		if resp.status != http.StatusOK && resp.status != http.StatusBadRequest {
			t.Errorf("%s = %d, want 200 or 400", resp.request, resp.status)
		}
	}
	c.open()
}

// testLongEcho looks at errors that name what was sent: at most 200
// characters of it, and the string to sign cut at 1024 bytes.
func testLongEcho(t *testing.T) {
	c := fixture(t, plain).connect(t)
	long := strings.Repeat("é", 30_000)
	for _, text := range []string{
		encode(map[string]any{"event": long}),
		encode(map[string]any{"event": "pusher:unsubscribe", "data": map[string]any{"channel": long}}),
	} {
		c.sendText(text)
		if got := c.expectError(null); utf8.RuneCountInString(got) > 300 || !utf8.ValidString(got) {
			t.Errorf("message has %d characters, want what is echoed cut at 200", utf8.RuneCountInString(got))
		}
	}
	channel := unique("private-x")
	c.sendSubscribe(channel, long, long)
	if got := c.expectError(null); len(got) > 1000 {
		t.Errorf("message has %d bytes, want what is echoed cut", len(got))
	}
	c.expectSubscriptionError(channel, "AuthError", 401)
	c.sendSubscribe(channel, c.app.key+":"+long, long)
	if got := c.expectError(null); len(got) > 2000 {
		t.Errorf("message has %d bytes, want the string to sign cut at 1024", len(got))
	}
	c.expectSubscriptionError(channel, "AuthError", 401)
	c.open()
}

// testFramesBefore101 sends frames with the upgrade: they wait for the
// connection, and are not lost.
func testFramesBefore101(t *testing.T) {
	channel := unique("news")
	early := textFrame(`{"event":"pusher:subscribe","data":{"channel":"` + channel + `"}}`)
	early = append(early, textFrame(pingText)[:7]...)
	c := fixture(t, plain).connectWith(t, dialing{pipelined: early})
	c.expect("pusher_internal:subscription_succeeded", channel, "{}")
	c.sendBytes(textFrame(pingText)[7:])
	c.expect("pusher:pong", "", "{}")
}

// testExtensionOffered offers compression as every browser does. What is not
// negotiated must not be used.
func testExtensionOffered(t *testing.T) {
	a := fixture(t, plain)
	for _, offer := range []string{"permessage-deflate; client_max_window_bits", "nonsense; a=b", "permessage-deflate; server_max_window_bits=99"} {
		c := a.dial(t, dialing{headers: []string{"Sec-WebSocket-Extensions: " + offer}})
		if accepted := c.header.Get("Sec-WebSocket-Extensions"); accepted != "" {
			if !strings.HasPrefix(accepted, "permessage-deflate") || !strings.HasPrefix(offer, "permessage-deflate; client") {
				t.Errorf("Sec-WebSocket-Extensions = %q for offer %q", accepted, offer)
			}
		}
		c.established()
		c.open()
	}
}

func testOddPaths(t *testing.T) {
	a := fixture(t, plain)
	app := a.prefix + "/app/"
	for _, path := range []string{app + a.key + "/", app + percentEncoded(a.key), app + "%" + fmt.Sprintf("%02x", a.key[0]) + a.key[1:]} {
		a.connectWith(t, dialing{path: path}).open()
	}
	for _, path := range []string{app, app + "/", app + a.key + "/x", app + a.key + "//", a.prefix + "/App/" + a.key, a.prefix + "/apps/" + a.id + "/events", "/"} {
		a.refused(t, dialing{path: path}, 4005)
	}
	for _, path := range []string{app + a.key + "%00", app + "%ff%fe", app + strings.ToUpper(a.key) + "%2F..", app + "..%2F" + a.key} {
		a.refused(t, dialing{path: path}, 4001)
	}
}

// answer returns the status of the HTTP answer to raw bytes; 0 when there was
// none before the server closed.
func (a *app) answer(t *testing.T, raw string) int {
	t.Helper()
	nc, err := a.open(dialing{})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	_, _ = nc.Write([]byte(raw)) // the server may close before it is all written
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func testOddUpgrades(t *testing.T) {
	a := fixture(t, plain)
	good := string(a.upgradeRequest(dialing{}))
	for name, raw := range map[string]string{
		"version 12":     strings.Replace(good, "Version: 13", "Version: 12", 1),
		"no version":     strings.Replace(good, "Sec-WebSocket-Version: 13\r\n", "", 1),
		"no key":         strings.Replace(good, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 1),
		"short key":      strings.Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhl", 1),
		"method POST":    strings.Replace(good, "GET ", "POST ", 1),
		"HTTP/1.0":       strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1),
		"no Connection":  strings.Replace(good, "Connection: Upgrade\r\n", "", 1),
		"other protocol": strings.Replace(good, "Upgrade: websocket", "Upgrade: h2c", 1),
	} {
		if got := a.answer(t, raw); (got < 400 || got > 499) && got != http.StatusHTTPVersionNotSupported {
			t.Errorf("upgrade with %s = %d, want 4xx or 505", name, got)
		}
	}
	for _, line := range []string{"Upgrade: WebSocket", "UPGRADE: websocket"} {
		raw := strings.Replace(good, "Upgrade: websocket", line, 1)
		if got := a.answer(t, raw); got != http.StatusSwitchingProtocols {
			t.Errorf("upgrade with %q = %d, want 101", line, got)
		}
	}
	keepAlive := strings.Replace(good, "Connection: Upgrade", "Connection: keep-alive, Upgrade", 1)
	if got := a.answer(t, keepAlive); got != http.StatusSwitchingProtocols {
		t.Errorf("upgrade with Connection: keep-alive, Upgrade = %d, want 101", got)
	}
}

func testOversizedUpgrade(t *testing.T) {
	a := fixture(t, plain)
	for name, d := range map[string]dialing{
		"header of 4 MB":         {headers: []string{"X-Big: " + strings.Repeat("x", 4<<20)}},
		"100,000 headers":        {headers: strings.Split(strings.Repeat("X-Many: 1\n", 100_000)+"X: 1", "\n")},
		"query string of 4 MB":   {query: "protocol=7&x=" + strings.Repeat("x", 4<<20)},
		"path of 4 MB":           {path: a.prefix + "/app/" + strings.Repeat("k", 4<<20)},
		"500,000 query elements": {query: "protocol=7" + strings.Repeat("&a=1", 500_000)},
	} {
		if got := a.answer(t, string(a.upgradeRequest(d))); got != 0 && (got < 400 || got > 499) {
			t.Errorf("upgrade with %s = %d, want 4xx or the connection closed", name, got)
		}
	}
	a.connectWith(t, dialing{query: "protocol=7&x=" + strings.Repeat("x", 4<<10)}).open()
}

func testUpgradeNeverEnds(t *testing.T) {
	a := fixture(t, plain)
	raw := a.upgradeRequest(dialing{})
	for range 50 {
		nc, err := a.open(dialing{})
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close() // all are open while others are served
		if _, err := nc.Write(raw[:len(raw)/2]); err != nil {
			t.Fatal(err)
		}
	}
	a.alive(t)
}

// testRandomBytes is not a fuzzer; those are inside. It repeats from a fixed
// seed what a confused peer might send.
func testRandomBytes(t *testing.T) {
	a := fixture(t, plain)
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		raw := make([]byte, 1+random.IntN(2000))
		for i := range raw {
			raw[i] = byte(random.Uint32())
		}
		c := a.connect(t)
		_, _ = c.net.Write(raw)
		c.reset()
	}
}
