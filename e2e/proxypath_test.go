package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// TestPathBehindNginx has a service with a prefix behind proxies that hand it
// on, strip it, and strip it but for a slash. Of all three, nginx decodes the
// path where it strips.
func TestPathBehindNginx(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{Settings: "path: /realtime"})
	const upgrade = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
	for name, location := range map[string]string{
		"handed on":           "location /realtime/ { proxy_pass http://%s; %s }",
		"stripped":            "location /realtime/ { proxy_pass http://%s/; %s }",
		"stripped to a slash": "location /realtime { proxy_pass http://%s/; %s }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := startNginxWith(t, s, fmt.Sprintf(location, s.Addr, upgrade), "events {}")
			testWebSocketBehindProxy(t, addr)
			if status, body := requestBehindProxy(t, http.MethodPost, addr, "/pusher/app/"+service.Key+"/1/"+strings.ReplaceAll(name, " ", "-")+"/xhr", "protocol=7"); status != 200 || !strings.HasPrefix(body, "o\na[") {
				t.Errorf("polling = %d %q, want a session", status, body)
			}
			for _, prefix := range []string{"", "/realtime"} { // libraries sign one or the other
				testSignedBehindProxy(t, addr, prefix, http.MethodGet, "/channels/presence-a%40b%3Bc", `{"occupied":false}`)
				testSignedBehindProxy(t, addr, prefix, http.MethodGet, "/channels/presence-a@b;c", `{"occupied":false}`)
				testSignedBehindProxy(t, addr, prefix, http.MethodPost, "/users/idp/u/1/terminate_connections", `{}`)
				testSignedBehindProxy(t, addr, prefix, http.MethodPost, "/users/idp%2Fu%2F1/terminate_connections", `{}`)
			}
		})
	}
}

func testWebSocketBehindProxy(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), service.Patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, "ws://"+addr+"/realtime/app/"+service.Key+"?protocol=7")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var in io.ReadWriter = conn
	if early != nil { // came in one piece with the handshake
		in = struct {
			io.Reader
			io.Writer
		}{early, conn}
	}
	if first, err := wsutil.ReadServerText(in); err != nil || !strings.Contains(string(first), "connection_established") {
		t.Errorf("the first message is %q, %v, want connection_established", first, err)
	}
}

// testSignedBehindProxy sends a request whose path is signed as it is written,
// with that prefix in front.
func testSignedBehindProxy(t *testing.T, addr, prefix, method, path, want string) {
	t.Helper()
	path = "/apps/" + service.AppID + path
	query := fmt.Sprintf("auth_key=%s&auth_timestamp=%d&auth_version=1.0", service.Key, time.Now().Unix())
	query += "&auth_signature=" + protocol.Sign(service.Secret, method+"\n"+prefix+path+"\n"+query)
	if status, body := requestBehindProxy(t, method, addr, path, query); status != 200 || body != want {
		t.Errorf("%s %s, signed with %q in front = %d %q, want %s", method, path, prefix, status, body, want)
	}
}

// requestBehindProxy sends a request below the prefix, with the path as it is.
func requestBehindProxy(t *testing.T, method, addr, path, query string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque, r.URL.RawQuery = "/realtime"+path, query
	return roundTrip(t, r)
}
