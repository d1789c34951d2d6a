package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/e2e/service"
)

// welcome connects a client and returns the event that it is welcomed with, or
// an empty one if the connection ends before. The client stays until the test's
// end, unless it calls leave.
func welcome(t *testing.T, url string) (event struct{ Event, Data string }, leave func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), service.Patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, url)
	if err != nil {
		return event, func() {}
	}
	t.Cleanup(func() { conn.Close() })
	leave = func() { conn.Close() }
	if err := conn.SetReadDeadline(time.Now().Add(service.Patience)); err != nil {
		t.Fatal(err)
	}
	in := io.Reader(conn)
	if early != nil {
		in = io.MultiReader(early, conn)
	}
	text, _, err := wsutil.ReadServerData(readWriter{in, conn})
	if err != nil {
		return event, leave
	}
	var raw struct {
		Event string
		Data  json.RawMessage
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	event.Event, event.Data = raw.Event, string(raw.Data)
	return event, leave
}

// comesIn waits until a client is welcomed that tries again and again.
func comesIn(t *testing.T, s *service.Service) {
	t.Helper()
	for end := time.Now().Add(service.Patience); ; time.Sleep(20 * time.Millisecond) {
		if event, _ := welcome(t, appURL(s)); event.Event == "pusher:connection_established" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no client came in within %v", service.Patience)
		}
	}
}

func appURL(s *service.Service) string {
	return "ws://" + s.Addr + "/app/" + service.Key + "?protocol=7"
}

// operatorsAreAnswered asks what probes and scrapers ask, each on a connection
// of its own.
func operatorsAreAnswered(t *testing.T, s *service.Service) {
	t.Helper()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.AdminAddr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		client := &http.Client{Timeout: service.Patience}
		resp, err := client.Do(r)
		if err != nil {
			t.Errorf("%s of a full node: %v", path, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s of a full node is %s", path, resp.Status)
		}
	}
}

func TestFullNodeRefusesClientsAndAnswersOperators(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	first := dialWire(t, s)
	s.LimitDescriptors(60)
	var last struct{ Event, Data string }
	var leave []func()
	for range 100 {
		event, l := welcome(t, appURL(s))
		leave = append(leave, l)
		if last = event; event.Event != "pusher:connection_established" {
			break
		}
	}
	if last.Event != "pusher:error" || !strings.Contains(last.Data, "4100") {
		t.Errorf("the first client that is too many gets %+v, want an error with 4100", last)
	}
	operatorsAreAnswered(t, s)
	for _, path := range []string{"/pusher/app/" + service.Key + "/000/aaaaaaaa/xhr?protocol=7"} {
		if text := post(t, "http://"+s.Addr+path); !strings.Contains(text, "4100") {
			t.Errorf("a fallback client that is too many gets %q, want 4100", text)
		}
	}
	for _, channel := range []string{"a", "b", "c"} {
		first.subscribe(channel, "")
	}
	for _, l := range leave {
		l()
	}
	comesIn(t, s)
	s.Stop()
	for _, want := range []string{"open_files=", "too many open files"} {
		if log := s.Log(); !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}

// post sends an empty request on a connection of its own, and returns the answer.
func post(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, text := roundTrip(t, r)
	return text
}

// A node whose descriptors silent connections have taken goes on serving those
// it has, answers operators, and takes new clients in their place.
func TestSilentConnectionsTakeNoDescriptorsFromClients(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	first := dialWire(t, s)
	s.LimitDescriptors(60)
	for range 200 {
		stand(t, s.Addr, "")
	}
	operatorsAreAnswered(t, s)
	comesIn(t, s)
	for _, channel := range []string{"a", "b", "c"} {
		first.subscribe(channel, "")
	}
}

// Even when others have taken all of them, nothing stays broken.
func TestRunsOutOfDescriptors(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	first := dialWire(t, s)
	s.LimitDescriptors(0)
	var crowd []net.Conn
	for range 50 {
		crowd = append(crowd, stand(t, s.Addr, ""), stand(t, s.AdminAddr, ""))
	}
	for _, channel := range []string{"a", "b", "c"} {
		first.subscribe(channel, "")
	}
	for _, c := range crowd {
		c.Close()
	}
	s.LimitDescriptors(60)
	comesIn(t, s)
	operatorsAreAnswered(t, s)
	s.Stop()
	if log := s.Log(); !strings.Contains(log, "too many open files") {
		t.Errorf("the log does not say what was wrong:\n%s", log)
	}
}

// stand opens a connection, sends a text, and leaves it at that.
func stand(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, _ = io.WriteString(c, text) // it may be closed already
	return c
}

// kinds are what connections that owe a request have sent.
var kinds = []string{
	"",
	"GET /app/app-key HTTP/1.1\r\nHost: a\r\nX: ",
	"POST /apps/1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n",
	"GET /up HTTP/1.1\r\nHost: a\r\n\r\n", // and stays idle
	"\x16\x03\x01\x02\x00",                // of a TLS handshake
}

func TestNewClientsComeInWhileSilentOnesStand(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		start     func(t *testing.T) *service.Service
		addr      func(*service.Service) string
		listeners string
		most      int
	}{
		"plain": {start: func(t *testing.T) *service.Service {
			return service.Start(t, service.Config{Settings: "max_pending_connections: 20"})
		}, listeners: "clients", most: 20},
		"portable sockets": {start: func(t *testing.T) *service.Service {
			return service.Start(t, service.Config{Settings: "max_pending_connections: 20\nwebsocket: {portable_sockets: true}"})
		}, listeners: "clients", most: 20},
		"TLS": {start: func(t *testing.T) *service.Service {
			return service.Start(t, service.Config{Settings: "max_pending_connections: 20", TLS: true})
		}, addr: func(s *service.Service) string { return s.TLSAddr }, listeners: "clients", most: 20},
		"admin": {start: func(t *testing.T) *service.Service { return service.Start(t, service.Config{}) },
			addr: func(s *service.Service) string { return s.AdminAddr }, listeners: "admin", most: 256},
		"admin of dev": {start: func(t *testing.T) *service.Service { return service.StartDev(t) },
			addr: func(s *service.Service) string { return s.AdminAddr }, listeners: "admin", most: 256},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tt.start(t)
			addr := s.Addr
			if tt.addr != nil {
				addr = tt.addr(s)
			}
			for i := range 2 * tt.most {
				stand(t, addr, kinds[i%len(kinds)])
			}
			if n := pending(t, s, tt.listeners); n > tt.most {
				t.Errorf("%d connections owe a request, want at most %d", n, tt.most)
			}
			operatorsAreAnswered(t, s)
			if !strings.Contains(name, "dev") {
				comesIn(t, s)
			}
		})
	}
}

// pending waits until the kernel has handed over everybody, and returns how many
// connections the service says owe a request.
func pending(t *testing.T, s *service.Service, listeners string) (n int) {
	t.Helper()
	prefix := `belfry_pending_connections{listeners="` + listeners + `"} `
	lines := strings.Split(metrics(t.Context(), t, s), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
	if i < 0 {
		t.Fatal("the service does not say how many connections owe a request")
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[i], prefix)), &n); err != nil {
		t.Fatal(err)
	}
	return n
}
