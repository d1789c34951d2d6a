package ws

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

func TestIsHandshake(t *testing.T) {
	for _, tt := range []struct {
		connection, upgrade []string
		want                bool
	}{
		{[]string{"Upgrade"}, []string{"websocket"}, true},
		{[]string{"keep-alive, upgrade"}, []string{"WebSocket"}, true},
		{[]string{"keep-alive", "Upgrade"}, []string{"h2c, websocket"}, true},
		{[]string{"keep-alive"}, []string{"websocket"}, false},
		{[]string{"Upgrade"}, []string{"h2c"}, false},
		{[]string{"Upgrade"}, nil, false},
		{nil, []string{"websocket"}, false},
		{[]string{"Upgrades"}, []string{"websocket"}, false},
	} {
		r := handshake()
		r.Header["Connection"], r.Header["Upgrade"] = tt.connection, tt.upgrade
		if got := IsHandshake(r); got != tt.want {
			t.Errorf("IsHandshake with Connection %q and Upgrade %q = %t, want %t", tt.connection, tt.upgrade, got, tt.want)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"POST":          func(r *http.Request) { r.Method = "POST" },
		"HEAD":          func(r *http.Request) { r.Method = "HEAD" },
		"without a key": func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") },
		"HTTP/1.0":      func(r *http.Request) { r.ProtoMinor = 0 },
		"HTTP/2":        func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 },
	} {
		r := handshake()
		if change(r); IsHandshake(r) {
			t.Errorf("%s: IsHandshake = true, want an ordinary request", name)
		}
	}
}

func handshake() *http.Request {
	r := httptest.NewRequest("GET", "/app/key", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	return r
}

func TestChooseProtocol(t *testing.T) {
	const p = "pusher-channels-protocol-"
	for _, tt := range []struct {
		version string
		offered []string
		want    string
	}{
		{"7", nil, ""},
		{"7", []string{"foo"}, ""},
		{"7", []string{p + "7"}, p + "7"},
		{"5", []string{p + "7, " + p + "5 ,foo"}, p + "5"},
		{"5", []string{p + "4", p + "7,foo"}, p + "7"},
		{"", []string{p + "4," + p + "6"}, p + "6"},
		{"3", []string{p + "3"}, ""},
		{"8", []string{p + "8," + p + "7"}, p + "7"},
		{"7", []string{p + "77"}, ""},
		{"7", []string{p}, ""},
		{"7", []string{strings.ToUpper(p) + "7"}, ""}, // sub-protocols have a case
	} {
		r := &http.Request{URL: &url.URL{RawQuery: "protocol=" + tt.version}, Header: http.Header{"Sec-Websocket-Protocol": tt.offered}}
		if got := chooseProtocol(r); got != tt.want {
			t.Errorf("chooseProtocol of %q for version %q = %q, want %q", tt.offered, tt.version, got, tt.want)
		}
	}
}

// serve starts an HTTP server in front of a site, over TCP.
func serve(t *testing.T, cfg Config) (*site, *httptest.Server) {
	t.Helper()
	s := newSite(t, cfg, loop.Config{}, nil)
	h := httptest.NewServer(s.server)
	t.Cleanup(h.Close)
	return s, h
}

// dial connects by a real handshake, and returns the answer to it.
func dial(t *testing.T, h *httptest.Server, path string, header http.Header, more ...string) (*peer, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", h.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := httptest.NewRequest("GET", "http://site"+path, nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	for name, values := range header {
		if r.Header.Del(name); values != nil {
			r.Header[name] = values
		}
	}
	var b strings.Builder
	r.Write(&b)
	if _, err := io.WriteString(conn, b.String()+strings.Join(more, "")); err != nil { // in one segment
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, r)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, conn: buffer{conn, in}, begin: time.Now(), frames: make(chan string, 1000)}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		go p.read()
	} else {
		close(p.frames) // there will be none
	}
	return p, resp
}

// A buffer is a connection of which some bytes have been read ahead.
type buffer struct {
	net.Conn
	in *bufio.Reader
}

func (b buffer) Read(p []byte) (int, error) { return b.in.Read(p) }

// expectEstablished waits for the first frame.
func (p *peer) expectEstablished() {
	p.t.Helper()
	if got := p.next(); !strings.HasPrefix(got, `text {"event":"pusher:connection_established"`) {
		p.t.Errorf("the first frame is %s", got)
	}
}

