package access

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const testToken = "0123456789abcdef"

// A site is a gate, what it guards, and a clock.
type site struct {
	*Gate
	t   *testing.T
	mux *http.ServeMux
	at  time.Time
}

func newSite(t *testing.T, cfg Config) *site {
	s := &site{t: t, mux: http.NewServeMux(), at: time.Unix(1e9, 0)}
	cfg.Token, cfg.Now = testToken, func() time.Time { return s.at }
	s.Gate = New(cfg)
	s.mux.Handle(Path, s.Handler())
	s.mux.Handle(Path+"/", s.Handler())
	s.mux.Handle("/api/", s.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, From(r.Context()).Via)
	})))
	return s
}

// A request is what a browser or a program sends.
type request struct {
	method, path, body, token string
	host                      string // empty: localhost
	local                     string // address of the listener; empty: loopback
	cookies                   []string
	header                    map[string]string
}

func (s *site) send(q request) *http.Response {
	s.t.Helper()
	r := httptest.NewRequest(q.method, q.path, strings.NewReader(q.body))
	r.Host = "localhost:6002"
	if q.host != "" {
		r.Host = q.host
	}
	if q.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	for _, c := range q.cookies {
		r.Header.Add("Cookie", c)
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6002}
	if q.local != "" {
		local.IP = net.ParseIP(q.local)
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local))))
	return w.Result()
}

// login begins a session and returns its cookie.
func (s *site) login(body string) string {
	s.t.Helper()
	r := s.send(request{method: "POST", path: Path, body: body})
	if r.StatusCode != http.StatusCreated {
		s.t.Fatalf("login = %s", r.Status)
	}
	c := r.Cookies()[0]
	return c.Name + "=" + c.Value
}

// asks returns the status of a call with cookies.
func (s *site) asks(cookies ...string) int {
	s.t.Helper()
	return s.send(request{method: "GET", path: "/api/v1/apps", cookies: cookies}).StatusCode
}

// code makes a code with the token.
func (s *site) code() string {
	s.t.Helper()
	var made struct{ Code string }
	r := s.send(request{method: "POST", path: Path + "/code", token: testToken})
	if err := json.NewDecoder(r.Body).Decode(&made); err != nil || r.StatusCode != http.StatusCreated {
		s.t.Fatalf("code = %s, %v", r.Status, err)
	}
	return made.Code
}

func TestSessionBeginsWithTheToken(t *testing.T) {
	s := newSite(t, Config{})
	if got := s.asks(); got != 401 {
		t.Errorf("without a session = %d, want 401", got)
	}
	r := s.send(request{method: "POST", path: Path, body: `{"token":"` + testToken + `"}`})
	c := r.Cookies()[0]
	if r.StatusCode != 201 || c.Name != "belfry-session" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.MaxAge != 0 {
		t.Errorf("login = %s with %+v, want a strict cookie for the session", r.Status, c)
	}
	if strings.Contains(c.Value, testToken) {
		t.Error("the token is in the cookie")
	}
	if got := s.asks(c.Name + "=" + c.Value); got != 200 {
		t.Errorf("with the session = %d, want 200", got)
	}
	if got := s.asks(c.Name + "=" + c.Value + "x"); got != 401 {
		t.Errorf("with another = %d, want 401", got)
	}
	for _, body := range []string{`{}`, `{"token":"wrong"}`, `{"code":"wrong"}`} {
		if r := s.send(request{method: "POST", path: Path, body: body}); r.StatusCode != 401 || len(r.Cookies()) > 0 {
			t.Errorf("login with %s = %s, want 401", body, r.Status)
		}
	}
}

func TestCodeLogsInOnceWithinAMinute(t *testing.T) {
	s := newSite(t, Config{})
	code := s.code()
	cookie := s.login(`{"code":"` + code + `"}`)
	if got := s.asks(cookie); got != 200 {
		t.Errorf("session of a code = %d, want 200", got)
	}
	if r := s.send(request{method: "POST", path: Path, body: `{"code":"` + code + `"}`}); r.StatusCode != 401 {
		t.Errorf("second use = %s, want 401", r.Status)
	}
	late := s.code()
	s.at = s.at.Add(codeTime)
	if r := s.send(request{method: "POST", path: Path, body: `{"code":"` + late + `"}`}); r.StatusCode != 401 {
		t.Errorf("use after a minute = %s, want 401", r.Status)
	}
	if r := s.send(request{method: "POST", path: Path + "/code", cookies: []string{cookie}}); r.StatusCode != 403 {
		t.Errorf("code made by a session = %s, want 403", r.Status)
	}
	first := s.code()
	for range maxCodes {
		s.at = s.at.Add(time.Millisecond)
		s.code()
	}
	if _, good := s.takeCode(first); len(s.codes) > maxCodes || good {
		t.Errorf("%d codes are kept, want %d without the first", len(s.codes), maxCodes)
	}
}

