package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// A queue is the loops of a hub in a test. Their work waits until the test
// runs it, on the test's goroutine, so that the test decides what overtakes
// what.
type queue struct {
	mu   sync.Mutex // timers of the hub post from goroutines of their own
	jobs [][]func(loop int)
	full bool // Admit waits
}

func (q *queue) Len() int { return len(q.jobs) }

func (q *queue) Post(loop int, run func(loop int), _ int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[loop] = append(q.jobs[loop], run)
}

func (q *queue) Admit(ctx context.Context) error {
	if !q.full {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// step runs the first job of a loop, and reports whether there was one.
func (q *queue) step(loop int) bool {
	q.mu.Lock()
	if len(q.jobs[loop]) == 0 {
		q.mu.Unlock()
		return false
	}
	run := q.jobs[loop][0]
	q.jobs[loop] = q.jobs[loop][1:]
	q.mu.Unlock()
	run(loop)
	return true
}

// run runs all jobs, and those that they bring.
func (q *queue) run() {
	for more := true; more; {
		more = false
		for loop := range q.jobs {
			for q.step(loop) {
				more = true
			}
		}
	}
}

// A testNode is a hub and its loops.
type testNode struct {
	t     rapid.TB
	hub   *Hub
	loops *queue
	app   *apps.App // the first
	next  int       // the loop of the next client
	now   func() time.Time
}

// testApp has everything on that costs nothing when it is not used, and the
// limits of the hosted service.
func testApp() *apps.App {
	return &apps.App{
		ID: "1", Keys: []apps.Key{{Key: "key", Secret: "secret"}, {Key: "key2", Secret: "secret2"}},
		ClientEvents: true, ActivityTimeout: 120 * time.Second, AuthorizationTimeout: 30 * time.Second,
		Limits: apps.DefaultLimits(),
	}
}

func newNode(t rapid.TB, list ...*apps.App) *testNode {
	return newNodeWith(t, Config{}, list...)
}

// newNodeWith starts a hub over two loops, which is closed when the test ends.
func newNodeWith(t rapid.TB, cfg Config, list ...*apps.App) *testNode {
	t.Helper()
	if len(list) == 0 {
		list = []*apps.App{testApp()}
	}
	registry, err := apps.NewRegistry(list)
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{t: t, loops: &queue{jobs: make([][]func(int), 2)}, app: list[0], now: time.Now}
	cfg.Apps, cfg.Loops = registry, n.loops
	n.hub = New(cfg)
	t.(interface{ Cleanup(func()) }).Cleanup(n.hub.Close)
	return n
}

// A client is the socket of a session, and remembers what it got.
type client struct {
	node    *testNode
	session *Session
	loop    int
	got     []string // what was sent since the last look, see render
	closed  *protocol.Error
}

func (c *client) Send(f *frame.Frame) {
	if c.closed == nil {
		c.got = append(c.got, render(c.node.t, f.Message()))
	}
}

func (c *client) Close(why *protocol.Error) {
	if c.closed == nil {
		c.closed = why
		c.session.End(Ending{})
	}
}

// request asks for the app with that key as a client of today does.
func request(key string) Request {
	return Request{Path: "/app/" + key, Query: url.Values{"protocol": {"7"}}, Secure: true}
}

// dial connects a client on the next loop and returns the refusal, if any.
func (n *testNode) dial(r Request) (*client, *protocol.Error) {
	c := &client{node: n, loop: n.next % n.loops.Len()}
	n.next++
	s, refused := n.hub.Connect(r, c, c.loop)
	c.session = s
	return c, refused
}

// connect connects a client of the first app, and takes the first frame off.
func (n *testNode) connect() *client { return n.connectTo("key") }

func (n *testNode) connectTo(key string) *client {
	n.t.Helper()
	c, refused := n.dial(request(key))
	if refused != nil {
		n.t.Fatalf("Connect to %q: %v", key, refused)
	}
	if got := c.read(); len(got) != 1 || !strings.HasPrefix(got[0], "pusher:connection_established {") {
		n.t.Fatalf("the first frames are %q, want connection_established", got)
	}
	return c
}

// read runs all loops and returns what the client got since the last look.
func (c *client) read() []string {
	c.node.loops.run()
	got := c.got
	c.got = nil
	return got
}

// expect reads, and complains of anything but those frames.
func (c *client) expect(want ...string) {
	c.node.t.Helper()
	if got := c.read(); !slices.Equal(got, want) {
		c.node.t.Errorf("the client got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// expectClosed complains unless the client was closed for that reason.
func (c *client) expectClosed(want *protocol.Error) {
	c.node.t.Helper()
	c.node.loops.run()
	if c.closed != want {
		c.node.t.Errorf("the client was closed with %v, want %v", c.closed, want)
	}
}

// receive is a message of the client.
func (c *client) receive(format string, args ...any) {
	c.session.Receive(c.node.now(), fmt.Appendf(nil, format, args...))
}

// subscribe asks for a channel with a token if it needs one.
func (c *client) subscribe(channel string) {
	auth := ""
	if protocol.KindOf(channel).Private() {
		auth = token("key", "secret", protocol.ChannelText(c.session.ID(), channel))
	}
	c.receive(`{"event":"pusher:subscribe","data":{"channel":%s,"auth":%s}}`, quote(channel), quote(auth))
}

// join asks for a channel with channel_data and the right token.
func (c *client) join(channel, channelData string) {
	auth := token("key", "secret", protocol.ChannelDataText(c.session.ID(), channel, channelData))
	c.receive(`{"event":"pusher:subscribe","data":{"channel":%s,"auth":%s,"channel_data":%s}}`, quote(channel), quote(auth), quote(channelData))
}

func (c *client) unsubscribe(channel string) {
	c.receive(`{"event":"pusher:unsubscribe","data":{"channel":%s}}`, quote(channel))
}

// signIn signs in with the right token.
func (c *client) signIn(userData string) {
	auth := token("key", "secret", protocol.UserText(c.session.ID(), userData))
	c.receive(`{"event":"pusher:signin","data":{"auth":%s,"user_data":%s}}`, quote(auth), quote(userData))
}

func token(key, secret, text string) string { return key + ":" + protocol.Sign(secret, text) }

// trigger triggers an event of the first app, as a backend.
func (n *testNode) trigger(channel, event, data string, except ...*client) {
	n.t.Helper()
	var id protocol.SocketID
	for _, c := range except {
		id = c.session.ID()
	}
	e := Event{Name: event, Data: []byte(quote(data))}
	if _, err := n.hub.Trigger(context.Background(), n.app, []string{channel}, e, id); err != nil {
		n.t.Errorf("Trigger(%q): %v", channel, err)
	}
}

// quote returns s as a JSON string literal.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// render returns a frame in the form "event @channel data by user", with the
// data decoded when it is a string, and complains of what no frame may be.
func render(t rapid.TB, text []byte) string {
	t.Helper()
	var f struct {
		Event   string
		Channel *string
		Data    json.RawMessage
		UserID  *string `json:"user_id"`

		Position string // in the history of the channel
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Event == "" || f.Data == nil {
		t.Fatalf("frame %s: %v; want event and data, and nothing unknown", text, err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("frame %s: something follows the object", text)
	}
	s := f.Event
	if f.Channel != nil {
		s += " @" + *f.Channel
	}
	var data string
	isString := json.Unmarshal(f.Data, &data) == nil
	if isObject := f.Event == "pusher:error" || f.Event == "pusher:subscription_error"; isString == isObject {
		t.Fatalf("frame %s: data of the wrong type", text)
	}
	if isString {
		s += " " + data
	} else {
		s += " " + string(f.Data)
	}
	if f.UserID != nil {
		s += " by " + *f.UserID
	}
	return s
}

// What the frames of render look like.
func succeeded(channel string) string {
	return "pusher_internal:subscription_succeeded @" + channel + " {}"
}

func snapshot(channel string, members ...string) string {
	var ids, hash []string
	for _, m := range members {
		id, info, _ := strings.Cut(m, "=")
		if info == "" {
			info = "null"
		}
		ids, hash = append(ids, quote(id)), append(hash, quote(id)+":"+info)
	}
	return fmt.Sprintf(`pusher_internal:subscription_succeeded @%s {"presence":{"count":%d,"ids":[%s],"hash":{%s}}}`,
		channel, len(members), strings.Join(ids, ","), strings.Join(hash, ","))
}

func added(channel, id, info string) string {
	if info == "" {
		return fmt.Sprintf(`pusher_internal:member_added @%s {"user_id":%s}`, channel, quote(id))
	}
	return fmt.Sprintf(`pusher_internal:member_added @%s {"user_id":%s,"user_info":%s}`, channel, quote(id), info)
}

func removed(channel, id string) string {
	return fmt.Sprintf(`pusher_internal:member_removed @%s {"user_id":%s}`, channel, quote(id))
}

func count(channel string, n int) string {
	return fmt.Sprintf(`pusher_internal:subscription_count @%s {"subscription_count":%d}`, channel, n)
}

func miss(channel string) string { return "pusher:cache_miss @" + channel + " {}" }

func complaint(e *protocol.Error) string {
	code := "null"
	if e.Code != 0 {
		code = fmt.Sprint(int(e.Code))
	}
	return fmt.Sprintf(`pusher:error {"code":%s,"message":%s}`, code, quote(e.Message))
}

func subscriptionError(channel, kind string, status int) string {
	texts := map[int]string{
		400: "The channel name is not allowed.", 401: "The connection is unauthorized.",
		4004: "A limit of the channel or of the connection was reached.", 4009: "The channel name is too long.",
	}
	return fmt.Sprintf(`pusher:subscription_error @%s {"type":%q,"error":%q,"status":%d}`, channel, kind, texts[status], status)
}

// expectNothing complains of what the hub has kept though nobody is left.
func (n *testNode) expectNothing() {
	n.t.Helper()
	n.loops.run()
	if got := n.hub.Connections(); got != 0 {
		n.t.Errorf("Connections() = %d, want 0", got)
	}
	n.hub.eachTenant(func(tn *tenant) {
		if c, w := tn.connections.Load(), tn.waiting.Load(); c != 0 || w != 0 {
			n.t.Errorf("app %s counts %d connections and %d waiting, want none", tn.app().ID, c, w)
		}
		if got := tn.everyone.size; got != 0 || tn.everyone.loops != 0 {
			n.t.Errorf("app %s has %d sessions, want none", tn.app().ID, got)
		}
		for i := range tn.shards {
			for name, ch := range tn.shards[i].channels {
				if ch.cached == nil || ch.size != 0 || ch.loops != 0 {
					n.t.Errorf("channel %q is left with %d subscriptions", name, ch.size)
				}
			}
			for id := range tn.shards[i].users {
				n.t.Errorf("user %q is left", id)
			}
		}
	})
}

// newTestNode is what most tests begin with.
func newTestNode(t rapid.TB, change func(*apps.App)) *testNode {
	t.Helper()
	app := testApp()
	if change != nil {
		change(app)
	}
	return newNode(t, app)
}

// total is the sum over all label values of a counter or gauge.
func total(c prometheus.Collector) float64 {
	metrics := make(chan prometheus.Metric, 100)
	c.Collect(metrics)
	close(metrics)
	sum := 0.0
	for m := range metrics {
		var d dto.Metric
		if err := m.Write(&d); err != nil {
			panic(err)
		}
		sum += d.GetCounter().GetValue() + d.GetGauge().GetValue()
	}
	return sum
}
