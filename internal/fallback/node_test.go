package fallback_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker/membroker"
	"github.com/belfryhq/belfry/internal/cluster/relay"
	"github.com/belfryhq/belfry/internal/fallback"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

// A node is hub, loops and HTTP server with the fallback transports, over
// connections in memory, and with a clock that jumps. One test uses it.
type node struct {
	t       *testing.T
	hub     *hub.Hub
	loops   *loop.Group
	servers []*fallback.Server // take requests in turns
	turn    atomic.Int64
	only    atomic.Int64           // if not 0, the server that takes all requests, counted from 1
	relays  []*relay.Relay         // of the servers, if there are several
	network *membroker.Network     // of the relays
	metrics []*prometheus.Registry // of the servers
	apps    []*apps.App
	listen  *memoryListener
	client  *http.Client
	base    string // of the addresses of the transports
}

// A setup changes what a node is made with.
type setup struct {
	fallback  fallback.Config
	hub       hub.Config
	loops     loop.Config
	http2     bool
	elsewhere func(fallback.Elsewhere) fallback.Elsewhere // around a relay; may be nil
	nodes     int                                         // servers; 0: one, without a way to others
	app       func(*apps.App)
	proxy     func(http.Handler) http.Handler // around the server
	rate      int                             // bytes a second that clients get; 0: all
}

// run runs a test on a node of its own, with a clock that jumps.
func run(t *testing.T, s setup, test func(n *node)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, s)
		test(n)
	})
}

// bothVersions runs a test with HTTP/1.1 and with HTTP/2.
func bothVersions(t *testing.T, s setup, test func(n *node)) {
	for name, http2 := range map[string]bool{"http1": false, "http2": true} {
		t.Run(name, func(t *testing.T) {
			s.http2 = http2
			run(t, s, test)
		})
	}
}

func newApp(id string) *apps.App {
	return &apps.App{
		ID: id, Keys: []apps.Key{{Key: "key" + id, Secret: "secret" + id}},
		ClientEvents: true, ActivityTimeout: 120 * time.Second, AuthorizationTimeout: 30 * time.Second,
		Limits: apps.DefaultLimits(),
	}
}

func newNode(t *testing.T, s setup) *node {
	t.Helper()
	n := &node{t: t, listen: newMemoryListener(s.rate)}
	n.apps = []*apps.App{newApp("1"), newApp("2")}
	if s.app != nil {
		s.app(n.apps[0])
	}
	registry, err := apps.NewRegistry(n.apps)
	if err != nil {
		t.Fatal(err)
	}
	s.loops.Loops, s.loops.Portable = 2, true
	n.loops = loop.NewGroup(s.loops)
	s.hub.Apps, s.hub.Loops = registry, n.loops
	n.hub = hub.New(s.hub)
	s.fallback.Hub, s.fallback.Apps, s.fallback.Loops = n.hub, registry, n.loops
	if strings.HasPrefix(t.Name(), "TestAcrossNodes/") {
		s.nodes = 3
	}
	if s.nodes > 0 {
		n.join(s.fallback, s.nodes, s.elsewhere)
	} else {
		n.serve(s.fallback)
	}
	n.base = "http://belfry.test" + s.fallback.Path + "/pusher"

	var protocols http.Protocols
	protocols.SetHTTP1(!s.http2)
	protocols.SetUnencryptedHTTP2(s.http2)
	var handler http.Handler = http.HandlerFunc(n.route)
	if s.proxy != nil {
		handler = s.proxy(handler)
	}
	// The timeouts are those of the node's listeners.
	server := &http.Server{Handler: handler, Protocols: &protocols, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	go server.Serve(n.listen)
	transport := &http.Transport{Protocols: &protocols, DialContext: n.listen.dial}
	n.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
		if err := n.loops.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		n.hub.Close()
		time.Sleep(time.Second) // net/http takes its time to close connections
	})
	return n
}

// serve adds a server.
func (n *node) serve(cfg fallback.Config) *fallback.Server {
	metrics := prometheus.NewRegistry()
	cfg.Registerer = metrics
	s := fallback.New(cfg)
	n.servers, n.metrics = append(n.servers, s), append(n.metrics, metrics)
	return s
}

func (n *node) route(w http.ResponseWriter, r *http.Request) {
	i := int(n.turn.Add(1)) % len(n.servers)
	if only := n.only.Load(); only != 0 {
		i = int(only) - 1
	}
	h := n.servers[i].Handler(r)
	if h == nil {
		http.Error(w, "not a path of the transports", http.StatusTeapot)
		return
	}
	h.ServeHTTP(w, r)
}

// A memoryListener is dialed without a network.
type memoryListener struct {
	rate   int // bytes a second that clients get; 0: all
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemoryListener(rate int) *memoryListener {
	return &memoryListener{rate: rate, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		if l.rate > 0 {
			return slowConn{near, l.rate}, nil
		}
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A slowConn is a connection on which bytes come slowly, but steadily.
type slowConn struct {
	net.Conn
	rate int // bytes a second
}

func (c slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), max(c.rate/10, 1))])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	return n, err
}

// app is the path of an app of the node, 1 or 2, for a client of protocol 7.
func appPath(id string) string { return "/app/key" + id }

const query = "?protocol=7&client=js&version=8.6.0"

