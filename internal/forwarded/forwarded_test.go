package forwarded

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestSecure(t *testing.T) {
	p := Proxies{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		remote  string
		headers []string
		want    bool
	}{
		{"10.1.2.3:4567", []string{"https"}, true},
		{"10.1.2.3:4567", []string{"WSS"}, true},
		{"10.1.2.3:4567", []string{"http"}, false},
		{"10.1.2.3:4567", nil, false},
		{"10.1.2.3:4567", []string{""}, false},
		{"10.2.2.3:4567", []string{"https"}, false},
		{"[::ffff:10.1.2.3]:4567", []string{"https"}, true},
		{"[fd00::1]:4567", []string{"https"}, true},
		{"[fe80::1]:4567", []string{"https"}, false},
		{"10.1.2.3", []string{"https"}, false}, // net/http always gives a port
		{"@", []string{"https"}, false},        // a unix socket
		{"name:80", []string{"https"}, false},
		// What the client wrote before the proxy appended what it saw.
		{"10.1.2.3:4567", []string{"https, http"}, false},
		{"10.1.2.3:4567", []string{"http , https "}, true},
		{"10.1.2.3:4567", []string{"https", "http"}, false},
		{"10.1.2.3:4567", []string{"http", "https"}, true},
	} {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{"X-Forwarded-Proto": tt.headers}}
		if got := p.Secure(r); got != tt.want {
			t.Errorf("Secure from %s with %q = %t, want %t", tt.remote, tt.headers, got, tt.want)
		}
	}
	if !p.Secure(&http.Request{TLS: &tls.ConnectionState{}, RemoteAddr: "192.0.2.1:80"}) {
		t.Error("Secure over TLS = false, want true")
	}
}

var trusted = Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func request(peer string, forwarded ...string) *http.Request {
	r := httptest.NewRequest("GET", "/app/k", nil)
	r.RemoteAddr = peer
	for _, f := range forwarded {
		r.Header.Add("X-Forwarded-For", f)
	}
	return r
}

func TestAddressOfTheClient(t *testing.T) {
	for name, tt := range map[string]struct {
		r    *http.Request
		want string
	}{
		"direct":                       {request("192.0.2.1:5"), "192.0.2.1"},
		"direct over IPv6":             {request("[2001:db8::1]:5"), "2001:db8::1"},
		"IPv4 in IPv6":                 {request("[::ffff:192.0.2.1]:5"), "192.0.2.1"},
		"stranger says he is another":  {request("192.0.2.1:5", "198.51.100.1"), "192.0.2.1"},
		"proxy names the client":       {request("10.0.0.1:5", "198.51.100.1"), "198.51.100.1"},
		"proxy names it with a port":   {request("10.0.0.1:5", "198.51.100.1:99"), "198.51.100.1"},
		"proxy names IPv6":             {request("[fd00::1]:5", "[2001:db8::1]:99"), "2001:db8::1"},
		"client says it was another":   {request("10.0.0.1:5", "203.0.113.9, 198.51.100.1"), "198.51.100.1"},
		"two proxies":                  {request("10.0.0.1:5", "198.51.100.1, 10.0.0.2"), "198.51.100.1"},
		"two headers":                  {request("10.0.0.1:5", "203.0.113.9", "198.51.100.1, 10.0.0.2"), "198.51.100.1"},
		"client among the proxies":     {request("10.0.0.1:5", "10.0.0.3, 10.0.0.2"), "invalid IP"},
		"proxy that names nobody":      {request("10.0.0.1:5"), "invalid IP"},
		"proxy that names nonsense":    {request("10.0.0.1:5", "unknown"), "invalid IP"},
		"nonsense before a proxy":      {request("10.0.0.1:5", "unknown, 10.0.0.2"), "invalid IP"},
		"nonsense before the client":   {request("10.0.0.1:5", "x, 198.51.100.1"), "198.51.100.1"},
		"something that is not TCP":    {request("@"), "invalid IP"},
		"something else with a header": {request("@", "198.51.100.1"), "invalid IP"},
	} {
		got, ok := trusted.Client(tt.r)
		if got.String() != tt.want || ok != (tt.want != "invalid IP") {
			t.Errorf("%s: Client = %v, %t, want %s", name, got, ok, tt.want)
		}
	}
}
