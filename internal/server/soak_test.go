package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/protocol"
)

// Hundreds of clients come, subscribe and vanish in every way while events are
// triggered. In the end nothing is left of them.
func TestSoak(t *testing.T) {
	for name, portable := range map[string]bool{"polling": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			app := testApp()
			app.SubscriptionCount, app.WatchlistEvents = true, true
			n := start(t, Config{AdminListen: "127.0.0.1:0", PortableSockets: portable, SendBuffer: 64 << 10, Apps: []*apps.App{app}})
			n.connect().Close() // whatever is started once is
			n.awaitNobody()
			base := runtime.NumGoroutine()
			stop := make(chan struct{})
			var clients, backends sync.WaitGroup
			for range 2 {
				backends.Go(func() { n.triggerUntil(app, stop) })
			}
			const atOnce, each = 50, 10 // 500 clients
			var got atomic.Int64
			for i := range atOnce {
				clients.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), 3))
					for range each {
						got.Add(n.live(r))
					}
				})
			}
			clients.Wait()
			close(stop)
			backends.Wait()
			n.awaitNobody()
			n.expectNothing(app)
			for deadline := time.Now().Add(patience); runtime.NumGoroutine() > base; runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatalf("%d goroutines are left, want %d as before", runtime.NumGoroutine(), base)
				}
			}
			if got.Load() == 0 {
				t.Error("the clients got no events: this was no test")
			}
		})
	}
}

var soakChannels = []string{"news", "cache-x", "presence-r", "private-x"}

// triggerUntil triggers events on all channels until it is stopped.
func (n *testNode) triggerUntil(app *apps.App, stop <-chan struct{}) {
	data := []byte(`"` + strings.Repeat("x", 500) + `"`)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := n.hub.Trigger(context.Background(), app, soakChannels, hub.Event{Name: "e", Data: data}, protocol.SocketID{}); err != nil {
			n.t.Errorf("Trigger: %v", err)
		}
		n.hub.Terminate(app, fmt.Sprint(i%40))
		runtime.Gosched()
	}
}

// live is the life of one client. It returns how many frames the client got.
func (n *testNode) live(r *rand.Rand) (got int64) {
	c := dial(n.t, "ws://"+n.Addr().String()+"/app/key?protocol=7", nil)
	defer c.Close()
	established := c.next()
	_, rest, _ := strings.Cut(established, `\"socket_id\":\"`)
	socketID, _, _ := strings.Cut(rest, `\"`)
	id, ok := protocol.ParseSocketID(socketID)
	if !ok {
		n.t.Errorf("the client got %q first", established)
		return 0
	}
	write := func(f ws.Frame) { ws.WriteFrame(c, ws.MaskFrameInPlace(f)) } // the node may have closed: no matter
	user := fmt.Sprintf(`{"id":"%d","watchlist":["1","2"]}`, r.IntN(20))
	write(ws.NewTextFrame(fmt.Appendf(nil, `{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`,
		"key:"+protocol.Sign("secret", protocol.UserText(id, user)), user)))
	for _, channel := range soakChannels {
		if r.IntN(4) > 0 {
			member := fmt.Sprintf(`{"user_id":"%d"}`, r.IntN(20))
			write(ws.NewTextFrame(fmt.Appendf(nil, `{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q,"channel_data":%q}}`,
				channel, "key:"+protocol.Sign("secret", protocol.ChannelDataText(id, channel, member)), member)))
		}
	}
	for range r.IntN(60) {
		if f, err := readFrame(c.in); err != nil || f.Header.OpCode == ws.OpClose {
			break
		}
		got++
		if r.IntN(10) == 0 {
			write(ws.NewTextFrame([]byte(`{"event":"client-x","channel":"presence-r"}`)))
		}
	}
	switch r.IntN(4) {
	case 0:
		write(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))
	case 1:
		write(ws.NewBinaryFrame(nil)) // which is refused
	case 2:
		c.Write([]byte{0x81}) // half a frame
	}
	return got
}

// awaitNobody waits until all clients have left.
func (n *testNode) awaitNobody() {
	n.t.Helper()
	for deadline := time.Now().Add(patience); n.loops.Sockets() > 0 || n.hub.Connections() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			n.t.Fatalf("%d sockets and %d sessions are left", n.loops.Sockets(), n.hub.Connections())
		}
	}
}

// expectNothing complains of what is left though nobody is there.
func (n *testNode) expectNothing(app *apps.App) {
	n.t.Helper()
	n.hub.Channels(app, "", func(name string, s hub.ChannelState) {
		n.t.Errorf("channel %q is left with %+v", name, s)
	})
	status, body := get(n.t, "http://"+n.AdminAddr().String()+"/metrics")
	for _, want := range []string{"\nbelfry_connections 0\n", "\nbelfry_subscriptions 0\n"} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			n.t.Errorf("GET /metrics = %d, want %q in it", status, want)
		}
	}
}
