package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/push/callback"
	"github.com/belfryhq/belfry/internal/push/lane"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/work"
	"github.com/belfryhq/belfry/internal/rate"
)

const (
	streamName = "belfry-push"
	subjects   = "belfry.push.publishes."
	maxBytes   = 128 << 20

	// PageSize is how many devices are sent to before it is written down.
	PageSize = 500
	// room is how many publishes a node works on, and share how many of one app.
	room, share = 512, 128
	// crowded is about how long a publish waits when its app has its share.
	crowded = 2 * time.Second
	// MaxAge is how old a publish may become that has no end of its own.
	MaxAge = 24 * time.Hour
	// short is a wait for which a publish stays in memory.
	short = 3 * time.Second
	// stopPatience is how long sends that are under way may take when the node stops.
	stopPatience = 10 * time.Second
	// engineAgain is the wait after the engine did not answer.
	engineAgain = time.Second
)

// Apps are what the dispatcher has to know of apps.
type Apps interface {
	// Credentials returns those of an app, and false if there is no such app.
	Credentials(app string) (notification.Credentials, bool)
	// SigningKey returns the key that signs what the app's backend is told.
	SigningKey(app string) (key, secret string, ok bool)
}

// Config is what a dispatcher stands on. All is required but what says otherwise.
type Config struct {
	Engine    *engine.Engine
	Devices   notification.Devices
	Apps      Apps
	Callbacks *callback.Queue
	Providers Providers // how they are reached; the zero value is how it is

	Registerer prometheus.Registerer // nil: no metrics
	Log        *slog.Logger
}

// A Dispatcher delivers publishes, together with those of the other nodes. Its methods are
// safe for concurrent use. Make one with [New].
type Dispatcher struct {
	cfg     Config
	work    *work.Queue
	states  *states
	lanes   *lane.Lanes
	senders *senders
	metrics *metrics
	repeats rate.Repeats
	quit    chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	under    map[string]int     // publishes that are worked on, by app
	begun    map[*run]time.Time // when they were accepted
	warned   map[string]string  // what the log was told of an app and platform
}

var _ notification.Publisher = (*Dispatcher)(nil)

// New opens the queue and begins to deliver. Whoever calls it must call Stop.
func New(ctx context.Context, cfg Config) (*Dispatcher, error) {
	d := &Dispatcher{
		cfg: cfg, lanes: lane.New(), senders: newSenders(cfg.Providers), quit: make(chan struct{}),
		under: make(map[string]int), begun: make(map[*run]time.Time), warned: make(map[string]string),
	}
	var err error
	if d.states, err = openStates(ctx, cfg.Engine); err != nil {
		return nil, err
	}
	d.work, err = work.Open(ctx, work.Config{
		Engine: cfg.Engine, Name: streamName, Subjects: subjects, Description: "push notifications that were accepted",
		MaxBytes: maxBytes, Room: room, Begin: d.begin, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	d.metrics = newMetrics(d, cfg.Registerer)
	d.work.Start()
	return d, nil
}

// Publish implements [notification.Publisher].
func (d *Dispatcher) Publish(ctx context.Context, p *notification.Publish) error {
	if !validID(p.ID) {
		return errors.New("fanout: the id of a publish has letters, digits and dashes alone")
	}
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("fanout: %w", err)
	}
	if err := d.work.Put(ctx, "all", p.ID, data); err != nil {
		return fmt.Errorf("fanout: %w", err)
	}
	d.metrics.accepted.Inc()
	return nil
}

// validID reports whether an id can be a part of keys in the engine.
func validID(id string) bool {
	const longest = 100
	return id != "" && len(id) <= longest && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// Stop takes no more publishes, waits for sends that are under way, for ten seconds or until
// ctx ends, and leaves the rest to other nodes or the next start.
func (d *Dispatcher) Stop(ctx context.Context) error {
	d.mu.Lock()
	d.stopping = true
	d.mu.Unlock()
	close(d.quit)
	patient, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	d.lanes.Stop(patient)
	d.running.Wait()
	d.work.Stop()
	d.senders.close()
	return nil
}

// begin begins to work on an item, if its app has room.
func (d *Dispatcher) begin(item *work.Item) {
	p := new(notification.Publish)
	if err := json.Unmarshal(item.Data, p); err != nil {
		d.cfg.Log.Error("a publish of push notifications can not be read and is dropped", "err", err)
		_ = item.Done(context.Background()) // or else it comes again
		return
	}
	d.mu.Lock()
	busy := d.under[p.App] >= share || d.stopping
	if !busy {
		d.under[p.App]++
		r := &run{d: d, p: p, item: item}
		d.begun[r] = p.Accepted
		d.running.Go(func() {
			r.do()
			d.ended(r)
		})
	}
	d.mu.Unlock()
	if busy {
		item.Later(crowded/2 + rand.N(crowded))
	}
}

func (d *Dispatcher) ended(r *run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.begun, r)
	if d.under[r.p.App]--; d.under[r.p.App] == 0 {
		delete(d.under, r.p.App)
	}
}

// ends reports whether the dispatcher stops.
func (d *Dispatcher) ends() bool {
	select {
	case <-d.quit:
		return true
	default:
		return false
	}
}

// sleep waits, or returns when the dispatcher stops.
func (d *Dispatcher) sleep(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.quit:
	}
}
