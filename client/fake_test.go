package client_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/client"
)

// A fake is a service that does as a test tells it, over connections in
// memory. Left alone, it establishes connections, confirms subscriptions and
// answers pings. Its fields are set before the first connection.
type fake struct {
	// onDial may refuse the nth connection, from 1, or wait.
	onDial func(ctx context.Context, n int) error
	// onUpgrade may answer the request with something else than an upgrade.
	onUpgrade func(n int, r *http.Request) *http.Response
	// afterUpgrade says that this answer was an upgrade all the same.
	afterUpgrade bool
	// hello is the first message; the default establishes the connection.
	hello func(p *peer) string
	// onMessage may take a message, so that nothing else is done with it.
	onMessage func(p *peer, m message) bool
	// accepted is told of a connection before it is served.
	accepted func(p *peer)

	upgrades sync.Mutex // one at a time

	mu     sync.Mutex
	silent bool // whether messages and pings are ignored
	dials  int
	times  []time.Time // of dials
	peers  []*peer
}

// A message is what a client has sent.
type message struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
	at      time.Time
}

// field returns a member of the data.
func (m message) field(name string) string {
	var data map[string]any
	if json.Unmarshal(m.Data, &data) != nil {
		return ""
	}
	s, _ := data[name].(string)
	return s
}

// A peer is the service's side of one connection.
type peer struct {
	f    *fake
	n    int // of the connection, from 1
	id   string
	conn *memConn
	r    *bufio.Reader
	open chan struct{} // closed when the connection has ended
	say  func(string)  // sends a message, where that is not a WebSocket

	wmu sync.Mutex
	mu  sync.Mutex
	// Guarded by mu.
	messages []message
	pongs    int

	compressed int   // messages that came compressed
	closing    []int // codes of Close frames that the client has sent
}

// set changes what a hook does, or the hook itself, while there are
// connections.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// sync makes what was set visible to a hook, and reports whether messages are
// ignored.
func (f *fake) sync() (silent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.silent
}

// dial is a Config.DialContext.
func (f *fake) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	f.mu.Lock()
	f.dials++
	n := f.dials
	f.times = append(f.times, time.Now())
	f.mu.Unlock()
	if f.sync(); f.onDial != nil {
		if err := f.onDial(ctx, n); err != nil {
			return nil, err
		}
	}
	mine, theirs := memPipe()
	p := &peer{f: f, n: n, id: fmt.Sprintf("%d.%d", n, n), conn: theirs, r: bufio.NewReader(theirs), open: make(chan struct{})}
	f.mu.Lock()
	f.peers = append(f.peers, p)
	f.mu.Unlock()
	if f.accepted != nil {
		f.accepted(p)
	}
	go p.serve()
	return mine, nil
}

// serve is the life of a connection.
func (p *peer) serve() {
	defer close(p.open)
	defer p.conn.Close()
	if !p.upgrade() {
		return
	}
	hello := fmt.Sprintf(`{"event":"pusher:connection_established","data":"{\"socket_id\":\"%s\",\"activity_timeout\":120}"}`, p.id)
	if p.f.sync(); p.f.hello != nil {
		hello = p.f.hello(p)
	}
	if hello != "" {
		p.send(hello)
	}
	for {
		h, err := ws.ReadHeader(p.r)
		if err != nil {
			return
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(p.r, payload); err != nil {
			return
		}
		ws.Cipher(payload, h.Mask, 0)
		switch h.OpCode {
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			p.mu.Lock()
			p.closing = append(p.closing, int(code))
			p.mu.Unlock()
			p.frame(ws.OpClose, payload)
			return
		case ws.OpPong:
			p.mu.Lock()
			p.pongs++
			p.mu.Unlock()
		case ws.OpPing:
			if !p.f.sync() && (p.f.onMessage == nil || !p.f.onMessage(p, message{Event: "ping frame", at: time.Now()})) {
				p.frame(ws.OpPong, payload)
			}
		case ws.OpText:
			if h.Rsv1() {
				p.compressed++
				payload, _ = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), bytes.NewReader([]byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}))))
			}
			p.take(payload)
		}
	}
}

