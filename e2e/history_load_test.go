package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/e2e/service"
)

// A missing is a client that was away, and knows where it has been.
type missing struct {
	conn     *socketConn
	channel  string
	position string
}

// A socketConn is a WebSocket of which messages are read one by one.
type socketConn struct {
	net.Conn
	from *bufio.Reader // of the connection, with what came with the handshake
}

// Read reads what comes from the service.
func (c *socketConn) Read(b []byte) (int, error) { return c.from.Read(b) }

func dialSocket(svc *service.Service) (*socketConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*service.Patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, "ws://"+svc.Addr+"/app/"+service.Key+"?protocol=7")
	if err != nil {
		return nil, err
	}
	c := &socketConn{conn, early} // which reads on from the connection
	if early == nil {
		c.from = bufio.NewReader(conn)
	}
	_, err = c.next("pusher:connection_established")
	return c, err
}

type socketMessage struct{ Event, Data, Position string }

// next returns the next message, which must be of an event.
func (c *socketConn) next(event string) (m socketMessage, err error) {
	text, err := wsutil.ReadServerText(c)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Event != event {
		return m, fmt.Errorf("%s came, want %s", text, event)
	}
	return m, nil
}

func (c *socketConn) subscribe(channel, resume string) error {
	return wsutil.WriteClientText(c, fmt.Appendf(nil, `{"event":"pusher:subscribe","data":{"channel":%q,"resume":%s}}`, channel, resume))
}

// begin connects, and learns where it is.
func (m *missing) begin(svc *service.Service) error {
	c, err := dialSocket(svc)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.subscribe(m.channel, `{}`); err != nil {
		return err
	}
	if _, err := c.next("pusher_internal:subscription_succeeded"); err != nil {
		return err
	}
	v, err := c.next("belfry:resume")
	if err != nil {
		return err
	}
	var verdict struct{ Position string }
	err = json.Unmarshal([]byte(v.Data), &verdict)
	m.position = verdict.Position
	return err
}

// resume gets so many events in order, and that they are all.
func (m *missing) resume(events int) error {
	if err := m.conn.subscribe(m.channel, fmt.Sprintf(`{"position":%q}`, m.position)); err != nil {
		return err
	}
	if _, err := m.conn.next("pusher_internal:subscription_succeeded"); err != nil {
		return err
	}
	for i := range events {
		text, err := wsutil.ReadServerText(m.conn)
		if err != nil || !bytes.HasPrefix(text, fmt.Appendf(nil, `{"event":"number","channel":%q,"data":"%d",`, m.channel, i)) {
			return fmt.Errorf("%s came, want event %d: %w", text, i, err)
		}
	}
	v, err := m.conn.next("belfry:resume")
	if want := fmt.Sprintf(`{"recovered":true,"replayed":%d,`, events); err == nil && !strings.HasPrefix(v.Data, want) {
		err = fmt.Errorf("the verdict is %s, want %s…", v.Data, want)
	}
	return err
}

// each does something for all, so many at once, and fails the test for the first that
// can not.
func each(t testing.TB, all []*missing, atOnce int, do func(*missing) error) {
	t.Helper()
	var workers sync.WaitGroup
	room := make(chan struct{}, atOnce)
	errs := make(chan error, len(all))
	for _, m := range all {
		room <- struct{}{}
		workers.Go(func() {
			if err := do(m); err != nil {
				errs <- err
			}
			<-room
		})
	}
	workers.Wait()
	select {
	case err := <-errs:
		t.Fatalf("%d of %d clients failed, the first one: %v", 1+len(errs), len(all), err)
	default:
	}
}

// pulse sends events to one client, each when the one before it has come, while it is
// to go on. It returns how long they took, the shortest first.
func pulse(t testing.TB, be backend, conn *socketConn, goesOn func(sent int) bool) (took []time.Duration) {
	for goesOn(len(took)) {
		began := time.Now()
		if _, err := be.Trigger([]string{"live"}, "number", 0, triggerParams{}); err != nil {
			t.Error(err)
			return took
		}
		if _, err := conn.next("number"); err != nil {
			t.Error(err)
			return took
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

// TestManyResumeAtOnce: each gets all that it has missed, and others get their events
// meanwhile. With E2E_LOAD=1 there are 10,000, for docs/performance.md.
func TestManyResumeAtOnce(t *testing.T) {
	many, events := 200, 100
	if os.Getenv("E2E_LOAD") != "" {
		many = 10_000
	}
	svc := service.Start(t, service.Config{Apps: historyApps})
	be := startGoBackend(t, svc, theApp)
	all := make([]*missing, many)
	for i := range all {
		all[i] = &missing{channel: fmt.Sprint("room-", i%100)}
	}
	each(t, all, 100, func(m *missing) error { return m.begin(svc) })
	for room := range min(many, 100) {
		for first := 0; first < events; first += 10 {
			batch := make([]batchEvent, 10)
			for i := range batch {
				batch[i] = batchEvent{Channel: fmt.Sprint("room-", room), Event: "number", Data: first + i}
			}
			if _, err := be.TriggerBatch(batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	live, err := dialSocket(svc)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if err := live.subscribe("live", "null"); err != nil {
		t.Fatal(err)
	}
	if _, err := live.next("pusher_internal:subscription_succeeded"); err != nil {
		t.Fatal(err)
	}
	each(t, all, 100, func(m *missing) (err error) {
		m.conn, err = dialSocket(svc)
		return err
	})
	quiet := pulse(t, be, live, func(sent int) bool { return sent < 200 })
	before := measure(t, svc)
	var over atomic.Bool
	pulses := make(chan []time.Duration)
	go func() { pulses <- pulse(t, be, live, func(sent int) bool { return sent == 0 || !over.Load() }) }()
	began := time.Now()
	each(t, all, many, func(m *missing) error { return m.resume(events) })
	took := time.Since(began)
	over.Store(true)
	busy, after := <-pulses, measure(t, svc)
	p99 := func(list []time.Duration) time.Duration { return list[len(list)*99/100] }
	t.Logf("%d resumes of %d events in %v, %.0f µs of CPU each; %.1f MB more resident; live events: p99 %v of %d, before %v of %d",
		many, events, took, (after.cpu-before.cpu)/float64(many)*1e6, (after.resident-before.resident)/(1<<20), p99(busy), len(busy), p99(quiet), len(quiet))
	for _, m := range all {
		m.conn.Close()
	}
}
