package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/belfryhq/belfry/internal/cluster/broker/natsbroker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/natstest"
)

// bus starts a server with a route to another one, if there is one.
func bus(t *testing.T, name string, other *natsserver.Server) *natsserver.Server {
	t.Helper()
	options := natstest.Loopback(natstest.AnyPort)
	options.ServerName = name
	options.Cluster = natsserver.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: natstest.AnyPort}
	if other != nil {
		options.Routes = []*url.URL{{Scheme: "nats", Host: other.ClusterAddr().String()}}
	}
	return natstest.Start(t, options)
}

// TestOverRoutes passes a request on between nodes that have a server each,
// over real connections.
func TestOverRoutes(t *testing.T) {
	one := bus(t, "one", nil)
	servers := []*natsserver.Server{one, bus(t, "two", one)}
	ids := []node.ID{node.NewID(), node.NewID()}
	var relays []*Relay
	for i, s := range servers {
		conn, err := nats.Connect("", nats.InProcessServer(s))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		b, err := natsbroker.New(natsbroker.Config{Conn: conn, ID: ids[i], Name: name(i)})
		if err != nil {
			t.Fatal(err)
		}
		r := New(Config{})
		r.Start(Host{Has: func(string) bool { return i == 1 }, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
		})})
		if err := b.Start(r.Receiver(nobody{})); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(r.Close(context.Background()), b.Close(context.Background())); err != nil {
				t.Error(err)
			}
		})
		relays = append(relays, r)
	}
	for end := time.Now().Add(time.Minute); ; { // until the servers know each other
		if to, ok := relays[0].Find(t.Context(), "session"); ok {
			if to != ids[1] {
				t.Fatalf("Find = %s, want %s", to, ids[1])
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("the session is not found")
		}
	}
	text := pattern(1 << 20)
	req, err := http.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	s := newSink()
	if !relays[0].Forward(s, req, ids[1]) || s.status != http.StatusOK || s.all() != text {
		t.Errorf("status %d with %d bytes", s.status, len(s.all()))
	}
}
