package server

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// testApp is an app with a key and the limits of the hosted service.
func testApp() *apps.App {
	return &apps.App{
		ID: "1", Keys: []apps.Key{{Key: "key", Secret: "secret"}}, ClientEvents: true,
		ActivityTimeout: apps.DefaultActivityTimeout, Limits: apps.DefaultLimits(),
	}
}

// A node is a server that runs.
type testNode struct {
	*Server
	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run, when done is closed
}

// start runs a server on ports of its own, until the test ends.
func start(t testing.TB, cfg Config) *testNode {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Apps == nil {
		cfg.Apps = []*apps.App{testApp()}
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &testNode{Server: s, t: t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(n.done)
		n.err = s.Run(ctx)
	}()
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return n
}

// stop ends Run, and returns what it returned.
func (n *testNode) stop() error {
	n.cancel()
	<-n.done
	return n.err
}

// A conn is a client's connection.
type conn struct {
	net.Conn
	t  testing.TB
	in io.Reader // what was read ahead, and then the connection
}

// patience is how long a client waits for what must come.
const patience = 30 * time.Second

// dial connects a WebSocket client to an URL, and takes nothing off.
func dial(t testing.TB, url string, header http.Header) *conn {
	t.Helper()
	d := ws.Dialer{
		Header:    ws.HandshakeHeaderHTTP(header),
		TLSConfig: &tls.Config{InsecureSkipVerify: true},
	}
	c, br, _, err := d.Dial(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	var in io.Reader = c
	if br != nil {
		early, _ := br.Peek(br.Buffered())
		in = io.MultiReader(strings.NewReader(string(early)), c)
		ws.PutReader(br)
	}
	return &conn{Conn: c, t: t, in: bufio.NewReader(in)}
}

// next returns the next frame: its text, or "close" with code and reason.
func (c *conn) next() string {
	c.t.Helper()
	f, err := readFrame(c.in)
	if err != nil {
		return "error: " + err.Error()
	}
	if f.Header.OpCode == ws.OpClose {
		code, reason := ws.ParseCloseFrameData(f.Payload)
		return fmt.Sprintf("close %d %s", code, reason)
	}
	return string(f.Payload)
}

// readFrame reads one frame of the server.
func readFrame(r io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

func (c *conn) expect(want ...string) {
	c.t.Helper()
	for _, want := range want {
		if got := c.next(); got != want {
			c.t.Errorf("the client got %q, want %q", got, want)
		}
	}
}

func (c *conn) expectEstablished() {
	c.t.Helper()
	if got := c.next(); !strings.HasPrefix(got, `{"event":"pusher:connection_established"`) {
		c.t.Errorf("the client got %q first", got)
	}
}

// expectRefused waits for an error event and a Close frame.
func (c *conn) expectRefused(e *protocol.Error) {
	c.t.Helper()
	c.expect(string(protocol.AppendError(nil, e)), fmt.Sprintf("close %d %s", e.Code, e.Message))
}

func (c *conn) send(text string) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c, []byte(text)); err != nil {
		c.t.Errorf("the client can not send: %v", err)
	}
}

func (c *conn) subscribe(channel string) {
	c.t.Helper()
	c.send(`{"event":"pusher:subscribe","data":{"channel":"` + channel + `"}}`)
	c.expect(`{"event":"pusher_internal:subscription_succeeded","channel":"` + channel + `","data":"{}"}`)
}

// connect connects a client to the plain listener.
func (n *testNode) connect() *conn {
	n.t.Helper()
	c := dial(n.t, "ws://"+n.Addr().String()+n.cfg.Path+"/app/key?protocol=7", nil)
	c.expectEstablished()
	return c
}

// trigger triggers an event over the HTTP API at a base URL.
func (n *testNode) trigger(client *http.Client, base, channel, data string) *http.Response {
	n.t.Helper()
	body := fmt.Sprintf(`{"name":"e","channel":%q,"data":%q}`, channel, data)
	sum := md5.Sum([]byte(body))
	params := []protocol.Param{
		{Key: "auth_key", Value: "key"}, {Key: "auth_timestamp", Value: fmt.Sprint(time.Now().Unix())},
		{Key: "auth_version", Value: "1.0"}, {Key: "body_md5", Value: hex.EncodeToString(sum[:])},
	}
	path := n.cfg.Path + "/apps/1/events"
	query := "?auth_signature=" + protocol.Sign("secret", protocol.RequestText("POST", path, params))
	for _, p := range params {
		query += "&" + p.Key + "=" + p.Value
	}
	resp, err := client.Post(base+path+query, "application/json", strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
		n.t.Errorf("trigger: %d %q, %v", resp.StatusCode, answer, err)
	}
	return resp
}

// get asks an URL once, on a connection of its own.
func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// event is the frame of a triggered event.
func event(channel, data string) string {
	return fmt.Sprintf(`{"event":"e","channel":%q,"data":%q}`, channel, data)
}
