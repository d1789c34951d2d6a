package client_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// A lockedBuffer takes what several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Covers 100.
func TestLogHasNoSecrets(t *testing.T) {
	var text lockedBuffer
	hosts := map[string]bool{}
	bubble(t, func(t *testing.T) {
		a := startAuth(t, func(n int, w http.ResponseWriter, r *http.Request) bool { return n == 1 && refuse(403)(n, w, r) })
		h := a.auth()
		h.Header = http.Header{"Authorization": {"Bearer hush"}}
		f := &fake{}
		var mu sync.Mutex
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.ChannelAuthorizer, cfg.UserAuthenticator = h, &client.LocalSigner{Key: "key", Secret: "hush", UserFunc: func() (string, any, []string) { return "ann", nil, nil }}
			cfg.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				mu.Lock()
				hosts[addr] = true
				mu.Unlock()
				return f.dial(ctx, network, addr)
			}
		})
		c.User().SignIn()
		subscribe(t, c, "private-x")
		connect(t, c)
		f.peer(t, 1).send(`{"event":"pusher:error","data":{"code":4301,"message":"Client event rejected due to rate limit"}}`)
		f.peer(t, 1).event("unbound", "private-x", "payload")
		pass(time.Second)
		f.peer(t, 1).close(4100, "Over capacity")
		pass(time.Minute)
		for _, p := range f.peers {
			for _, m := range p.received() {
				for _, secret := range []string{m.field("auth"), m.field("channel_data")} {
					if secret != "" && strings.Contains(text.String(), secret) {
						t.Errorf("the log has %q", secret)
					}
				}
			}
		}
	})
	got := text.String()
	for _, secret := range []string{"hush", "payload"} {
		if strings.Contains(got, secret) {
			t.Errorf("the log has %q:\n%s", secret, got)
		}
	}
	for _, want := range []string{
		"level=INFO msg=state from=initialized to=connecting", "socket_id=1.1", "level=ERROR msg=\"the service objects\" code=4301",
		"level=ERROR msg=\"authorization failed\" channel=private-x", "level=DEBUG msg=received event=unbound", "nothing is bound", "connecting later",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the log has no %q:\n%s", want, got)
		}
	}
	if len(hosts) != 1 || !hosts["service.test:80"] {
		t.Errorf("dialled %v", hosts)
	}
}

// TestNothingIsSaidWithoutALogger looks at what programs see.
func TestNothingIsSaidWithoutALogger(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		f.peer(t, 1).send("garbage")
		f.peer(t, 1).close(4001, "")
		settle()
	})
	os.Stdout, os.Stderr = stdout, stderr
	w.Close()
	said := make([]byte, 100)
	if n, _ := r.Read(said); n > 0 {
		t.Errorf("a client says %q", said[:n])
	}
	r.Close()
}

func TestTrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var sent, received []string
		dialled := 0
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.Trace = &client.Trace{
				DialDone:      func(client.Transport, error) { dialled++ },
				FrameSent:     func(text []byte) { mu.Lock(); sent = append(sent, string(text)); mu.Unlock() },
				FrameReceived: func(text []byte) { mu.Lock(); received = append(received, string(text)); mu.Unlock() },
			}
		})
		subscribe(t, c, "news")
		connect(t, c)
		if dialled != 1 || len(sent) != 1 || sent[0] != `{"event":"pusher:subscribe","data":{"channel":"news"}}` || len(received) != 2 {
			t.Errorf("%d dials, sent %q, received %q", dialled, sent, received)
		}
	})
}

func TestStats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onMessage: func(p *peer, m message) bool {
			if m.Event == "pusher:ping" {
				time.Sleep(40 * time.Millisecond)
			}
			return false
		}}
		c := newClient(t, f)
		c.Bind("e", func(context.Context, client.Event) {})
		connect(t, c)
		f.peer(t, 1).event("e", "c", "x")
		f.peer(t, 1).send("garbage")
		pass(130 * time.Second)
		s := c.Stats()
		if s.Connected != 130*time.Second || s.RTT != 40*time.Millisecond || s.Attempts != 1 || s.Connects != 1 || s.FramesIn != 3 || s.FramesOut != 1 ||
			s.BytesIn == 0 || s.BytesOut == 0 || s.EventsDelivered != 1 || s.BadFrames != 1 || s.EventsWithoutChannel != 1 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
		c.Disconnect()
		if s = c.Stats(); s.Connected != 0 || s.Disconnects != 1 {
			t.Errorf("%+v", s)
		}
	})
}
