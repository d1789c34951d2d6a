package webhook

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
)

// misbehave does to the nth request what real endpoints do, and reports
// whether it has answered well.
func misbehave(n int, w http.ResponseWriter, r *http.Request) bool {
	switch n % 6 {
	case 0: // fails
		w.WriteHeader(http.StatusInternalServerError)
	case 1: // resets
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	case 2: // redirects
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	case 3: // hangs
		<-r.Context().Done()
	case 4: // answers half
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusBadGateway)
		w.Write([]byte("x"))
	default: // answers slowly, but in time
		time.Sleep(50 * time.Millisecond)
		return true
	}
	return false
}

// An endpoint that fails, resets, redirects, hangs, answers slowly, goes away
// and comes back gets everything in the end, in order.
func testEndpointThatMisbehaves(t *testing.T) {
	const events = 30
	y := newTally(t, events)
	var n atomic.Int32
	var elsewhere atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			elsewhere.Store(true)
		}
		d := arrival{header: r.Header}
		d.body, _ = io.ReadAll(r.Body)
		if misbehave(int(n.Add(1)), w, r) {
			y.take(d.parsed(t))
		}
	}))
	defer server.Close()
	app := newApp("1", apps.Webhook{URL: server.URL, Events: everything})
	s := start(t, Config{Apps: registry(t, app), Delivery: delivery.Policy{RetryFirst: time.Millisecond, Timeout: 300 * time.Millisecond}})
	for i := range events {
		s.Observe(app, clientEvent(fmt.Sprintf("private-%d", i%3), strconv.Itoa(i/3)))
	}
	y.await()
	for _, c := range []string{"ok", "status", "redirect", "timeout", "connection"} {
		if attemptsThat(t, s, c) == 0 {
			t.Errorf("no attempt ended with %s", c)
		}
	}
	if elsewhere.Load() {
		t.Error("a redirect was followed")
	}
}

// Nobody listens, or somebody whose certificate is worth nothing: both are
// tried again, until somebody answers.
func testEndpointThatIsNotThereYet(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = discardLog
	untrusted.StartTLS()
	defer untrusted.Close()
	app := newApp("1", apps.Webhook{ID: "a", URL: "http://" + address, Events: everything}, apps.Webhook{ID: "b", URL: untrusted.URL, Events: everything})
	s := start(t, Config{Apps: registry(t, app), Delivery: delivery.Policy{RetryFirst: time.Millisecond}})
	s.Observe(app, hub.News{Kind: apps.ChannelOccupied, Channel: "news"})
	for _, c := range []string{"refused", "tls"} {
		for deadline := time.Now().Add(patience); attemptsThat(t, s, c) < 2; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no second attempt ended with %s", c)
			}
		}
	}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Skipf("the port was taken by somebody else: %v", err)
	}
	r := newReceiver(t, nil)
	server := &http.Server{Handler: r}
	go server.Serve(l)
	defer server.Close()
	r.await(1)
}

// attemptsThat is how many attempts ended with a result.
func attemptsThat(t *testing.T, s *Sender, result string) int {
	t.Helper()
	return counted(t, s, "belfry_webhook_attempts_total", result)
}
