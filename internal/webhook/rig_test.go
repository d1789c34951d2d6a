package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/cluster/roster/local"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/protocol"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	testKey    = "278d425bdf160c739803"
	testSecret = "7ad3773142a6692b25b8"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// everything is all events there are.
const everything = apps.EveryEvent

func newApp(id string, hooks ...apps.Webhook) *apps.App {
	a := apps.New()
	a.ID, a.Webhooks = id, hooks
	a.Keys = []apps.Key{{Key: testKey, Secret: testSecret}}
	if id != "1" {
		a.Keys = []apps.Key{{Key: testKey + id, Secret: testSecret}}
	}
	a.ClientEvents = true
	return a
}

func registry(t testing.TB, list ...*apps.App) *apps.Registry {
	t.Helper()
	r, err := apps.NewRegistry(list)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// openEngine opens an engine until the test ends; dir is empty for memory.
func openEngine(t testing.TB, dir string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// alone stands for a local roster that start makes, so that it is made where
// the clock is.
type alone struct {
	roster.Roster
	cfg local.Config
}

// start starts a sender until the test ends. Without a roster it is alone, and
// what is gone may come back within three seconds.
func start(t testing.TB, cfg Config) *Sender {
	t.Helper()
	if cfg.Engine == nil && cfg.Store == nil {
		cfg.Engine = openEngine(t, "")
	}
	if cfg.Registerer == nil {
		cfg.Registerer = prometheus.NewRegistry()
	}
	if cfg.Delivery.AllowedNetworks == nil {
		cfg.Delivery.AllowedNetworks = loopback
	}
	switch r := cfg.Roster.(type) {
	case nil:
		cfg.Roster = local.New(local.Config{Grace: 3 * time.Second})
	case alone:
		cfg.Roster = local.New(r.cfg)
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r, lone := cfg.Roster.(*local.Roster); lone {
		if err := r.Start(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t testing.TB, s *Sender) {
	t.Helper()
	if r, lone := s.cfg.Roster.(*local.Roster); lone {
		r.Close(context.Background())
	}
	select {
	case <-s.recorder.quit:
		return // it was stopped by the test
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
	if idle, ok := s.cfg.Delivery.Transport.(*http.Transport); ok {
		idle.CloseIdleConnections()
	}
}

// A arrival is one request as a receiver gets it.
type arrival struct {
	header http.Header
	body   []byte
	at     time.Time
	time   int64
	events []told
	ids    []string
}

// parsed is d with what is in its body.
func (d arrival) parsed(t testing.TB) arrival {
	var body struct {
		Time   int64 `json:"time_ms"`
		Events []told
	}
	if err := json.Unmarshal(d.body, &body); err != nil {
		t.Errorf("a request is not JSON: %v: %s", err, d.body)
	}
	d.time, d.events = body.Time, body.Events
	d.ids = strings.Split(d.header.Get(headerIDs), ",")
	return d
}

// discardLog is for servers whose complaints are expected.
var discardLog = log.New(io.Discard, "", 0)

// told is one event of a delivery.
type told struct {
	Name    string
	Channel string
	Event   string
	Data    any
	UserID  string `json:"user_id"`
	Count   *int   `json:"subscription_count"`
}

// String is the event in one line.
func (e told) String() string {
	s := e.Name + " " + e.Channel
	if e.UserID != "" {
		s += " " + e.UserID
	}
	if e.Event != "" {
		s += fmt.Sprintf(" %s %v", e.Event, e.Data)
	}
	if e.Count != nil {
		s += fmt.Sprint(" ", *e.Count)
	}
	return s
}

// A receiver is an endpoint that remembers what it got.
type receiver struct {
	t      testing.TB
	answer func(n int, d arrival) int // the status of the nth request, from 1
	url    string

	mu       sync.Mutex
	requests []arrival
	changed  chan struct{} // closed and replaced with each request
}

// receive starts a receiver on the loopback interface. A nil answer is 200.
func receive(t testing.TB, answer func(n int, d arrival) int) *receiver {
	t.Helper()
	r := newReceiver(t, answer)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func newReceiver(t testing.TB, answer func(n int, d arrival) int) *receiver {
	if answer == nil {
		answer = func(int, arrival) int { return http.StatusOK }
	}
	return &receiver{t: t, answer: answer, changed: make(chan struct{})}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	d := arrival{header: req.Header, at: time.Now()}
	d.body, _ = io.ReadAll(req.Body)
	if !strings.HasPrefix(req.Header.Get("X-Pusher-Key"), testKey) || !protocol.VerifyWebhook(testSecret, d.body, req.Header.Get("X-Pusher-Signature")) {
		r.t.Errorf("a request is not signed: %v %s", req.Header, d.body)
	}
	d = d.parsed(r.t)
	r.mu.Lock()
	r.requests = append(r.requests, d)
	n := len(r.requests)
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if status := r.answer(n, d); status > 0 {
		w.WriteHeader(status)
	}
}

// all returns the requests so far.
func (r *receiver) all() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// events are those of all requests so far, in the order of their arrival.
func (r *receiver) events() []string {
	var list []string
	for _, d := range r.all() {
		for _, e := range d.events {
			list = append(list, e.String())
		}
	}
	return list
}

// patience is how long tests wait for what must happen.
const patience = 30 * time.Second

// await waits until the receiver has got so many requests.
func (r *receiver) await(n int) []arrival {
	r.t.Helper()
	r.until(func(all []arrival) bool { return len(all) >= n })
	return r.all()
}

// until waits until the requests are as wanted.
func (r *receiver) until(enough func([]arrival) bool) {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		all, changed := slices.Clone(r.requests), r.changed
		r.mu.Unlock()
		if enough(all) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			r.t.Fatalf("after %v there were %d requests: %v", patience, len(all), r.events())
		}
	}
}

// clientEvent is news of a client's event.
func clientEvent(channel, data string) hub.News {
	return hub.News{Kind: apps.ClientEvent, Channel: channel, Event: "client-e", Data: fmt.Appendf(nil, "%q", data), Socket: protocol.NewSocketID()}
}

func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in %v", what, patience)
		}
	}
}

// counted is what a metric says, of the series that has the label if there is
// one.
func counted(t testing.TB, s *Sender, name string, label ...string) int {
	t.Helper()
	all, err := s.cfg.Registerer.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		for _, m := range family.Metric {
			if family.GetName() == name && (len(label) == 0 || m.GetLabel()[0].GetValue() == label[0]) {
				return int(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			}
		}
	}
	t.Fatalf("there is no metric %s %q", name, label)
	return 0
}
