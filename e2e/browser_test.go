package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// seen is something that a pusher-js client saw.
type seen struct {
	Client string // who saw it
	// On is where: "state" of the connection, "error" on it, "wire" for every
	// message as it came, "channel", "bind" for a named binding on a channel,
	// "user", "watchlist".
	On      string
	Channel string
	Event   string
	Data    any
	UserID  string `json:"user_id"`
}

func (s seen) String() string {
	return fmt.Sprintf("%s %s %s %v", s.On, s.Channel, s.Event, s.Data)
}

// A browser is a process that holds pusher-js clients, and remembers what
// each of them saw.
type browser struct {
	t       testing.TB
	service *service.Service
	authURL string // the backend's endpoints
	node    *node

	mu    sync.Mutex
	pages map[string]*page
}

// A page is one pusher-js client. The test's goroutine alone calls it.
type page struct {
	b    *browser
	name string
	next int // what was seen before it, Await has passed

	// Guarded by b.mu.
	log  []seen
	news chan struct{} // closed and replaced when log grows
}

func openBrowser(t testing.TB, s *service.Service, authURL string) *browser {
	t.Helper()
	b := &browser{t: t, service: s, authURL: authURL, pages: make(map[string]*page)}
	b.node = startNode(t, "clients.mjs", s.CAFile, b.saw)
	return b
}

func (b *browser) saw(s seen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[s.Client]
	p.log = append(p.log, s)
	close(p.news)
	p.news = make(chan struct{})
}

// options are what a page passes to new Pusher(); form is what it adds to
// its authorization requests.
func (b *browser) options(form map[string]string) map[string]any {
	auth := func(path string) map[string]any {
		return map[string]any{"endpoint": b.authURL + path, "transport": "ajax", "params": form}
	}
	return map[string]any{
		"cluster":              "",
		"wsHost":               "127.0.0.1",
		"wsPort":               port(b.service.Addr),
		"wssPort":              port(b.service.TLSAddr),
		"forceTLS":             false,
		"enabledTransports":    []string{"ws", "wss"},
		"channelAuthorization": auth("/channel"),
		"userAuthentication":   auth("/user"),
	}
}

// port is that of a host:port, and 9 (discard) if there is none.
func port(addr string) int {
	_, text, _ := net.SplitHostPort(addr)
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return 9
}

// Start opens a page for a user and does not wait for its connection.
func (b *browser) Start(name, key string, options map[string]any) *page {
	b.t.Helper()
	p := &page{b: b, name: name, news: make(chan struct{})}
	b.mu.Lock()
	b.pages[name] = p
	b.mu.Unlock()
	b.node.must("connect", map[string]any{"client": name, "key": key, "options": options}, nil)
	return p
}

// Open opens a page whose backend knows its user by the page's name, without
// a trailing number: "ann" and "ann2" are two pages of Ann. It returns when
// the page is connected.
func (b *browser) Open(name string) *page {
	b.t.Helper()
	return b.OpenWith(name, nil)
}

// OpenWith is Open with more fields in the page's authorization requests.
func (b *browser) OpenWith(name string, form map[string]string) *page {
	b.t.Helper()
	fields := map[string]string{"user": strings.TrimRight(name, "0123456789")}
	for k, v := range form {
		fields[k] = v
	}
	p := b.Start(name, service.Key, b.options(fields))
	p.AwaitState("connected")
	return p
}

// do calls a method for this page.
func (p *page) do(method string, params map[string]any, result any) error {
	p.b.t.Helper()
	all := map[string]any{"client": p.name}
	for k, v := range params {
		all[k] = v
	}
	return p.b.node.call(method, all, result)
}

func (p *page) must(method string, params map[string]any, result any) {
	p.b.t.Helper()
	if err := p.do(method, params, result); err != nil {
		p.b.t.Fatalf("%s: %s: %v", p.name, method, err)
	}
}

// Subscribe subscribes and waits until the service has agreed.
func (p *page) Subscribe(channel string) {
	p.b.t.Helper()
	p.AskFor(channel)
	p.Await(channel, "pusher:subscription_succeeded")
}

