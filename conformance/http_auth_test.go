package conformance

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// httpAuthentication is statements 3 to 17 of the HTTP API checklist.
func httpAuthentication() []statement {
	return []statement{
		{3, "signature_changed", testSignatureChanged},
		{4, "text_of_invalid_signature", testTextOfInvalidSignature},
		{5, "no_secret_in_answer", testNoSecretInAnswer},
		{6, "no_signature", testNoSignature},
		{7, "no_key", testNoKey},
		{8, "unknown_key", testHTTPUnknownKey},
		{9, "key_of_another_app", testKeyOfAnotherApp},
		{10, "version", testHTTPVersion},
		{11, "no_timestamp", testNoTimestamp},
		{12, "timestamp_in_window", testTimestampInWindow},
		{13, "timestamp_out_of_window", testTimestampOutOfWindow},
		{14, "text_of_expired_timestamp", testTextOfExpiredTimestamp},
		{15, "timestamp_not_a_number", testTimestampNotANumber},
		{16, "no_body_md5", testNoBodyMD5},
		{17, "wrong_body_md5", testWrongBodyMD5},
	}
}

const invalidSignature = `Invalid signature: you should have sent HmacSHA256Hex("…`

// damaged returns text with the character at i changed to another hex digit.
func damaged(text string, i int) string {
	digit := byte('0')
	if text[i] == digit {
		digit = '1'
	}
	return text[:i] + string(digit) + text[i+1:]
}

func testSignatureChanged(t *testing.T) {
	a := fixture(t, plain)
	for _, i := range []int{0, 31, 63} {
		r := a.post("/events", event1(unique("news"), "e", "{}")).sign()
		r.set("auth_signature", damaged(r.value("auth_signature"), i))
		r.do(t).expect(t, http.StatusUnauthorized, invalidSignature)
	}
	r := a.get("/channels").sign()
	r.set("auth_signature", r.value("auth_signature")[:63])
	r.do(t).expect(t, http.StatusUnauthorized, invalidSignature)
}

func testTextOfInvalidSignature(t *testing.T) {
	a := fixture(t, plain)
	r := a.get("/channels", "filter_by_prefix", `a"b`).sign()
	given := damaged(r.value("auth_signature"), 5)
	want := r.remove("auth_signature").signedText()
	want = strings.ReplaceAll(strings.ReplaceAll(want, `"`, `\"`), "\n", `\n`)
	r.set("auth_signature", given)
	resp := r.do(t)
	resp.expect(t, http.StatusUnauthorized,
		`Invalid signature: you should have sent HmacSHA256Hex("`+want+`", your_secret_key), but you sent "`+given+`"`)
}

func testNoSecretInAnswer(t *testing.T) {
	a := fixture(t, plain)
	r := a.post("/events", event1(unique("news"), "e", "{}")).sign()
	right := r.value("auth_signature")
	r.set("auth_signature", damaged(right, 7))
	resp := r.do(t)
	resp.expect(t, http.StatusUnauthorized, invalidSignature)
	if strings.Contains(resp.body, right) || strings.Contains(resp.body, a.secret) {
		t.Errorf("%s: the answer %q contains the expected signature or the secret", resp.request, resp.body)
	}
}

func testNoSignature(t *testing.T) {
	r := fixture(t, plain).get("/channels").sign()
	resp := r.remove("auth_signature").do(t)
	resp.expect(t, http.StatusUnauthorized, invalidSignature)
	if want := "your_secret_key), but you sent nil\n"; !strings.HasSuffix(resp.body, want) {
		t.Errorf("%s = %q, want it to end in %q", resp.request, resp.body, want)
	}
}

func testNoKey(t *testing.T) {
	r := fixture(t, plain).get("/channels").remove("auth_key")
	r.do(t).expect(t, http.StatusUnauthorized, "Missing parameter: auth_key")
}

func testHTTPUnknownKey(t *testing.T) {
	a := fixture(t, plain)
	a.get("/channels").set("auth_key", "nobody").do(t).expect(t, http.StatusBadRequest, "Unknown auth_key")
	a.request(http.MethodGet, "/apps/no-such-app/channels", "").do(t).expect(t, http.StatusBadRequest, "Unknown auth_key")
}