func TestSessionsEnd(t *testing.T) {
	s := newSite(t, Config{})
	const token = `{"token":"` + testToken + `"}`
	idle := s.login(token)
	s.at = s.at.Add(idleTime - 1)
	s.asks(idle)
	s.at = s.at.Add(idleTime - 1)
	if got := s.asks(idle); got != 200 {
		t.Errorf("a session that is used = %d, want 200", got)
	}
	for range 40 { // what the page asks by itself is no use
		s.at = s.at.Add(time.Minute)
		s.send(request{method: "GET", path: "/api/v1/apps", cookies: []string{idle}, header: map[string]string{PollHeader: "1"}})
	}
	if got := s.asks(idle); got != 401 {
		t.Errorf("a session that is only polled = %d, want 401", got)
	}
	long := s.login(token)
	for range 50 {
		s.at = s.at.Add(sessionTime / 49)
		s.asks(long)
	}
	if got := s.asks(long); got != 401 {
		t.Errorf("a session of half a day = %d, want 401", got)
	}
	out := s.login(token)
	if r := s.send(request{method: "DELETE", path: Path, cookies: []string{out}}); r.StatusCode != 204 || r.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout = %s %v, want 204 and no cookie", r.Status, r.Cookies())
	}
	if got := s.asks(out); got != 401 {
		t.Errorf("a session after the logout = %d, want 401", got)
	}
	first := s.login(token)
	for range maxSessions {
		s.at = s.at.Add(time.Millisecond)
		s.login(token)
	}
	if got := s.asks(first); got != 401 || len(s.sessions) > maxSessions {
		t.Errorf("with too many sessions the oldest = %d, and there are %d", got, len(s.sessions))
	}
}

func TestCookieThatComesTwiceIsRefused(t *testing.T) {
	s := newSite(t, Config{})
	cookie := s.login(`{"token":"` + testToken + `"}`)
	for _, cookies := range [][]string{{cookie + "; belfry-session=x"}, {"belfry-session=x", cookie}, {cookie, cookie}} {
		if got := s.asks(cookies...); got != 401 {
			t.Errorf("with cookies %q = %d, want 401", cookies, got)
		}
	}
}

func TestPagesElsewhereDoNotUseTheSession(t *testing.T) {
	s := newSite(t, Config{})
	cookie := s.login(`{"token":"` + testToken + `"}`)
	for site, want := range map[string]int{"same-origin": 200, "none": 200, "": 200, "same-site": 401, "cross-site": 401, "x": 401} {
		r := s.send(request{method: "GET", path: "/api/v1/apps", cookies: []string{cookie}, header: map[string]string{"Sec-Fetch-Site": site}})
		if r.StatusCode != want {
			t.Errorf("Sec-Fetch-Site %q = %s, want %d", site, r.Status, want)
		}
	}
}

