package server

import (
	"bufio"
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// Loops give what triggers events to the API without asking the components,
// which have none of it wherever they are mounted.
func TestComponentsHaveNoEvents(t *testing.T) {
	for _, cfg := range []Config{{}, {HTTPPath: "/"}, {HTTPPath: "/apps"}, {Path: "/apps", HTTPPath: "/1"}, {Path: "/app", HTTPPath: "/apps"}, {Path: "/realtime"}} {
		n := start(t, cfg)
		for _, prefix := range []string{"", "/", cfg.Path, "//" + cfg.Path} {
			for _, path := range []string{"/apps/1/events", "/apps/1/batch_events", "/apps/1/channels/a/events", "/apps/1/channels/8.4.0/pusher.js/events"} {
				for _, c := range n.router.components {
					if c.Handler(httptest.NewRequest(http.MethodPost, prefix+path, nil)) != nil {
						t.Errorf("%+v: %T answers %s", cfg, c, prefix+path)
					}
				}
			}
		}
	}
}

var (
	dates  = regexp.MustCompile(`Date: [^\r]*GMT`)
	events = regexp.MustCompile(`X-Belfry-Event-Id: [^\r]*`)
	server = regexp.MustCompile(`server time \([^)]*\)`)
	socket = regexp.MustCompile(`.\{"event":"pusher:connection_established","data":"\{\\"socket_id\\":\\"[0-9.]*`) // and its length
)

// goodbye is a Close frame of a client, and the end of a line for who did not
// upgrade. What asks for an upgrade ends with it.
const goodbye = "\x88\x80\x00\x00\x00\x00\r\n"

// asked sends a text over a connection that ends with it, and returns what comes
// back but for what is never the same.
func (n *testNode) asked(text string) string {
	n.t.Helper()
	c, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		n.t.Fatal(err)
	}
	if !strings.HasSuffix(text, goodbye) {
		_ = c.(*net.TCPConn).CloseWrite()
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return "error"
	}
	for all, one := range map[*regexp.Regexp]string{dates: "Date: (now)", events: "X-Belfry-Event-Id: (one)", server: "(now)", socket: "(id)"} {
		answer = all.ReplaceAll(answer, []byte(one))
	}
	return string(answer)
}

// A node answers alike on loops, with net/http, and with portable sockets, for
// whatever path, prefix, proxy and limit.
func TestNodesAnswerAlike(t *testing.T) {
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	get := func(path string, fields ...string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + strings.Join(fields, "") + "\r\n"
	}
	app := testApp()
	app.TLSOnly = true
	configs := map[string]Config{
		"plain":   {},
		"path":    {Path: "/realtime", CORS: true},
		"tls":     {Apps: []*apps.App{app}, Compression: true},
		"limited": {ConnectionAttempts: 2},
		"hosts":   {Hosts: func(host string) bool { return host == "b" }},
		"small":   {MaxBodySize: 20},
	}
	texts := map[string]string{
		"event":             signedEvent("/apps/1/events", `{"name":"n","channel":"c","data":"d"}`),
		"events, pipelined": strings.Repeat(signedEvent("/apps/1/events", `{"name":"n","channel":"c","data":"d"}`), 3),
		"batch":             signedEvent("/apps/1/batch_events", `{"batch":[{"name":"n","channel":"c","data":"d"}]}`),
		"with the prefix":   signedEvent("/realtime/apps/1/events", `{"name":"n","channel":"c","data":"d"}`),
		"refused":           signedEvent("/apps/1/events", `{"name":"n"}`),
		"no signature":      "POST /apps/1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
		"encoded":           strings.Replace(signedEvent("/apps/1/events", `{}`), "Host: a", "Host: a\r\nContent-Encoding: gzip", 1),
		"terminate":         signedEvent("/apps/1/users/7/terminate_connections", ``),
		"channels":          get("/apps/1/channels"),
		"no path":           get("/apps/1/nothing"),
		"up":                get("/up"),
		"root":              get("/"),
		"not upgraded":      get("/app/key"),
		"upgrade":           get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\n"),
		"secure, it says":   get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\nX-Forwarded-Proto: https\r\n"),
		"protocol":          get("/app/key", upgrade, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: x, pusher-channels-protocol-7\r\n"),
		"bad protocol":      get("/app/key", upgrade, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: x,;\r\n"),
		"compression":       get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"),
		"bad extension":     get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: ;;\r\n"),
		"other version":     get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 12\r\n"),
		"no version":        get("/app/key?protocol=7", upgrade),
		"bad key":           strings.Replace(get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\n"), "==", "", 1),
		"unknown app":       get("/app/nobody?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\n"),
		"attempt":           get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\nX-Forwarded-For: 10.0.0.1\r\n"),
		"attempt again":     get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\nX-Forwarded-For: 10.0.0.1\r\n"),
		"attempt too many":  get("/app/key?protocol=7", upgrade, "Sec-WebSocket-Version: 13\r\nX-Forwarded-For: 10.0.0.1\r\n"),
		"other host":        strings.Replace(signedEvent("/apps/1/events", `{"name":"n","channel":"c","data":"d"}`), "Host: a", "Host: b", 1),
	}
	for name, text := range texts {
		if strings.Contains(text, "Version: 13") && name != "bad key" {
			texts[name] = text + goodbye
		}
	}
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			loops := start(t, cfg)
			cfg.NetHTTP = true
			alone := start(t, cfg)
			cfg.NetHTTP, cfg.PortableSockets = false, true
			portable := start(t, cfg)
			for _, what := range slices.Sorted(maps.Keys(texts)) {
				want := alone.asked(texts[what])
				for kind, n := range map[string]*testNode{"loops": loops, "portable sockets": portable} {
					if diff := cmp.Diff(want, n.asked(texts[what])); diff != "" {
						t.Errorf("%s, %s (-net/http +%s):\n%s", what, kind, kind, diff)
					}
				}
			}
		})
	}
}

// signedEvent is a POST of a backend, signed for all time as far as tests go.
func signedEvent(path, body string) string {
	target := signedTarget(http.MethodPost, path, body)
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", target, len(body), body)
}

// A connection of a backend stays usable when the node's loops, net/http and what
// waits take turns on it.
func TestOneConnectionForAll(t *testing.T) {
	n := start(t, Config{})
	c, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(c)
	event := signedEvent("/apps/1/events", `{"name":"n","channel":"c","data":"d"}`)
	keyed := strings.Replace(event, "Host: a", "Host: a\r\nIdempotency-Key: k", 1)
	for _, text := range []string{event, keyed, event, "GET " + signedTarget(http.MethodGet, "/apps/1/channels", "") + " HTTP/1.1\r\nHost: a\r\n\r\n", event, keyed, "GET /up HTTP/1.1\r\nHost: a\r\n\r\n", event} {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != 200 {
			t.Errorf("%q is answered %s, %v", text, r.Status, err)
		}
	}
}

// signedTarget is the path and the query of a signed request.
func signedTarget(method, path, body string) string {
	params := []protocol.Param{{Key: "auth_key", Value: "key"}, {Key: "auth_timestamp", Value: strconv.FormatInt(time.Now().Unix(), 10)}, {Key: "auth_version", Value: "1.0"}}
	if body != "" {
		params = append(params, protocol.Param{Key: "body_md5", Value: fmt.Sprintf("%x", md5.Sum([]byte(body)))})
	}
	signature := protocol.Sign("secret", protocol.RequestText(method, path, params))
	query := "auth_signature=" + signature
	for _, p := range params {
		query += "&" + p.Key + "=" + p.Value
	}
	return path + "?" + query
}
