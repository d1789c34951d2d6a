package trace

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// debugQueue is how many records may wait to be logged.
const debugQueue = 4096

// debugKinds are those that are logged.
var debugKinds = KindsOf(Connected, Disconnected, ConnectionRefused, SlowClosed, Subscribed, Unsubscribed, SignedIn,
	APIMessage, ClientEvent, Arrived, ClientError, Terminated, WebhookSent, WebhookFailed, ConfigChange, Error)

// A Debug writes lines of the log for what happens, where such detail is asked
// for. Who causes it never waits for that: when the log takes too long, lines are
// left out, and a line says how many.
type Debug struct {
	log     *slog.Logger
	queue   chan Record
	skipped atomic.Int64 // records that found no room
	quit    chan struct{}
	ended   chan struct{}
}

// NewDebug makes what is written into the logs be logged. Close it, when nothing
// is written into them any more.
func NewDebug(log *slog.Logger, logs ...*Logs) *Debug {
	d := &Debug{log: log, queue: make(chan Record, debugQueue), quit: make(chan struct{}), ended: make(chan struct{})}
	go d.run()
	for _, l := range logs {
		l.Attach(d, Interest{Kinds: debugKinds})
	}
	return d
}

// Trace implements [Sink].
func (d *Debug) Trace(r Record) *Tally {
	select {
	case d.queue <- r:
	default:
		d.skipped.Add(1)
	}
	return nil
}

// Close logs what waits, and ends.
func (d *Debug) Close(ctx context.Context) error {
	close(d.quit)
	select {
	case <-d.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *Debug) run() {
	defer close(d.ended)
	for {
		select {
		case r := <-d.queue:
			d.write(&r)
		case <-d.quit:
			for len(d.queue) > 0 {
				r := <-d.queue
				d.write(&r)
			}
			return
		}
	}
}

// messages are the constant parts of the lines.
var messages = map[Kind]string{
	Connected: "client connected", Disconnected: "client gone", ConnectionRefused: "client refused", SlowClosed: "client too slow",
	Subscribed: "subscribed", Unsubscribed: "unsubscribed", SignedIn: "signed in", APIMessage: "event of a backend",
	ClientEvent: "event of a client", Arrived: "event of another node", ClientError: "message of a client refused",
	Terminated: "connections of a user closed", WebhookSent: "webhook delivered", WebhookFailed: "webhook not delivered",
	ConfigChange: "app changed", Error: "error",
}

// write writes the line of a record.
func (d *Debug) write(r *Record) {
	if n := d.skipped.Swap(0); n > 0 {
		d.log.Debug("too much happened to log all of it", "left_out", n)
	}
	attrs := make([]slog.Attr, 0, 12)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("app", r.App)
	text("channel", r.Channel)
	text("event", r.Event)
	if !r.Socket.IsZero() {
		text("socket_id", r.Socket.String())
	}
	text("user", r.User)
	text("event_id", r.ID.String())
	switch r.Kind {
	case APIMessage, ClientEvent, Arrived:
		attrs = append(attrs, slog.Int("here", r.Here), slog.Int("elsewhere", r.Elsewhere))
	}
	if r.Code != 0 {
		attrs = append(attrs, slog.Int("code", r.Code))
	}
	text("reason", r.Text)
	if c := r.Client; c != nil {
		text("key", c.Key)
		text("transport", c.Transport)
		text("origin", c.Origin)
	}
	if e := r.Ending; e != nil {
		text("lost", e.Loss)
		attrs = append(attrs, slog.Duration("after", e.Lasted.Round(time.Millisecond)))
	}
	d.log.LogAttrs(context.Background(), slog.LevelDebug, messages[r.Kind], attrs...)
}
