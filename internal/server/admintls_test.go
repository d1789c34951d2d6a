package server

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/certificate/certificatetest"
)

// TestAdminPortWithTLS has sessions whose cookie goes over nothing else.
func TestAdminPortWithTLS(t *testing.T) {
	const token = "0123456789abcdef"
	p := certificatetest.Write(t, 1)
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminTLSCertFile: p.Cert, AdminTLSKeyFile: p.Key, AdminToken: token})
	base := "https://" + n.AdminAddr().String()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport}
	ask := func(method, path, body string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response
	}
	began := ask("POST", "/api/v1/session", `{"token":"`+token+`"}`)
	if began.StatusCode != http.StatusCreated || len(began.Cookies()) != 1 {
		t.Fatalf("login = %s with %v", began.Status, began.Cookies())
	}
	c := began.Cookies()[0]
	if c.Name != "__Host-belfry" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie = %v, want one of this host over TLS alone", c)
	}
	for path, want := range map[string]int{"/healthz": 200, "/console/": 200, "/api/v1/apps": 401} {
		if got := ask("GET", path, "").StatusCode; got != want {
			t.Errorf("GET %s = %d, want %d", path, got, want)
		}
	}
	if got := ask("GET", "/api/v1/apps", "", "Cookie", c.Name+"="+c.Value).StatusCode; got != 200 {
		t.Errorf("with the session = %d, want 200", got)
	}
	plain, err := http.Get("http://" + n.AdminAddr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	plain.Body.Close()
	if plain.StatusCode != http.StatusBadRequest {
		t.Errorf("in clear = %s, want 400", plain.Status)
	}
}