// TestCookieDoesNotGoOverTheNetworkInClear has what reaches the port in which way.
func TestCookieDoesNotGoOverTheNetworkInClear(t *testing.T) {
	const token = `{"token":"` + testToken + `"}`
	for name, tt := range map[string]struct {
		cfg    Config
		q      request
		status int
		cookie string
	}{
		"this machine":                {Config{}, request{}, 201, clearCookie},
		"under its own name":          {Config{}, request{host: "belfry.localhost:6002"}, 201, clearCookie},
		"the network":                 {Config{}, request{local: "10.0.0.1", host: "10.0.0.1:6002"}, 403, ""},
		"a name for loopback":         {Config{}, request{local: "10.0.0.1", host: "localhost"}, 403, ""},
		"a proxy that says nothing":   {Config{}, request{host: "ops.example"}, 403, ""},
		"a proxy that nobody trusts":  {Config{}, request{host: "ops.example", header: map[string]string{"X-Forwarded-Proto": "https"}}, 403, ""},
		"the network, accepted":       {Config{Insecure: true}, request{local: "10.0.0.1", host: "10.0.0.1:6002"}, 201, clearCookie},
		"the network, dev":            {Config{Open: true}, request{local: "10.0.0.1", host: "10.0.0.1:6002"}, 403, ""},
		"a proxy with TLS, trusted":   {Config{TrustedProxies: loopbackPrefixes}, request{host: "ops.example", header: map[string]string{"X-Forwarded-Proto": "https"}}, 201, secureCookie},
		"a proxy in clear, trusted":   {Config{TrustedProxies: loopbackPrefixes}, request{host: "ops.example", header: map[string]string{"X-Forwarded-Proto": "http"}}, 403, ""},
		"an address of this machine":  {Config{}, request{host: "127.0.0.1:6002"}, 201, clearCookie},
		"an address of IPv6 loopback": {Config{}, request{host: "[::1]:6002", local: "::1"}, 201, clearCookie},
	} {
		s := newSite(t, tt.cfg)
		tt.q.method, tt.q.path, tt.q.body = "POST", Path, token
		r := s.send(tt.q)
		got := ""
		if len(r.Cookies()) > 0 {
			got = r.Cookies()[0].Name
		}
		if r.StatusCode != tt.status || got != tt.cookie {
			t.Errorf("%s: login = %s with %q, want %d with %q", name, r.Status, got, tt.status, tt.cookie)
		}
		if len(r.Cookies()) > 0 && r.Cookies()[0].Secure != (tt.cookie == secureCookie) {
			t.Errorf("%s: the cookie is %+v", name, r.Cookies()[0])
		}
	}
}

func TestWrongTokensAndCodesCountTogether(t *testing.T) {
	s := newSite(t, Config{})
	for i := range 12 {
		q := request{method: "POST", path: Path, body: fmt.Sprintf(`{"token":"wrong-%d"}`, i)}
		switch i % 3 {
		case 1:
			q.body = fmt.Sprintf(`{"code":"wrong-%d"}`, i)
		case 2:
			q = request{method: "GET", path: "/api/v1/apps", token: fmt.Sprint("wrong-", i)}
		}
		r := s.send(q)
		if want := map[bool]int{true: 401, false: 429}[i < 10]; r.StatusCode != want || (want == 429) != (r.Header.Get("Retry-After") != "") {
			t.Errorf("guess %d = %s, want %d", i, r.Status, want)
		}
	}
}

func TestDevLetsEverybodyIn(t *testing.T) {
	s := newSite(t, Config{Open: true})
	if got := s.asks(s.login("")); got != 200 {
		t.Errorf("with a session of nobody = %d, want 200", got)
	}
	if got := s.asks(); got != 401 {
		t.Errorf("without a session = %d, want 401", got)
	}
}

var loopbackPrefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")} // where httptest's requests come from

// A namedToken is one named token, which can end.
type namedToken struct {
	Token
	secret string
	err    error
}

func (n *namedToken) Find(secret string) (*Token, error) {
	if n.err != nil || secret != n.secret || n.Life.Err() != nil {
		return nil, n.err
	}
	return &n.Token, nil
}

func newNamed(t *testing.T) (*namedToken, context.CancelFunc) {
	life, end := context.WithCancel(t.Context())
	return &namedToken{Token{Name: "ada", Role: Developer, Apps: []string{"1"}, Life: life}, TokenPrefix + "x", nil}, end
}

