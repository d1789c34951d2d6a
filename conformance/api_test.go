package conformance

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A param is one query parameter, decoded. Array parameters keep their
// brackets in the key.
type param struct{ key, value string }

// An apiRequest is one request to the HTTP API. A test may change any part of
// it before it is signed, and the parameters even afterwards.
type apiRequest struct {
	app      *app
	method   string
	path     string // as it stands on the request line, after the prefix
	signPath string // what is signed instead of path; empty means path
	params   []param
	body     []byte
	header   http.Header
	secret   string
	encode   func([]param) string // how the query is written; nil means percent-encoded
	client   *http.Client
	signed   bool
}

// get is a request below /apps/{id}; pairs are further parameters.
func (a *app) get(path string, pairs ...string) *apiRequest {
	return a.request(http.MethodGet, "/apps/"+a.id+path, "", pairs...)
}

// post is a request below /apps/{id}. The body is sent as it stands when it
// is a string, and as JSON otherwise; nil is no body.
func (a *app) post(path string, body any, pairs ...string) *apiRequest {
	text, ok := body.(string)
	if !ok && body != nil {
		text = encode(body)
	}
	return a.request(http.MethodPost, "/apps/"+a.id+path, text, pairs...)
}

// request is a request to any path, with the parameters that a library sends.
func (a *app) request(method, path, body string, pairs ...string) *apiRequest {
	r := &apiRequest{
		app: a, method: method, path: path, body: []byte(body), secret: a.secret,
		header: http.Header{"Content-Type": {"application/json"}}, client: apiClient,
	}
	r.set("auth_key", a.key)
	r.set("auth_timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	r.set("auth_version", "1.0")
	if body != "" {
		r.set("body_md5", md5Hex(r.body))
	}
	for i := 0; i < len(pairs); i += 2 {
		r.params = append(r.params, param{pairs[i], pairs[i+1]})
	}
	return r
}

func md5Hex(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// set gives a parameter its value.
func (r *apiRequest) set(key, value string) *apiRequest {
	i := slices.IndexFunc(r.params, func(p param) bool { return p.key == key })
	if i < 0 {
		r.params = append(r.params, param{key, value})
		return r
	}
	r.params[i].value = value
	return r
}

// remove takes a parameter away.
func (r *apiRequest) remove(key string) *apiRequest {
	r.params = slices.DeleteFunc(r.params, func(p param) bool { return p.key == key })
	return r
}

// value returns a parameter's value.
func (r *apiRequest) value(key string) string {
	for _, p := range r.params {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

// signedText is the string to sign.
func (r *apiRequest) signedText() string {
	sorted := slices.Clone(r.params)
	for i, p := range sorted {
		sorted[i].key = strings.ToLower(p.key)
	}
	base := func(p param) string { return strings.TrimSuffix(p.key, "[]") }
	slices.SortStableFunc(sorted, func(a, b param) int { return strings.Compare(base(a), base(b)) })
	path := r.signPath
	if path == "" {
		path = r.path
	}
	return r.method + "\n" + path + "\n" + rawQuery(sorted)
}

// sign adds auth_signature over the parameters as they are now.
func (r *apiRequest) sign() *apiRequest {
	r.params = append(r.params, param{"auth_signature", sign(r.secret, r.signedText())})
	r.signed = true
	return r
}

// rawQuery writes the parameters without any encoding, as some libraries do.
func rawQuery(params []param) string {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key + "=" + p.value)
	}
	return b.String()
}

// escapedQuery percent-encodes keys and values.
func escapedQuery(params []param) string {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.key) + "=" + url.QueryEscape(p.value))
	}
	return b.String()
}

// A response is an answer of the HTTP API.
type response struct {
	status  int
	proto   string
	header  http.Header
	body    string
	reused  bool   // came over a connection that had been used before
	request string // for failure messages
}

// apiClient keeps connections open, as the official libraries do. TestMain
// makes it.
var apiClient *http.Client

// newAPIClient returns a client that neither follows redirects nor believes
// in certificates: those of the suite's own services are nobody's.
func newAPIClient(transport *http.Transport) *http.Client {
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: target.external == nil}
	return &http.Client{
		Transport:     transport,
		Timeout:       2 * patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send signs the request unless that is done, and returns the answer.
func (r *apiRequest) send() (*response, error) {
	if !r.signed {
		r.sign()
	}
	write := r.encode
	if write == nil {
		write = escapedQuery
	}
	scheme, addr := "http", r.app.addr
	if r.app.secure {
		scheme = "https"
	}
	u := &url.URL{Scheme: scheme, Host: addr, Opaque: r.app.prefix + r.path, RawQuery: write(r.params)}
	if strings.HasPrefix(u.Opaque, "//") { // which would be a host
		u.Opaque, u.Path = "", u.Opaque
	}
	resp := &response{request: fmt.Sprintf("%s %s?%s %s", r.method, r.path, short(u.RawQuery), short(string(r.body)))}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { resp.reused = info.Reused }}
	req := (&http.Request{
		Method: r.method, URL: u, Host: addr, Header: r.header, Body: http.NoBody, ContentLength: int64(len(r.body)),
	}).WithContext(httptrace.WithClientTrace(context.Background(), trace))
	if len(r.body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(r.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.body)), nil }
	}
	answer, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", resp.request, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: read body: %w", resp.request, err)
	}
	resp.status, resp.proto, resp.header, resp.body = answer.StatusCode, answer.Proto, answer.Header, string(body)
	return resp, nil
}