func testKeyOfAnotherApp(t *testing.T) {
	a, other := fixture(t, plain), fixture(t, otherApp)
	r := a.get("/channels").set("auth_key", other.key)
	r.secret = other.secret
	r.do(t).expect(t, http.StatusBadRequest, "Unknown auth_key")
}

func testHTTPVersion(t *testing.T) {
	a := fixture(t, plain)
	a.get("/channels").remove("auth_version").do(t).expect(t, http.StatusUnauthorized, "Version required")
	for _, version := range []string{"1.1", "1", "1.0 ", "1.00"} {
		a.get("/channels").set("auth_version", version).do(t).expect(t, http.StatusUnauthorized, "Version not supported")
	}
}

func testNoTimestamp(t *testing.T) {
	r := fixture(t, plain).get("/channels").remove("auth_timestamp")
	r.do(t).expect(t, http.StatusUnauthorized, "Timestamp required")
}

// shifted is a request whose timestamp is that many seconds off, answered
// within the same second as it was made: at the edge of the window the tick
// of the clock in between would make another request of it.
func (a *app) shifted(t *testing.T, seconds int64) *response {
	t.Helper()
	for range 10 {
		now := time.Now().Unix()
		resp := a.get("/channels", "filter_by_prefix", "none-").set("auth_timestamp", strconv.FormatInt(now+seconds, 10)).do(t)
		if time.Now().Unix() == now {
			return resp
		}
	}
	t.Fatal("ten requests in a row took longer than the rest of their second")
	return nil
}

func testTimestampInWindow(t *testing.T) {
	a := fixture(t, plain)
	for _, seconds := range []int64{-599, 599, 0, -300, 300} {
		a.shifted(t, seconds).expect(t, http.StatusOK, `{"channels":{}}`)
	}
}

func testTimestampOutOfWindow(t *testing.T) {
	a := fixture(t, plain)
	for _, seconds := range []int64{-600, 600, -601, 601, -1 << 31, 1 << 40} {
		a.shifted(t, seconds).expect(t, http.StatusUnauthorized, "Timestamp expired: Given timestamp (…")
	}
}

func testTextOfExpiredTimestamp(t *testing.T) {
	r := fixture(t, plain).get("/channels").set("auth_timestamp", "1380444393")
	resp := r.do(t)
	const start, middle = "Timestamp expired: Given timestamp (2013-09-29T08:46:33Z) not within 600s of server time (", ")\n"
	resp.expect(t, http.StatusUnauthorized, start+"…")
	server := strings.TrimSuffix(strings.TrimPrefix(resp.body, start), middle)
	at, err := time.Parse("2006-01-02T15:04:05Z", server)
	if err != nil {
		t.Fatalf("%s = %q: server time %q: %v", resp.request, resp.body, server, err)
	}
	if off := time.Since(at).Abs(); off > time.Minute {
		t.Errorf("server time %s is %v from ours", server, off)
	}
}

func testTimestampNotANumber(t *testing.T) {
	a := fixture(t, plain)
	for _, timestamp := range []string{"abc", "", "1e9", "99999999999999999999999999", "-99999999999999999999", "0x10", "NaN"} {
		resp := a.get("/channels").set("auth_timestamp", timestamp).do(t)
		if resp.status != http.StatusUnauthorized {
			t.Errorf("%s = %d %q, want 401", resp.request, resp.status, resp.body)
		}
		resp.checkError(t)
	}
}

func testNoBodyMD5(t *testing.T) {
	a := fixture(t, plain)
	r := a.post("/events", event1(unique("news"), "e", "{}")).remove("body_md5")
	r.do(t).expect(t, http.StatusUnauthorized, "Invalid body_md5: …")
}

func testWrongBodyMD5(t *testing.T) {
	a := fixture(t, plain)
	body := event1(unique("news"), "e", "{}")
	right := md5Hex([]byte(encode(body)))
	for _, sum := range []string{md5Hex([]byte("another body")), strings.ToUpper(right), right[:31], "", md5Hex(nil)} {
		a.post("/events", body).set("body_md5", sum).do(t).expect(t, http.StatusUnauthorized, "Invalid body_md5: …")
	}
	a.get("/channels").set("body_md5", right).do(t).expect(t, http.StatusUnauthorized, "Invalid body_md5: …")
}