func (p *peer) upgrade() bool {
	r, err := http.ReadRequest(p.r)
	if err != nil {
		return false
	}
	if p.f.sync(); p.f.onUpgrade != nil {
		p.f.upgrades.Lock()
		answer := p.f.onUpgrade(p.n, r)
		p.f.upgrades.Unlock()
		if answer != nil {
			answer.Proto, answer.ProtoMajor, answer.ProtoMinor = "HTTP/1.1", 1, 1
			answer.Write(p.conn)
			return p.f.afterUpgrade
		}
	}
	fmt.Fprintf(p.conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		acceptKey(r.Header.Get("Sec-WebSocket-Key")))
	return true
}

// take does with a message what a service does.
func (p *peer) take(text []byte) {
	m := message{at: time.Now()}
	if err := json.Unmarshal(text, &m); err != nil {
		return
	}
	p.mu.Lock()
	p.messages = append(p.messages, m)
	p.mu.Unlock()
	if p.f.sync() || p.f.onMessage != nil && p.f.onMessage(p, m) {
		return
	}
	switch m.Event {
	case "pusher:ping":
		p.send(`{"event":"pusher:pong","data":"{}"}`)
	case "pusher:subscribe":
		p.confirm(m)
	case "pusher:signin":
		data, _ := json.Marshal(map[string]string{"user_data": m.field("user_data")})
		p.event("pusher:signin_success", "", string(data))
	}
}

// confirm confirms a subscription; on a presence channel its member is alone.
func (p *peer) confirm(m message) {
	channel, data := m.field("channel"), "{}"
	if strings.HasPrefix(channel, "presence-") {
		var member struct {
			UserID   json.RawMessage `json:"user_id"`
			UserInfo json.RawMessage `json:"user_info"`
		}
		json.Unmarshal([]byte(m.field("channel_data")), &member)
		name := strings.Trim(string(member.UserID), `"`)
		if member.UserInfo == nil {
			member.UserInfo = json.RawMessage("null")
		}
		data = fmt.Sprintf(`{"presence":{"count":1,"ids":[%q],"hash":{%q:%s}}}`, name, name, member.UserInfo)
	}
	p.event("pusher_internal:subscription_succeeded", channel, data)
}

// send sends a message as it is.
func (p *peer) send(text string) {
	if p.say != nil {
		p.say(text)
		return
	}
	p.frame(ws.OpText, []byte(text))
}

// event sends an event whose data is a string.
func (p *peer) event(name, channel, data string) {
	m := map[string]string{"event": name, "data": data}
	if channel != "" {
		m["channel"] = channel
	}
	text, _ := json.Marshal(m)
	p.send(string(text))
}

func (p *peer) frame(op ws.OpCode, payload []byte) {
	p.wmu.Lock()
	defer p.wmu.Unlock()
	ws.WriteFrame(p.conn, ws.NewFrame(op, true, payload))
}

// close closes with a code and waits for nothing; 0 is a Close frame without
// one.
func (p *peer) close(code int, reason string) {
	var body []byte
	if code != 0 {
		body = ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	}
	p.frame(ws.OpClose, body)
}

// received returns what the client has sent with these events, or everything.
func (p *peer) received(events ...string) []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []message
	for _, m := range p.messages {
		for _, name := range events {
			if m.Event == name {
				list = append(list, m)
			}
		}
		if len(events) == 0 {
			list = append(list, m)
		}
	}
	return list
}

// channels are those of which messages were sent.
func channels(list []message) string {
	var names []string
	for _, m := range list {
		names = append(names, strings.TrimPrefix(m.Event, "pusher:")+" "+m.field("channel"))
	}
	return strings.Join(names, ", ")
}

func (p *peer) ended() bool {
	select {
	case <-p.open:
		return true
	default:
		return false
	}
}

// count is how many connections were dialled.
func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials
}