// do is send for the goroutine of the test.
func (r *apiRequest) do(t *testing.T) *response {
	t.Helper()
	resp, err := r.send()
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// expect requires the status and, for a success, the JSON value of the body;
// for an error the exact text, or its start when want ends in "…". Error
// bodies are held to statement 96 of the HTTP API checklist.
func (r *response) expect(t *testing.T, status int, want string) {
	t.Helper()
	if r.status != status {
		t.Errorf("%s = %d %q, want %d %q", r.request, r.status, short(r.body), status, want)
		return
	}
	if status < 300 {
		if r.status == http.StatusOK && !sameJSON(r.body, want) {
			t.Errorf("%s = %q, want %s", r.request, short(r.body), want)
		}
		if kind := r.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
			t.Errorf("%s: Content-Type = %q, want application/json", r.request, kind)
		}
		return
	}
	r.checkError(t)
	text := strings.TrimSuffix(r.body, "\n")
	start, isStart := strings.CutSuffix(want, "…")
	if isStart && !strings.HasPrefix(text, start) || !isStart && text != want {
		t.Errorf("%s = %d %q, want %q", r.request, r.status, short(text), want)
	}
}

// checkError requires an error body of plain text with one newline at the end.
func (r *response) checkError(t *testing.T) {
	t.Helper()
	if kind := r.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
		t.Errorf("%s = %d with Content-Type %q, want text/plain", r.request, r.status, kind)
	}
	if len(r.body) < 2 || !strings.HasSuffix(r.body, "\n") || strings.HasSuffix(r.body, "\n\n") {
		t.Errorf("%s = %d %q, want a text that ends in exactly one newline", r.request, r.status, short(r.body))
	}
}

// members decodes the body, which must be a JSON object with status 200.
func (r *response) members(t *testing.T) map[string]any {
	t.Helper()
	v, err := decode(r.body)
	members, ok := v.(map[string]any)
	if r.status != http.StatusOK || err != nil || !ok {
		t.Fatalf("%s = %d %q, want 200 and a JSON object", r.request, r.status, short(r.body))
	}
	return members
}

// trigger publishes with the body as given and requires success.
func (a *app) trigger(t *testing.T, body map[string]any) *response {
	t.Helper()
	resp := a.post("/events", body).do(t)
	if resp.status != http.StatusOK {
		t.Fatalf("%s = %d %q, want 200", resp.request, resp.status, short(resp.body))
	}
	return resp
}

// publish publishes one event on one channel.
func (a *app) publish(t *testing.T, channel, event, data string) {
	t.Helper()
	a.trigger(t, event1(channel, event, data)).expect(t, http.StatusOK, "{}")
}

// event1 is the body that publishes one event on one channel.
func event1(channel, event, data string) map[string]any {
	return map[string]any{"name": event, "channel": channel, "data": data}
}

// channel asks for the state of a channel.
func (a *app) channel(t *testing.T, name string, info ...string) map[string]any {
	t.Helper()
	r := a.get("/channels/" + name)
	if len(info) > 0 {
		r.set("info", strings.Join(info, ","))
	}
	return r.do(t).members(t)
}

// occupied reports whether the channel has a subscription.
func (a *app) occupied(t *testing.T, name string) bool {
	t.Helper()
	state, ok := a.channel(t, name)["occupied"].(bool)
	if !ok {
		t.Fatalf("GET /channels/%s has no boolean member occupied", name)
	}
	return state
}

// listed returns the occupied channels whose names have the prefix.
func (a *app) listed(t *testing.T, prefix string, pairs ...string) map[string]any {
	t.Helper()
	resp := a.get("/channels", append([]string{"filter_by_prefix", prefix}, pairs...)...).do(t)
	list, ok := resp.members(t)["channels"].(map[string]any)
	if !ok {
		t.Fatalf("%s = %q, want an object of channels", resp.request, short(resp.body))
	}
	return list
}

// number is a JSON number for comparisons with decoded bodies.
func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }
