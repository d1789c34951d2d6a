package engine

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/natstest"
)

// external starts a NATS server that wants a password, on a port of the
// loopback interface.
func external(t *testing.T, dir string, port int) *natsserver.Server {
	t.Helper()
	options := natstest.Kept(port, dir)
	options.Username, options.Password = "u", "hush"
	return natstest.Start(t, options)
}

func withPassword(s *natsserver.Server) string {
	return strings.Replace(s.ClientURL(), "nats://", "nats://u:hush@", 1)
}

func TestExternalEngine(t *testing.T) {
	dir := t.TempDir()
	s := external(t, dir, natstest.AnyPort)
	var log journal
	e := open(t, Config{URL: withPassword(s), DataDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if e.Storage() != jetstream.FileStorage {
		t.Errorf("Storage() = %v, want files", e.Storage())
	}
	kv, err := e.KeyValue(t.Context(), "apps")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "1", "shop"); err != nil {
		t.Fatal(err)
	}
	port := s.Addr().String()
	natstest.Stop(s)
	untilSo(t, "the engine is not available", func() bool { return errors.Is(e.Writable(), ErrUnavailable) })
	external(t, dir, portOf(t, port))
	untilSo(t, "the engine is available again", func() bool { return e.Writable() == nil })
	if entry, err := kv.Get(t.Context(), "1"); err != nil || string(entry.Value()) != "shop" {
		t.Errorf("Get after the server was away = %v, %v", entry, err)
	}
	if strings.Contains(log.String(), "hush") {
		t.Errorf("the log has the password:\n%s", &log)
	}
}

func TestExternalEngineThatIsNotThere(t *testing.T) {
	s := external(t, t.TempDir(), natstest.AnyPort)
	url := withPassword(s)
	natstest.Stop(s)
	for _, address := range []string{url, "nats://u:hush@[bad", "nats://u:hu%sh@127.0.0.1:1"} {
		e, err := Open(t.Context(), Config{URL: address})
		if err == nil || e != nil {
			t.Fatalf("Open = %v, %v, want an error", e, err)
		}
		if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "hu%sh") {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

func TestMetricsTellTheState(t *testing.T) {
	reg := prometheus.NewRegistry()
	e := open(t, Config{DataDir: t.TempDir(), Registerer: reg})
	value := func(name string) float64 {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == name {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		t.Fatalf("there is no %s", name)
		return 0
	}
	if value("belfry_engine_up") != 1 || value("belfry_engine_disk_full") != 0 || value("belfry_engine_disk_free_bytes") <= 0 {
		t.Error("the metrics do not say that everything is fine")
	}
	e.full.Store(true)
	if value("belfry_engine_up") != 0 || value("belfry_engine_disk_full") != 1 {
		t.Error("the metrics do not say that the disk is full")
	}
}

func untilSo(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in 30 seconds", what)
		}
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A journal is a log that goroutines write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// TestStreamsOfAnExternalEngineThatLostItsStoreAreMadeAgain, and whoever uses
// them is told, on the node that makes them and on the others.
func TestStreamsOfAnExternalEngineThatLostItsStoreAreMadeAgain(t *testing.T) {
	s := external(t, t.TempDir(), natstest.AnyPort)
	var nodes []*Engine
	var told atomic.Int64
	for range 2 {
		e := open(t, Config{URL: withPassword(s)})
		nodes = append(nodes, e)
		if _, err := e.KeyValue(t.Context(), "apps"); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Stream(t.Context(), jetstream.StreamConfig{Name: "queue", Subjects: []string{"queue"}, MaxBytes: 1 << 20}); err != nil {
			t.Fatal(err)
		}
		e.OnLoss(BucketStream("apps"), func() { told.Add(1) })
		if got := e.Losses(); len(got) > 0 {
			t.Fatalf("Losses() = %v, and nothing was lost", got)
		}
	}
	port := portOf(t, s.Addr().String())
	natstest.Stop(s)
	external(t, t.TempDir(), port)
	for _, e := range nodes {
		untilSo(t, "both streams are there again", func() bool {
			losses := e.Losses()
			return len(losses) == 2 && !losses[0].Missing && !losses[1].Missing
		})
		stream, err := e.JetStream().Stream(t.Context(), "queue")
		if err != nil || stream.CachedInfo().Config.MaxBytes != 1<<20 {
			t.Errorf("the stream that was made again = %+v, %v, want it as it was asked for", stream, err)
		}
	}
	if _, err := nodes[0].JetStream().Publish(t.Context(), "queue", nil); err != nil {
		t.Errorf("Publish after the store was lost = %v", err)
	}
	if n := told.Load(); n != 2 {
		t.Errorf("told of the loss %d times, want once on each node", n)
	}
	for range 3 {
		nodes[0].lookForStreams()
	}
	if n := told.Load(); n != 2 {
		t.Errorf("told %d times of one loss", n)
	}
}
