package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// requestLine is method, path and signed query of a request, for tests that
// write the rest themselves.
func (r *apiRequest) requestLine(version string) string {
	return fmt.Sprintf("%s %s?%s %s\r\n", r.method, r.app.prefix+r.path, escapedQuery(r.sign().params), version)
}

func testRawRequests(t *testing.T) {
	a := fixture(t, plain)
	line := a.get("/channels").requestLine("HTTP/1.1")
	for _, raw := range []string{
		"GET\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n", "\x00\x01\x02\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /apps/%zz/channels HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /apps/" + a.id + "/channels/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /apps/" + a.id + "/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET //apps/" + a.id + "/channels HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "FOO /apps/" + a.id + "/channels HTTP/1.1\r\nHost: x\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		strings.Replace(line, "GET", "TRACE", 1) + "Host: x\r\n\r\n",
		line + "Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		line + "Host: x\r\nContent-Length: -1\r\n\r\n", line + "Host: x\r\nTransfer-Encoding: nonsense\r\n\r\n",
		line + "Host: x\r\nX\x00: 1\r\n\r\n",
	} {
		got := a.answer(t, raw)
		if got >= 500 && got != http.StatusNotImplemented && got != http.StatusHTTPVersionNotSupported || got >= 300 && got < 400 {
			t.Errorf("answer to %q = %d, want no redirect and no internal error", short(raw), got)
		}
	}
	if got := a.answer(t, line+"Host: anything.example\r\n\r\n"); got != http.StatusOK {
		t.Errorf("answer to a right request with another Host = %d, want 200", got)
	}
}

func testOversizedRequests(t *testing.T) {
	a := fixture(t, plain)
	line := a.get("/channels").requestLine("HTTP/1.1")
	for name, raw := range map[string]string{
		"header of 4 MB": line + "Host: x\r\nX-Big: " + strings.Repeat("x", 4<<20) + "\r\n\r\n",
		"query of 4 MB":  "GET /apps/" + a.id + "/channels?x=" + strings.Repeat("x", 4<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if got := a.answer(t, raw); got != 0 && (got < 400 || got > 499) {
			t.Errorf("answer to %s = %d, want 4xx or the connection closed", name, got)
		}
	}
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf("k%d", i), "v")
	}
	if got := a.get("/channels", append(many, "filter_by_prefix", "none-")...).do(t); got.status != http.StatusOK && (got.status < 400 || got.status > 499) {
		t.Errorf("answer to 5000 parameters = %d %q, want 200 or 4xx", got.status, short(got.body))
	}
	names := strings.Repeat(`"n",`, 100_000)
	a.post("/events", `{"name":"e","data":"D","channels":[`+names+`"n"]}`).do(t).expect(t, http.StatusBadRequest, "…")
	elements := strings.Repeat(`{},`, 100_000)
	a.post("/batch_events", `{"batch":[`+elements+`{}]}`).do(t).expect(t, http.StatusBadRequest, "Batch too large (100001 > 10)")
}

func testHTTPDeepJSON(t *testing.T) {
	a := fixture(t, plain)
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for _, body := range []string{
		deep, `{"name":"e","channel":"news","data":` + deep + `}`, `{"unknown":` + deep + `,"name":"e","channel":"news","data":"D"}`,
		strings.Repeat("[", 900_000), strings.Repeat(`{"a":`, 100_000),
	} {
		a.post("/events", body).do(t).expect(t, http.StatusBadRequest, "…")
		a.post("/batch_events", body).do(t).expect(t, http.StatusBadRequest, "…")
	}
}

func testHTTPDuplicates(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	first, second := unique("news"), unique("news")
	c.subscribe(first)
	c.subscribe(second)
	body := fmt.Sprintf(`{"name":"x","name":"e","channel":%q,"channel":%q,"Name":"y","data":"D"}`, first, second)
	a.post("/events", body).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", second, "D") // the last one wins
	c.nothing()
	for _, key := range []string{"auth_key", "auth_timestamp", "auth_version", "body_md5"} {
		r := a.post("/events", event1(unique("news"), "e", "D")).sign()
		r.params = append(r.params, param{key, "other"})
		if got := r.do(t); got.status != http.StatusUnauthorized && got.status != http.StatusBadRequest {
			t.Errorf("%s with a second %s = %d %q, want 401 or 400", got.request, key, got.status, got.body)
		}
	}
}

func testHTTPOddBodies(t *testing.T) {
	a := fixture(t, plain)
	r := a.post("/events", event1(unique("news"), "e", "D"))
	r.header.Set("Content-Encoding", "gzip")
	if got := r.do(t); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("%s with Content-Encoding gzip = %d %q, want 415", got.request, got.status, got.body)
	}
	r = a.post("/events", event1(unique("news"), "e", "D"))
	r.header.Set("Content-Encoding", "identity")
	r.do(t).expect(t, http.StatusOK, `{}`)
	r = a.request(http.MethodGet, "/apps/"+a.id+"/channels", "a body", "filter_by_prefix", "none-")
	if got := r.do(t); got.status != http.StatusOK && got.status != http.StatusBadRequest {
		t.Errorf("%s with a body = %d %q, want 200 or 400", got.request, got.status, got.body)
	}
	head := a.request(http.MethodHead, "/apps/"+a.id+"/channels", "").do(t)
	if head.body != "" || head.status >= 500 {
		t.Errorf("%s = %d %q, want no body", head.request, head.status, head.body)
	}
}

func testBodyCutShort(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	r := a.post("/events", event1(channel, "e", "D"))
	whole := r.requestLine("HTTP/1.1") + fmt.Sprintf("Host: x\r\nContent-Length: %d\r\n\r\n%s", len(r.body), r.body)
	for cut := 1; cut < len(r.body); cut += 7 {
		nc, err := a.open(dialing{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, whole[:len(whole)-cut]); err != nil {
			t.Fatal(err)
		}
		nc.Close()
	}
	c.nothing()
}

// testPipelined sends several requests at once: they are answered in order.
func testPipelined(t *testing.T) {
	a := fixture(t, plain)
	nc, err := a.open(dialing{})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	var raw strings.Builder
	for i := range 20 {
		r := a.get("/channels/news")
		if i%2 == 1 {
			r = a.get("/nothing")
		}
		raw.WriteString(r.requestLine("HTTP/1.1") + "Host: x\r\n\r\n")
	}
	if _, err := io.WriteString(nc, raw.String()); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(nc)
	for i := range 20 {
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("answer %d of 20: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if want := []int{http.StatusOK, http.StatusNotFound}[i%2]; resp.StatusCode != want {
			t.Errorf("answer %d = %d, want %d", i, resp.StatusCode, want)
		}
	}
}

func testHTTP10(t *testing.T) {
	a := fixture(t, plain)
	if got := a.answer(t, a.get("/channels", "filter_by_prefix", "none-").requestLine("HTTP/1.0")+"\r\n"); got != http.StatusOK {
		t.Errorf("answer to HTTP/1.0 = %d, want 200", got)
	}
}