// AskFor subscribes without waiting.
func (p *page) AskFor(channel string) {
	p.b.t.Helper()
	p.must("subscribe", map[string]any{"channel": channel}, nil)
}

// Unsubscribe does not wait: the protocol has no answer to it.
func (p *page) Unsubscribe(channel string) {
	p.b.t.Helper()
	p.must("unsubscribe", map[string]any{"channel": channel}, nil)
}

// Trigger triggers a client event.
func (p *page) Trigger(channel, event string, data any) {
	p.b.t.Helper()
	p.must("trigger", map[string]any{"channel": channel, "event": event, "data": data}, nil)
}

// SignIn signs the page's user in and waits until the service has agreed and
// the user's own channel is subscribed.
func (p *page) SignIn() {
	p.b.t.Helper()
	p.must("signin", nil, nil)
	p.AwaitOn("wire", "", "pusher:signin_success")
	p.await(userChannelSucceeded, "the user's channel")
}

// userChannelSucceeded matches the service's answer to the subscription that
// pusher-js makes by itself after a sign-in.
func userChannelSucceeded(s seen) bool {
	return s.On == "wire" && strings.HasPrefix(s.Channel, "#server-to-user-") &&
		s.Event == "pusher_internal:subscription_succeeded"
}

// SocketID is of the page's present connection.
func (p *page) SocketID() string {
	p.b.t.Helper()
	var now struct {
		SocketID string `json:"socket_id"`
	}
	p.must("look", nil, &now)
	return now.SocketID
}

// AwaitState waits until the connection has come to a state.
func (p *page) AwaitState(state string) {
	p.b.t.Helper()
	p.AwaitOn("state", "", state)
}

// Await waits for an event on a channel and returns it.
func (p *page) Await(channel, event string) seen {
	p.b.t.Helper()
	return p.AwaitOn("channel", channel, event)
}

// AwaitData waits for an event on a channel and compares its data, a value
// as encoding/json decodes it.
func (p *page) AwaitData(channel, event string, want any) {
	p.b.t.Helper()
	if got := p.Await(channel, event).Data; !reflect.DeepEqual(got, want) {
		p.b.t.Errorf("%s: data of %s on %s = %#v, want %#v", p.name, event, channel, got, want)
	}
}

// AwaitOn waits for the next event in a place, after the last that was
// awaited, and passes it.
func (p *page) AwaitOn(on, channel, event string) seen {
	p.b.t.Helper()
	return p.await(func(s seen) bool {
		return s.On == on && s.Channel == channel && s.Event == event
	}, strings.TrimSpace(on+" "+channel+" "+event))
}

// AwaitError waits for an error of the protocol on the connection and returns
// its code, nil or a float64.
func (p *page) AwaitError() any {
	p.b.t.Helper()
	got := p.await(func(s seen) bool {
		data, ok := s.Data.(map[string]any)
		return ok && s.On == "error" && data["message"] != nil
	}, "an error")
	return got.Data.(map[string]any)["code"]
}

func (p *page) await(match func(seen) bool, what string) seen {
	p.b.t.Helper()
	deadline := time.After(service.Patience)
	for from := p.next; ; {
		p.b.mu.Lock()
		log, news := p.log, p.news
		p.b.mu.Unlock()
		for ; from < len(log); from++ {
			if match(log[from]) {
				p.next = from + 1
				return log[from]
			}
		}
		select {
		case <-news:
		case <-deadline:
			p.b.t.Fatalf("%s did not see %s in %v; it saw since then:\n%s", p.name, what, service.Patience, lines(log[p.next:]))
		}
	}
}

// Count says how often the page has seen an event in a place until now.
func (p *page) Count(on, channel, event string) int {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	n := 0
	for _, s := range p.log {
		if s.On == on && s.Channel == channel && s.Event == event {
			n++
		}
	}
	return n
}

func lines(log []seen) string {
	var text strings.Builder
	for _, s := range log {
		fmt.Fprintln(&text, "\t", s)
	}
	return text.String()
}

// decoded is v as encoding/json decodes what it encodes of it.
func decoded(t testing.TB, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var d any
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}
