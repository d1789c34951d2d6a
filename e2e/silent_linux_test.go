package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestHonestClientsConnectWhileManyAreSilent: clients behind a proxy connect, all
// at their first attempt, while others open connections directly and send no
// request, and open new ones in place of those that are closed. E2E_ACCEPTANCE=all
// runs it with 10,000 silent ones and 5,000 clients.
func TestHonestClientsConnectWhileManyAreSilent(t *testing.T) {
	silent, honest, limit := 300, 150, "max_pending_connections: 100"
	if os.Getenv("E2E_ACCEPTANCE") == "all" {
		silent, honest, limit = 10_000, 5_000, ""
	}
	for name, settings := range map[string]string{
		"polled":   limit,
		"portable": limit + "\nwebsocket: {portable_sockets: true}",
	} {
		t.Run(name, func(t *testing.T) {
			s := service.Start(t, service.Config{Settings: settings})
			proxy := startNginxWith(t, s, upgradeTo(s.Addr), fmt.Sprintf("worker_rlimit_nofile %d; events { worker_connections %d; }", 3*honest, 3*honest))
			beSilent(t, s.Addr, silent)
			began := time.Now()
			connectAll(t, "ws://"+proxy+"/app/"+service.Key+"?protocol=7", honest)
			t.Logf("%d clients connected in %v while %d connections were silent; %d of those stand", honest, time.Since(began), silent, pending(t, s, "clients"))
		})
	}
}

// upgradeTo is a location of nginx that passes WebSockets on.
func upgradeTo(addr string) string {
	return "location / { proxy_pass http://" + addr + "; proxy_http_version 1.1; " +
		"proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }"
}

// beSilent opens n connections that send no request and then, until the test's
// end, one more at a time in place of the oldest.
func beSilent(t *testing.T, addr string, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	opened := make(chan struct{})
	var done sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	done.Go(func() {
		ring := make([]net.Conn, n)
		defer func() {
			for _, c := range ring {
				if c != nil {
					c.Close()
				}
			}
		}()
		for i := 0; ctx.Err() == nil; i++ {
			if i == n {
				close(opened)
			}
			if old := ring[i%n]; old != nil {
				old.Close()
				time.Sleep(time.Millisecond) // a thousand a second at most
			}
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err != nil {
				continue
			}
			ring[i%n] = c
			_, _ = io.WriteString(c, kinds[i%len(kinds)]) // it may be closed already
		}
	})
	select {
	case <-opened:
	case <-time.After(service.Patience):
		t.Fatalf("%d connections are not open after %v", n, service.Patience)
	}
}

// connectAll connects n clients, a hundred at a time, who stay until the test's
// end.
func connectAll(t *testing.T, url string, n int) {
	t.Helper()
	var (
		mu      sync.Mutex
		refused []error
		crowd   []net.Conn
		work    = make(chan struct{}, n)
		workers sync.WaitGroup
	)
	t.Cleanup(func() {
		for _, c := range crowd {
			c.Close()
		}
	})
	for range n {
		work <- struct{}{}
	}
	close(work)
	for range 100 {
		workers.Go(func() {
			for range work {
				c, err := enter(t.Context(), url)
				mu.Lock()
				if c != nil {
					crowd = append(crowd, c)
				}
				if err != nil {
					refused = append(refused, err)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if len(refused) > 0 {
		t.Errorf("%d of %d clients did not come in, the first because of: %v", len(refused), n, refused[0])
	}
}

// enter connects one client and waits until it is welcome.
func enter(ctx context.Context, url string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, service.Patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(service.Patience)); err != nil {
		return conn, err
	}
	if early == nil {
		early = bufio.NewReader(conn)
	}
	text, _, err := wsutil.ReadServerData(readWriter{early, conn})
	if err == nil && !strings.Contains(string(text), "pusher:connection_established") {
		err = fmt.Errorf("the service says %s", text)
	}
	return conn, err
}