func TestUpgrade(t *testing.T) {
	_, h := serve(t, Config{Path: "/rt"})
	ping := string(sent(fin|opText, `{"event":"pusher:ping"}`))
	p, resp := dial(t, h, "/rt/app/key?protocol=7&client=js", http.Header{"Sec-WebSocket-Protocol": {"foo, pusher-channels-protocol-7"}}, ping)
	if got := resp.Header.Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != "pusher-channels-protocol-7" {
		t.Errorf("the answer has the sub-protocols %q, want the one", got)
	}
	if got := resp.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455, section 1.3
		t.Errorf("Sec-WebSocket-Accept is %q", got)
	}
	p.expectEstablished()
	p.expect(pongText) // to what came with the handshake
	_, resp = dial(t, h, "/rt/app/key?protocol=7", http.Header{"Sec-WebSocket-Protocol": {"foo"}})
	if got, ok := resp.Header["Sec-Websocket-Protocol"]; ok {
		t.Errorf("the answer to an unknown sub-protocol has %q, want none", got)
	}
}

// Whatever the path and the query say, the client is told by a frame.
func TestRefusalsComeAfterTheUpgrade(t *testing.T) {
	_, h := serve(t, Config{Path: "/rt"})
	for path, want := range map[string]*protocol.Error{
		"/app/key?protocol=7":                nil, // where a proxy strips the prefix
		"//app/key?protocol=7":               nil, // or leaves a slash too many
		"//rt///app/key/?protocol=7":         nil,
		"/rtx/app/key?protocol=7":            protocol.ErrPathNotFound,
		"/rt/app//key?protocol=7":            protocol.ErrPathNotFound,
		"/rt/nothing/here?protocol=7":        protocol.ErrPathNotFound,
		"/rt/app/key/more?protocol=7":        protocol.ErrPathNotFound,
		"/rt/app/key":                        protocol.ErrNoVersion,
		"/rt/app/key?protocol=8":             protocol.ErrUnsupportedVersion,
		"/rt/app/nope?protocol=7":            protocol.UnknownApp("nope"),
		"/rt/app/no%2Fpe?protocol=7":         protocol.UnknownApp("no/pe"),
		"/rt/app/key?protocol=x&protocol=7":  protocol.ErrInvalidVersion, // the first wins
		"/rt/app/key?protocol=%37&%zz=1;a=b": nil,
	} {
		p, resp := dial(t, h, path, nil)
		if resp.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("GET %s = %d, want 101", path, resp.StatusCode)
			continue
		}
		if want == nil {
			p.expectEstablished()
			continue
		}
		p.expectError(want)
		p.send(closeFrameOf(int(want.Code), ""))
		p.expectEnd()
	}
}

func TestPrefixThatIsCalledApp(t *testing.T) {
	_, h := serve(t, Config{Path: "/app"})
	for _, path := range []string{"/app/key?protocol=7", "/app/app/key?protocol=7", "//app//app/key?protocol=7"} {
		p, _ := dial(t, h, path, nil)
		p.expectEstablished()
	}
}

func TestBadHandshakes(t *testing.T) {
	_, h := serve(t, Config{})
	for name, tt := range map[string]struct {
		header http.Header
		status int
	}{
		"no key":          {http.Header{"Sec-Websocket-Key": nil}, 400},
		"a short key":     {http.Header{"Sec-Websocket-Key": {"abc"}}, 400},
		"no version":      {http.Header{"Sec-Websocket-Version": nil}, 400},
		"another version": {http.Header{"Sec-Websocket-Version": {"8"}}, 426},
	} {
		p, resp := dial(t, h, "/app/key?protocol=7", tt.header)
		if resp.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, tt.status)
		}
		if _, err := io.Copy(io.Discard, p.conn); err != nil {
			t.Errorf("%s: the connection ends with %v", name, err)
		}
	}
	// HTTP/2 and recorders can not be taken over.
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/app/key?protocol=7", nil)
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	New(Config{Hub: newSite(t, Config{}, loop.Config{}, nil).hub}).ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError {
		t.Errorf("a connection that can not be taken over: %d, want 500", w.Code)
	}
}

func TestDrainingNodeKeepsNewClientsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{}, loop.Config{}, nil)
		s.hub.Drain()
		client, server := net.Pipe()
		defer client.Close()
		h := &http.Server{Handler: s.server}
		defer h.Close()
		go h.Serve(&oneConn{conn: server, done: make(chan struct{})})
		d := ws.Dialer{NetDial: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
		start := time.Now()
		conn, _, _, err := d.Dial(t.Context(), "ws://site/app/key?protocol=7")
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != drainPause {
			t.Errorf("the upgrade took %v, want %v", got, drainPause)
		}
		p := &peer{t: t, conn: conn, frames: make(chan string, 10)}
		go p.read()
		p.expectError(protocol.ErrReconnect)
		p.send(closeFrameOf(4200, ""))
		p.expectEnd()
	})
}

// A oneConn is a listener with one connection.
type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

func TestCompressionIsNegotiated(t *testing.T) {
	const answer = "permessage-deflate;server_no_context_takeover;client_no_context_takeover"
	for _, tt := range []struct{ offer, want string }{
		{"permessage-deflate", answer},
		{"permessage-deflate; client_max_window_bits", answer},
		{"permessage-deflate; server_max_window_bits=15", answer + ";server_max_window_bits=15"},
		{"permessage-deflate; server_max_window_bits=15; client_max_window_bits=12", answer + ";server_max_window_bits=15"},
		{"permessage-deflate; server_max_window_bits=14, permessage-deflate; server_max_window_bits=15", answer + ";server_max_window_bits=15"},
		{"permessage-deflate; server_max_window_bits", ""},
		{"permessage-deflate; server_max_window_bits=16, permessage-deflate", answer},
		{"permessage-deflate; server_max_window_bits=10", ""}, // frames are shared, and have the whole window
		{"permessage-deflate; server_max_window_bits=10, permessage-deflate", answer},
		{"permessage-deflate, permessage-deflate", answer},
		{"permessage-deflate; unknown", ""},
		{"x-webkit-deflate-frame", ""},
	} {
		for _, on := range []bool{true, false} {
			_, h := serve(t, Config{Compression: on})
			p, resp := dial(t, h, "/app/key?protocol=7", http.Header{"Sec-Websocket-Extensions": {tt.offer}})
			want := tt.want
			if !on {
				want = ""
			}
			if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != want {
				t.Errorf("offer %q, compression on: %t: the answer has %q, want %q", tt.offer, on, got, want)
			}
			p.expectEstablished() // below the size that is worth it
		}
	}
}

func TestCompressedConnection(t *testing.T) {
	s, h := serve(t, Config{Compression: true})
	p, _ := dial(t, h, "/app/key?protocol=7", http.Header{"Sec-Websocket-Extensions": {"permessage-deflate"}})
	p.expectEstablished()
	p.send(compressedFrame(t, `{"event":"pusher:subscribe","data":{"channel":"news"}}`))
	p.expect(`text {"event":"pusher_internal:subscription_succeeded","channel":"news","data":"{}"}`)
	data := strings.Repeat("x", 1000)
	s.trigger("news", data)
	got := []byte(strings.TrimPrefix(p.next(), "text "))
	if len(got) > 200 {
		t.Errorf("1000 bytes of repetition came as %d", len(got))
	}
	f, err := wsflate.DecompressFrame(ws.Frame{Header: ws.Header{Fin: true, Rsv: ws.Rsv(true, false, false), OpCode: ws.OpText}, Payload: got})
	if err != nil || "text "+string(f.Payload) != event("news", data) {
		t.Errorf("the peer got %.100q, %v", f.Payload, err)
	}
	p.send(sent(fin|opText, "x")) // may still be plain
	p.expect("text " + string(protocol.AppendError(nil, protocol.ErrInvalidJSON)))
	p.send(closeFrameOf(1000, ""))
	p.expect("close 1000 ", "")
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{Registerer: registry}, loop.Config{}, nil)
		s.attach("nope").expectError(protocol.UnknownApp("nope"))
		p := s.connect()
		p.send(closeFrameOf(4321, "")) // whatever the client says
		p.expect("close 4321 ", "")
		p = s.connect()
		p.send(sent(fin|opBinary, ""))
		p.expect("close 1003 ", "")
		s.connect().conn.Close()
		s.connect()
		synctest.Wait()
		if err := s.loops.Stop(t.Context()); err != nil { // before the peer goes
			t.Errorf("Stop: %v", err)
		}
	})
	got := make(map[string]float64)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[label(m)] = m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{"4001": 1, "4100": 0, "1000": 1, "1003": 1, "eof": 1, "stopped": 1}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the metrics are %v, want %v", got, want)
	}
}

func label(m *dto.Metric) string { return m.GetLabel()[0].GetValue() }