// TestSessionsEndWithTheirToken and so do codes, and requests that last.
func TestSessionsEndWithTheirToken(t *testing.T) {
	for name, begin := range map[string]func(s *site, n *namedToken) string{
		"login": func(s *site, n *namedToken) string { return s.login(`{"token":"` + n.secret + `"}`) },
		"code": func(s *site, n *namedToken) string {
			var made struct{ Code string }
			if err := json.NewDecoder(s.send(request{method: "POST", path: Path + "/code", token: n.secret}).Body).Decode(&made); err != nil {
				t.Fatal(err)
			}
			return s.login(`{"code":"` + made.Code + `"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, end := newNamed(t)
			s := newSite(t, Config{Tokens: n})
			cookie := begin(s, n)
			var who Principal
			s.mux.Handle("/api/lasts", s.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				who = From(r.Context())
				end()
				<-r.Context().Done()
			})))
			s.send(request{method: "GET", path: "/api/lasts", cookies: []string{cookie}})
			if who.Name != "ada" || who.Role != Developer || !who.Sees("1") || who.Sees("2") || who.SeesAll() {
				t.Errorf("who asks is %+v, want ada", who)
			}
			if got := s.asks(cookie); got != 401 {
				t.Errorf("session of a token that has ended = %d, want 401", got)
			}
			if r := s.send(request{method: "GET", path: "/api/v1/apps", token: n.secret}); r.StatusCode != 401 {
				t.Errorf("token that has ended = %s, want 401", r.Status)
			}
		})
	}
}

func TestRequestsThatLastEndWithTheirSession(t *testing.T) {
	s := newSite(t, Config{})
	cookie := s.login(`{"token":"` + testToken + `"}`)
	s.mux.Handle("/api/lasts", s.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.send(request{method: "DELETE", path: Path, cookies: []string{cookie}})
		<-r.Context().Done()
	})))
	s.send(request{method: "GET", path: "/api/lasts", cookies: []string{cookie}})
}

func TestCodeEndsWithTheTokenOfWhoAskedForIt(t *testing.T) {
	n, end := newNamed(t)
	s := newSite(t, Config{Tokens: n})
	code, _ := s.makeCode(caller{Principal{Name: "ada"}, n.Life})
	end()
	if r := s.send(request{method: "POST", path: Path, body: `{"code":"` + code + `"}`}); r.StatusCode != 401 {
		t.Errorf("login with the code = %s, want 401", r.Status)
	}
}

// TestTokensThatCanNotBeRead keep nobody out for longer than that lasts.
func TestTokensThatCanNotBeRead(t *testing.T) {
	n, _ := newNamed(t)
	s := newSite(t, Config{Tokens: n})
	n.err = context.DeadlineExceeded
	for range 20 {
		if r := s.send(request{method: "GET", path: "/api/v1/apps", token: n.secret}); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
			t.Fatalf("while tokens can not be read = %s, want 503", r.Status)
		}
	}
	if r := s.send(request{method: "GET", path: "/api/v1/apps", token: testToken}); r.StatusCode != 200 {
		t.Errorf("token of the service = %s, want 200", r.Status)
	}
	n.err = nil
	if r := s.send(request{method: "GET", path: "/api/v1/apps", token: n.secret}); r.StatusCode != 200 {
		t.Errorf("afterwards = %s, want 200", r.Status)
	}
}

// TestTokenThatIsKnownLate was made on another node, and used here too early.
func TestTokenThatIsKnownLate(t *testing.T) {
	n, _ := newNamed(t)
	early := n.secret
	n.secret = TokenPrefix + "other"
	s := newSite(t, Config{Tokens: n})
	if r := s.send(request{method: "GET", path: "/api/v1/apps", token: early}); r.StatusCode != 401 {
		t.Fatalf("a token that is not known = %s, want 401", r.Status)
	}
	n.secret = early
	if r := s.send(request{method: "GET", path: "/api/v1/apps", token: early}); r.StatusCode != 200 {
		t.Errorf("when it is = %s, want 200", r.Status)
	}
}

func TestRolesMayMoreAndMore(t *testing.T) {
	for i, r := range Roles {
		for j, least := range Roles {
			if got := r.AtLeast(least); got != (i >= j) {
				t.Errorf("%s.AtLeast(%s) = %t", r, least, got)
			}
		}
		if r.AtLeast("") || r.AtLeast("root") || Role("").AtLeast(r) || Role("root").AtLeast(r) {
			t.Errorf("%s and what is no role are compared", r)
		}
	}
	var nobody Principal
	if nobody.Sees("") || nobody.Sees("1") || nobody.SeesAll() || nobody.ReadsPayloads() {
		t.Error("nobody sees something")
	}
}

func TestAddressesAreCutForAllButOperators(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.17": "192.0.2.0/24", "2001:db8:1:2::3": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48", "": "", "what else": "what else",
	} {
		if got := (Principal{Role: AppAdmin}).Address(text); got != want {
			t.Errorf("Address(%q) = %q, want %q", text, got, want)
		}
		if got := (Principal{Role: Operator}).Address(text); got != text {
			t.Errorf("Address(%q) to an operator = %q", text, got)
		}
	}
	for text, want := range map[string]bool{"192.0.2.17/32": false, "192.0.2.0/24": true, "0.0.0.0/0": true, "2001:db8::/64": false, "2001:db8::/48": true, "::ffff:192.0.2.0/120": false} {
		if got := (Principal{Role: Viewer}).MayAskFor(netip.MustParsePrefix(text)); got != want {
			t.Errorf("MayAskFor(%s) = %t, want %t", text, got, want)
		}
	}
}