// do sends a request and reads the whole answer.
func (n *node) do(method, path, body string, headers ...string) (*http.Response, string) {
	n.t.Helper()
	r, err := http.NewRequest(method, n.base+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if r.Header.Get("Host") != "" {
		r.Host = r.Header.Get("Host")
	}
	resp, err := n.client.Do(r)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(text)
}

// post is do for what pusher-js posts.
func (n *node) post(path, body string) (status int, answer string) {
	n.t.Helper()
	resp, answer := n.do("POST", path, body, "Content-Type", "application/json")
	return resp.StatusCode, answer
}

// send posts messages, encoded as clients do, to a session.
func (n *node) send(session string, messages ...string) {
	n.t.Helper()
	body, err := json.Marshal(append([]string{}, messages...))
	if err != nil {
		n.t.Fatal(err)
	}
	if status, answer := n.post(session+"/xhr_send?t=1", string(body)); status != http.StatusNoContent || answer != "" {
		n.t.Fatalf("xhr_send = %d %q, want 204 and nothing", status, answer)
	}
}

// trigger publishes an event to a channel of the first app.
func (n *node) trigger(channel, event, data string) {
	n.t.Helper()
	n.triggerExcept(channel, event, data, protocol.SocketID{})
}

func (n *node) triggerExcept(channel, event, data string, except protocol.SocketID) {
	n.t.Helper()
	literal, err := json.Marshal(data)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.hub.Trigger(context.Background(), n.apps[0], []string{channel}, hub.Event{Name: event, Data: literal}, except); err != nil {
		n.t.Fatal(err)
	}
}

// connections waits until everything has come to rest and returns how many
// there are.
func (n *node) connections() int {
	synctest.Wait()
	return n.hub.Connections()
}

// sockets is the same for what the loops hold.
func (n *node) sockets() int {
	synctest.Wait()
	return n.loops.Sockets()
}

// counters are the values of a metric by labels, as in "code=4001".
func (n *node) counters(name string) map[string]float64 {
	n.t.Helper()
	values := make(map[string]float64)
	for _, metrics := range n.metrics {
		families, err := metrics.Gather()
		if err != nil {
			n.t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() != name {
				continue
			}
			for _, m := range family.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
				values[strings.Join(labels, " ")] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return values
}

// subscribeMessage asks for a public channel.
func subscribeMessage(channel string) string {
	return fmt.Sprintf(`{"event":"pusher:subscribe","data":{"auth":"","channel":%q}}`, channel)
}

// messages decodes a line of messages.
func (n *node) messages(line string) []string {
	n.t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "a")), &list); err != nil || !strings.HasPrefix(line, "a") {
		n.t.Fatalf("line %.200q is not one of messages: %v", line, err)
	}
	return list
}

// An inside is a message of the Pusher protocol.
type inside struct {
	Event   string
	Channel string
	Data    json.RawMessage
}

// text is the data of a message, which is a string.
func (m inside) text() string {
	var s string
	_ = json.Unmarshal(m.Data, &s)
	return s
}

func (n *node) decode(message string) inside {
	n.t.Helper()
	var m inside
	if err := json.Unmarshal([]byte(message), &m); err != nil {
		n.t.Fatalf("message %q: %v", message, err)
	}
	return m
}

// message decodes the next line, which must carry one message.
func (s *stream) message() inside {
	s.n.t.Helper()
	list := s.n.messages(s.next())
	if len(list) != 1 {
		s.n.t.Fatalf("line has %d messages, want 1", len(list))
	}
	return s.n.decode(list[0])
}

// event checks that the next message is of that event.
func (s *stream) event(want string) inside {
	s.n.t.Helper()
	m := s.message()
	if m.Event != want {
		s.n.t.Fatalf("message is %.200v, want %s", m, want)
	}
	return m
}

// established checks the beginning of a session and returns its socket id.
func (s *stream) established() protocol.SocketID {
	s.n.t.Helper()
	s.expect("o")
	return s.n.socketID(s.event("pusher:connection_established"))
}

func (n *node) socketID(m inside) protocol.SocketID {
	n.t.Helper()
	var data struct {
		SocketID        protocol.SocketID `json:"socket_id"`
		ActivityTimeout int               `json:"activity_timeout"`
	}
	if err := json.Unmarshal([]byte(m.text()), &data); err != nil || data.SocketID.IsZero() || data.ActivityTimeout < 1 {
		n.t.Fatalf("%+v has no socket_id or no activity_timeout: %v", m, err)
	}
	return data.SocketID
}

// connected is a stream of a new session that is subscribed to channels.
func (n *node) connected(session string, channels ...string) *stream {
	n.t.Helper()
	s := n.stream(session)
	s.established()
	for _, c := range channels {
		n.send(session, subscribeMessage(c))
		s.event("pusher_internal:subscription_succeeded")
	}
	return s
}

// poll sends a poll and returns its whole answer.
func (n *node) poll(session string) string {
	n.t.Helper()
	status, answer := n.post(session+"/xhr"+query, "")
	if status != http.StatusOK {
		n.t.Fatalf("poll = %d %q, want 200", status, answer)
	}
	return answer
}

// polling opens a session by polling, subscribed to channels.
func (n *node) polling(session string, channels ...string) {
	n.t.Helper()
	lines := strings.SplitAfter(n.poll(session), "\n")
	if len(lines) != 3 || lines[0] != "o\n" || !strings.Contains(lines[1], "pusher:connection_established") {
		n.t.Fatalf("first poll = %q", lines)
	}
	for _, c := range channels {
		n.send(session, subscribeMessage(c))
		if answer := n.poll(session); !strings.Contains(answer, "subscription_succeeded") {
			n.t.Fatalf("poll = %q, want the subscription", answer)
		}
	}
}
