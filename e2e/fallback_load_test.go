package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// loadStreams is how many streaming sessions TestFallbackLoad has, unless
// $E2E_LOAD names another number above 1.
const loadStreams = 5000

// TestFallbackLoad measures what streaming sessions cost, and sees that they
// leave nothing behind. It is run by E2E_LOAD=1, without the race detector,
// for the numbers in docs/performance.md.
func TestFallbackLoad(t *testing.T) {
	want := os.Getenv("E2E_LOAD")
	if want == "" {
		t.Skip("a measurement: E2E_LOAD=1 runs it")
	}
	count := loadStreams
	if n, err := strconv.Atoi(want); err == nil && n > 1 {
		count = n
	}
	svc := service.Start(t, service.Config{Apps: fallbackApps})
	be := startGoBackend(t, svc, theApp)
	s := &scene{T: t, service: svc, backend: be}

	idle := measure(t, svc)
	crowd := s.openCrowd(count)
	full := measure(t, svc)
	t.Logf("%d streaming sessions: %.1f KB resident and %.2f goroutines each, %.0f µs of CPU to connect and subscribe",
		count, (full.resident-idle.resident)/float64(count)/1024, (full.goroutines-idle.goroutines)/float64(count), (full.cpu-idle.cpu)/float64(count)*1e6)

	const events = 100
	for i := range events {
		s.trigger("news", "load", i)
		crowd.await(int64(count) * int64(i+1))
	}
	one := measure(t, svc)
	t.Logf("events one by one: %.1f µs of CPU per delivery", (one.cpu-full.cpu)/float64(events*count)*1e6)
	start := time.Now()
	for i := 0; i < events; i += 10 {
		batch := make([]batchEvent, 10)
		for j := range batch {
			batch[j] = batchEvent{Channel: "news", Event: "load", Data: i + j}
		}
		if _, err := be.TriggerBatch(batch); err != nil {
			t.Fatal(err)
		}
	}
	crowd.await(int64(count) * 2 * events)
	took := time.Since(start)
	burst := measure(t, svc)
	t.Logf("events in batches of ten: %.1f µs of CPU per delivery, %.0f deliveries a second",
		(burst.cpu-one.cpu)/float64(events*count)*1e6, float64(events*count)/took.Seconds())

	crowd.leave()
	awaitMetric(t, svc, `belfry_fallback_sessions{transport="xhr_streaming"} 0`)
	awaitGoroutines(t, svc, idle.goroutines+20)
}

// usage is what the service has used.
type usage struct{ resident, cpu, goroutines float64 }

func measure(t testing.TB, s *service.Service) usage {
	t.Helper()
	text := metrics(context.Background(), t, s)
	value := func(name string) float64 {
		_, rest, _ := strings.Cut(text, "\n"+name+" ")
		line, _, _ := strings.Cut(rest, "\n")
		v, err := strconv.ParseFloat(line, 64)
		if err != nil {
			t.Fatalf("metric %s: %v", name, err)
		}
		return v
	}
	return usage{value("process_resident_memory_bytes"), value("process_cpu_seconds_total"), value("go_goroutines")}
}

// awaitGoroutines waits until the service has no more of them than that.
func awaitGoroutines(t testing.TB, s *service.Service, most float64) {
	t.Helper()
	deadline := time.Now().Add(service.Patience)
	for {
		now := measure(t, s).goroutines
		if now <= most {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%.0f goroutines are left, want %.0f at most", now, most)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// A crowd is many streaming sessions on one channel, each on a connection of
// its own.
type crowd struct {
	t        testing.TB
	conns    []net.Conn
	received atomic.Int64 // events, over all sessions
	readers  sync.WaitGroup
}

// openCrowd opens them, subscribed to news.
func (s *scene) openCrowd(count int) *crowd {
	s.Helper()
	c := &crowd{t: s}
	var subscribed atomic.Int64
	for i := range count {
		session := fmt.Sprintf("/pusher/app/%s/%d/%08d", service.Key, i%1000, i)
		conn, err := net.Dial("tcp", s.service.Addr)
		if err != nil {
			s.Fatal(err)
		}
		c.conns = append(c.conns, conn)
		fmt.Fprintf(conn, "POST %s/xhr_streaming?protocol=7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n", session)
		established := make(chan struct{})
		c.readers.Go(func() { c.read(conn, established, &subscribed) })
		<-established
		s.subscribeOver(session)
	}
	for subscribed.Load() < int64(count) {
		time.Sleep(10 * time.Millisecond)
	}
	s.Cleanup(c.leave)
	return c
}

// read counts what a session receives, a line at a time.
func (c *crowd) read(conn net.Conn, established chan<- struct{}, subscribed *atomic.Int64) {
	lines := bufio.NewReaderSize(conn, 512)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return // left
		}
		switch text := string(line); {
		case strings.Contains(text, `\"load\"`):
			c.received.Add(1)
		case strings.Contains(text, "connection_established"):
			close(established)
		case strings.Contains(text, "subscription_succeeded"):
			subscribed.Add(1)
		}
	}
}

// subscribeOver subscribes a session to news, on a connection that is closed
// again.
func (s *scene) subscribeOver(session string) {
	s.Helper()
	conn, err := net.Dial("tcp", s.service.Addr)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	const body = `["{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"news\"}}"]`
	fmt.Fprintf(conn, "POST %s/xhr_send HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", session, len(body), body)
	status, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(status, " 204 ") {
		s.Fatalf("subscribe: %q, %v", status, err)
	}
}

// await waits until the sessions have received so many events together.
func (c *crowd) await(events int64) {
	c.t.Helper()
	deadline := time.Now().Add(service.Patience)
	for c.received.Load() < events {
		if time.Now().After(deadline) {
			c.t.Fatalf("%d events were received, want %d", c.received.Load(), events)
		}
		time.Sleep(time.Millisecond)
	}
}

// leave closes all connections, as pages that are closed do.
func (c *crowd) leave() {
	for _, conn := range c.conns {
		conn.Close()
	}
	c.readers.Wait()
}

// TestFallbackIdle leaves pages alone for longer than any heartbeat, answer
// and timeout of both sides takes. It is run by E2E_LOAD too.
func TestFallbackIdle(t *testing.T) {
	if os.Getenv("E2E_LOAD") == "" {
		t.Skip("takes two minutes: E2E_LOAD=1 runs it")
	}
	const idle = 130 * time.Second
	playFallback(t, service.Config{}, func(s *scene, c fallbackClient) {
		ann := s.openPage(c, "ann")
		ann.Subscribe("news")
		time.Sleep(idle) // nothing happens: that is what is tested
		s.trigger("news", "still here", order)
		ann.Await("news", "still here")
		if n := ann.Count("state", "", "connected"); n != 1 {
			s.Errorf("connected %d times, want once", n)
		}
	})
}
