package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// webhookApps is the default app with one endpoint, whose settings follow its
// URL.
const webhookApps = `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    client_events: true
    subscription_count: true
    limits: {client_events_per_second: 0}
    webhooks:
      - url: %s
        %s
`

// webhookSettings let a service reach endpoints here, and not wait long.
const webhookSettings = `webhooks: {allowed_networks: [127.0.0.1, "::1"], retry_first: 5ms, batch_interval: 5ms, grace: %s}`

// startWithEndpoint starts a service with an endpoint.
func startWithEndpoint(t *testing.T, h http.Handler, endpoint, grace string) *service.Service {
	t.Helper()
	receiver := httptest.NewServer(h)
	t.Cleanup(receiver.Close)
	return service.Start(t, service.Config{
		Apps:     fmt.Sprintf(webhookApps, receiver.URL, endpoint),
		Settings: fmt.Sprintf(webhookSettings, grace),
	})
}

// A hooked event is one of a webhook, as it was received.
type hooked struct {
	id      string
	Name    string
	Channel string
	Event   string
	Data    string
}

// readHook returns the events of a request, or notes what is wrong with it.
func readHook(t *testing.T, r *http.Request) []hooked {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil // the process was killed in the middle of it
	}
	if !protocol.VerifyWebhook(service.Secret, body, r.Header.Get("X-Pusher-Signature")) {
		t.Errorf("a webhook is not signed: %s", body)
	}
	var hook struct {
		Time   int64 `json:"time_ms"`
		Events []hooked
	}
	if err := json.Unmarshal(body, &hook); err != nil || hook.Time == 0 || len(hook.Events) == 0 {
		t.Errorf("a webhook is %s (%v)", body, err)
	}
	ids := strings.Split(r.Header.Get("X-Belfry-Event-Ids"), ",")
	if len(ids) != len(hook.Events) {
		t.Errorf("a webhook with %d events has %d ids", len(hook.Events), len(ids))
		return nil
	}
	for i := range hook.Events {
		hook.Events[i].id = ids[i]
	}
	return hook.Events
}

// A wire is a client by hand: what it writes is not waited for.
type wire struct {
	t    *testing.T
	conn net.Conn
	id   string
	in   io.Reader
}

// dialWire connects to the default app.
func dialWire(t *testing.T, s *service.Service) *wire {
	t.Helper()
	return dialWireAs(t, s, service.Key)
}

// dialWireAs connects to the app of a key.
func dialWireAs(t *testing.T, s *service.Service, key string) *wire {
	t.Helper()
	conn, early, _, err := ws.Dial(t.Context(), "ws://"+s.Addr+"/app/"+key+"?protocol=7")
	if err != nil {
		t.Fatal(err)
	}
	return greeted(t, conn, early)
}

// greeted is a client whose connection is made. Early holds what came with the
// answer; it may be nil.
func greeted(t *testing.T, conn net.Conn, early *bufio.Reader) *wire {
	t.Helper()
	w := &wire{t: t, conn: conn, in: conn}
	if early != nil {
		w.in = io.MultiReader(early, conn)
	}
	t.Cleanup(func() { conn.Close() })
	var established struct{ Data string }
	var data struct {
		SocketID string `json:"socket_id"`
	}
	if json.Unmarshal(w.read(), &established) != nil || json.Unmarshal([]byte(established.Data), &data) != nil {
		t.Fatal("the first message is not what it should be")
	}
	w.id = data.SocketID
	return w
}

// read returns the next message.
func (w *wire) read() []byte {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(service.Patience))
	text, _, err := wsutil.ReadServerData(readWriter{w.in, w.conn})
	if err != nil {
		w.t.Fatalf("read: %v", err)
	}
	return text
}

type readWriter struct {
	io.Reader
	io.Writer
}

func (w *wire) write(text string) error {
	return wsutil.WriteClientText(w.conn, []byte(text))
}

// subscribe waits until the subscription is there.
func (w *wire) subscribe(channel, channelData string) {
	w.t.Helper()
	data := map[string]string{"channel": channel}
	if protocol.KindOf(channel).Private() {
		text := w.id + ":" + channel
		if channelData != "" {
			text += ":" + channelData
			data["channel_data"] = channelData
		}
		data["auth"] = service.Key + ":" + protocol.Sign(service.Secret, text)
	}
	message, err := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": data})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.write(string(message)); err != nil {
		w.t.Fatal(err)
	}
	for !strings.Contains(string(w.read()), "subscription_succeeded") {
		continue
	}
}

// metric returns the value of a metric without labels, or -1.
func metric(s *service.Service, name string) int {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: service.Patience}
	answer, err := client.Get("http://" + s.AdminAddr + "/metrics")
	if err != nil {
		return -1
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			f, err := strconv.ParseFloat(value, 64)
			if err == nil {
				return int(f)
			}
		}
	}
	return -1
}

// A ledger remembers which events have arrived.
type ledger struct {
	mu      sync.Mutex
	seen    map[string]bool
	order   []hooked // without repeats
	repeats int
	changed chan struct{}
}

func newLedger() *ledger {
	return &ledger{seen: make(map[string]bool), changed: make(chan struct{}, 1)}
}

func (l *ledger) add(events []hooked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		if l.seen[e.id] {
			l.repeats++
			continue
		}
		l.seen[e.id] = true
		l.order = append(l.order, e)
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}
