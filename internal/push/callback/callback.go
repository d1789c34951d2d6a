// Package callback calls endpoints of backends that hear of push notifications: what became
// of a publish, and what users have seen. What is put is durable, and tried again as its
// schedule says. After the last attempt it is given up, counted, and told in the log.
//
// Addresses within private networks are refused when they are dialed, and redirects are not
// followed. A body is signed once, so that it is the same in each attempt.
//
// # Locks
//
// Queue.mu guards how many calls each app has under way, and is a leaf.
//
// # Goroutines
//
// One for each call that is under way, up to 128, and those of [work.Queue].
//
// # Bounds
//
// An app has 16 calls under way on a node. The others wait in the engine.
package callback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/egress"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/push/work"
)

const (
	streamName = "belfry-push-callbacks"
	subjects   = "belfry.push.callbacks."
	maxBytes   = 64 << 20
	// room is how many calls are under way on a node, and share how many of one app.
	room, share = 128, 16
	// crowded is about how long a call waits when its app has its share under way.
	crowded        = 2 * time.Second
	connectTimeout = 3 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 64 << 10
	// MaxBody is how large a body may be, in bytes.
	MaxBody = 512 << 10
)

// A Schedule says how long a call may take, and when it is tried again.
type Schedule string

// The schedules. The native one is that of webhooks of channels.
const (
	NativeSchedule Schedule = "native"
	BeamsSchedule  Schedule = "beams"
)

// schedule is what a [Schedule] stands for.
type schedule struct {
	timeout time.Duration
	waits   []time.Duration // before the second attempt, the third, and so on
}

var schedules = map[Schedule]schedule{
	NativeSchedule: {10 * time.Second, seconds(1, 2, 4, 8, 16, 32, 64, 128)},
	BeamsSchedule:  {3 * time.Second, seconds(10, 30, 120, 300)},
}

func seconds(list ...int) (all []time.Duration) {
	for _, s := range list {
		all = append(all, time.Duration(s)*time.Second)
	}
	return all
}

// A Call is one request to an endpoint.
type Call struct {
	ID       string            `json:"id"` // the same one is put once
	App      string            `json:"app"`
	URL      string            `json:"url"`
	Header   map[string]string `json:"header"`
	Body     []byte            `json:"body"`
	Schedule Schedule          `json:"schedule"`

	// Attempt and Due are kept by the queue.
	Attempt int       `json:"attempt,omitempty"` // that were made
	Due     time.Time `json:"due,omitzero"`
}

// CheckURL says what is wrong with the address of an endpoint.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("it is not a URL of http or https")
	}
	const longest = 2048
	if len(text) > longest {
		return fmt.Errorf("it has more than %d bytes", longest)
	}
	return nil
}

// Config is what a queue stands on. Engine and Log are required.
type Config struct {
	Engine *engine.Engine
	// AllowedNetworks may be reached although they are private.
	AllowedNetworks []netip.Prefix
	Registerer      prometheus.Registerer // nil: no metrics
	Log             *slog.Logger
}

// A Queue is the calls of all nodes. Make one with [Open].
type Queue struct {
	cfg     Config
	work    *work.Queue
	over    *http.Transport
	calls   *prometheus.CounterVec
	ctx     context.Context // ends with Stop: that of all calls
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	under    map[string]int // calls under way, by app
}

// Open opens the queue and begins to make calls. Whoever calls it must call Stop.
func Open(ctx context.Context, cfg Config) (*Queue, error) {
	q := &Queue{cfg: cfg, under: make(map[string]int)}
	q.over = egress.NewTransport(egress.Config{ConnectTimeout: connectTimeout, AllowedNetworks: cfg.AllowedNetworks, IdlePerHost: share})
	q.calls = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_push_callbacks_total",
		Help: "Requests to endpoints of backends about push notifications, by what became of them.",
	}, []string{"result"})
	for _, result := range []string{"delivered", "failed", "given_up"} {
		q.calls.WithLabelValues(result)
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(q.calls)
	}
	var err error
	q.work, err = work.Open(ctx, work.Config{
		Engine: cfg.Engine, Name: streamName, Subjects: subjects, Description: "calls about push notifications",
		MaxBytes: maxBytes, Room: room, Begin: q.begin, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.work.Start()
	return q, nil
}

// Put puts a call, and returns when it is durable.
func (q *Queue) Put(ctx context.Context, c *Call) error {
	if len(c.Body) > MaxBody {
		return fmt.Errorf("callback: the body has more than %d bytes", MaxBody)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("callback: %w", err)
	}
	return q.work.Put(ctx, "calls", fmt.Sprintf("%s.%d", c.ID, c.Attempt), data)
}

// Stop ends calls when ctx ends. Those that were not answered are made again.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	q.stopping = true
	q.mu.Unlock()
	stop := context.AfterFunc(ctx, q.cancel)
	defer stop()
	q.running.Wait()
	q.cancel()
	q.work.Stop()
	q.over.CloseIdleConnections()
	return nil
}

// begin begins a call if it is due and its app has room.
func (q *Queue) begin(item *work.Item) {
	var c Call
	if err := json.Unmarshal(item.Data, &c); err != nil {
		q.cfg.Log.Error("a call to a backend can not be read and is dropped", "err", err)
		q.end(item)
		return
	}
	if wait := time.Until(c.Due); wait > 0 {
		item.Later(wait)
		return
	}
	q.mu.Lock()
	busy := q.under[c.App] >= share || q.stopping
	if !busy {
		q.under[c.App]++
		q.running.Go(func() {
			q.run(item, &c)
			q.mu.Lock()
			defer q.mu.Unlock()
			if q.under[c.App]--; q.under[c.App] == 0 {
				delete(q.under, c.App)
			}
		})
	}
	q.mu.Unlock()
	if busy {
		item.Later(crowded/2 + rand.N(crowded))
	}
}

// end removes an item. If that gets lost, the call is made once more.
func (q *Queue) end(item *work.Item) {
	if err := item.Done(context.WithoutCancel(q.ctx)); err != nil {
		q.cfg.Log.Debug("a call that was made is not known to be removed", "err", err)
	}
}

// run makes one attempt.
func (q *Queue) run(item *work.Item, c *Call) {
	s, ok := schedules[c.Schedule]
	if !ok {
		s = schedules[BeamsSchedule]
	}
	err := q.post(c, s.timeout)
	switch {
	case err == nil:
		q.calls.WithLabelValues("delivered").Inc()
		q.end(item)
		return
	case q.ctx.Err() != nil:
		item.Later(0) // for somebody else: the service stops
		return
	}
	q.calls.WithLabelValues("failed").Inc()
	if c.Attempt >= len(s.waits) {
		q.calls.WithLabelValues("given_up").Inc()
		q.cfg.Log.Warn("a backend was not told of push notifications: its endpoint does not take the call", "app", c.App, "host", hostOf(c.URL), "err", err)
		q.end(item)
		return
	}
	next := *c
	next.Attempt++
	next.Due = time.Now().Add(s.waits[c.Attempt])
	if err := q.Put(q.ctx, &next); err != nil {
		item.Later(s.waits[c.Attempt]) // the same attempt once more
		return
	}
	q.end(item)
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// post makes the request, and returns nil if the endpoint has taken it.
func (q *Queue) post(c *Call, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(q.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(c.Body))
	if err != nil {
		return errors.New("the URL can not be used")
	}
	for name, value := range c.Header {
		req.Header.Set(name, value)
	}
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
		req.URL.User = nil
	}
	answer, err := q.over.RoundTrip(req)
	if err != nil {
		_, err = egress.Explain(err)
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // which keeps the connection
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}