// peer returns the nth connection that was accepted, from 1.
func (f *fake) peer(t testing.TB, n int) *peer {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.peers) < n {
		t.Fatalf("there are %d connections, want %d", len(f.peers), n)
	}
	return f.peers[n-1]
}

// live are the connections that are open.
func (f *fake) live() []*peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []*peer
	for _, p := range f.peers {
		if !p.ended() {
			list = append(list, p)
		}
	}
	return list
}

// last is the latest connection.
func (f *fake) last(t testing.TB) *peer {
	t.Helper()
	f.mu.Lock()
	n := len(f.peers)
	f.mu.Unlock()
	return f.peer(t, n)
}

// config is a configuration of clients of the fake, without jitter.
func (f *fake) config() client.Config {
	return client.Config{
		Endpoint:    client.Endpoint{Host: "service.test", Insecure: true},
		DialContext: f.dial,
		Proxy:       noProxy,
		Reconnect:   client.ReconnectPolicy{Jitter: -1},
	}
}

// newClient makes a client of the fake that is closed with the test.
func newClient(t testing.TB, f *fake, change ...func(*client.Config)) *client.Client {
	t.Helper()
	cfg := f.config()
	for _, c := range change {
		c(&cfg)
	}
	c, err := client.New("key", cfg)
	if err != nil {
		t.Fatal(err)
	}
	clients.Lock()
	clients.list = append(clients.list, c)
	clients.Unlock()
	t.Cleanup(func() {
		shutdown(t, c)
		clients.Lock()
		clients.list = nil
		clients.Unlock()
	})
	return c
}

// shutdown closes a client and checks that everything ends.
func shutdown(t testing.TB, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// bubble runs a test in fake time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// pass lets time pass, and then everything happen that takes none.
func pass(d time.Duration) {
	publish()
	time.Sleep(d) // all callers are in bubbles
	settle()
}

// settle lets everything happen that takes no time.
func settle() {
	publish()
	synctest.Wait()
}

// clients are those of the test that runs.
var clients struct {
	sync.Mutex
	list []*client.Client
}

// publish makes what the test has read and written come before what functions
// that are called from now on do, in the eyes of the race detector: one of the
// locks of a client that they pass has been passed here before. Servers of the
// tests call it too.
func publish() {
	clients.Lock()
	defer clients.Unlock()
	for _, c := range clients.list {
		c.State()
		c.Channels()
	}
}

// connect connects and waits for it.
func connect(t testing.TB, c *client.Client) {
	t.Helper()
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := c.AwaitConnected(ctx); err != nil {
		t.Fatalf("AwaitConnected: %v", err)
	}
	settle()
}

// A recorder writes down what happens to a client, with the time since it was
// made.
type recorder struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

// record writes down system events of the kinds that most tests look at.
func record(c *client.Client) *recorder {
	r := &recorder{start: time.Now()}
	client.On(c, func(_ context.Context, s client.StateChange) { r.add("%s→%s", s.Previous, s.Current) })
	client.On(c, func(_ context.Context, d client.Disconnected) {
		text := "disconnected " + d.Class.String()
		if d.Code != 0 {
			text += " " + strconv.Itoa(d.Code)
		}
		if !d.WillRetry {
			text += " final"
		}
		r.add("%s", text)
	})
	client.On(c, func(_ context.Context, w client.ConnectingIn) { r.add("in %s", w.Delay) })
	client.On(c, func(_ context.Context, f client.Failure) { r.add("failure: %v", f.Err) })
	return r
}

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Since(r.start).Round(time.Millisecond)
	r.lines = append(r.lines, fmt.Sprintf("%s %s", at, fmt.Sprintf(format, args...)))
}

// take returns what was written down since the last call.
func (r *recorder) take() string {
	settle()
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(r.lines, "\n")
	r.lines = nil
	return text
}

// expect compares with what was written down since the last call.
func (r *recorder) expect(t testing.TB, what string, lines ...string) {
	t.Helper()
	if got, want := r.take(), strings.Join(lines, "\n"); got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}
