package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/client"
)

// Covers 1.
func TestNewStartsNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	f := &fake{}
	c, err := client.New("key", f.config())
	if err != nil {
		t.Fatal(err)
	}
	c.Bind("e", func(context.Context, client.Event) {})
	if _, err := c.Subscribe("news"); err != nil {
		t.Fatal(err)
	}
	if c.State() != client.StateInitialized || c.State().String() != "initialized" || f.count() != 0 {
		t.Errorf("state %v after %d dials", c.State(), f.count())
	}
	goleak.VerifyNone(t, before)
}

// Covers 7, 36, T33.
func TestDisconnectFromEveryState(t *testing.T) {
	wait := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		f       *fake
		started bool
		after   time.Duration // of Connect
		close   bool          // whether the peer sees a Close frame
	}{
		"initialized":               {&fake{}, false, 0, false},
		"dialling":                  {&fake{onDial: wait}, true, 0, false},
		"in the upgrade":            {&fake{accepted: func(p *peer) { p.conn.vanish() }}, true, 0, false},
		"in the handshake":          {&fake{hello: func(*peer) string { return "" }}, true, 0, false},
		"connected":                 {&fake{}, true, 0, true},
		"waiting to retry":          {&fake{onDial: func(context.Context, int) error { return errors.New("no") }}, true, time.Second, false},
		"unavailable":               {&fake{onDial: wait}, true, 11 * time.Second, false},
		"failed":                    {&fake{hello: func(*peer) string { return `{"event":"pusher:error","data":{"code":4001}}` }}, true, time.Second, false},
		"in the handshake of a bad": {&fake{hello: func(*peer) string { return `{"event":"other"}` }}, true, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newClient(t, test.f)
				if test.started {
					c.Connect()
					pass(test.after)
				}
				settle()
				before, state := test.f.count(), c.State()
				c.Disconnect()
				if c.State() != client.StateDisconnected || c.SocketID() != "" || c.Err() != nil {
					t.Errorf("from %v: %v, socket %q, %v", state, c.State(), c.SocketID(), c.Err())
				}
				pass(time.Hour)
				if test.f.count() != before || c.State() != client.StateDisconnected {
					t.Errorf("from %v: %d dials after Disconnect, state %v", state, test.f.count()-before, c.State())
				}
				for _, p := range test.f.peers {
					if !p.ended() {
						t.Errorf("from %v: connection %d is open", state, p.n)
					}
					if got := len(p.closing) == 1 && p.closing[0] == 1000; got != test.close {
						t.Errorf("from %v: Close frames %v", state, p.closing)
					}
				}
			})
		})
	}
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		var lost []client.Disconnected
		client.On(c, func(_ context.Context, d client.Disconnected) { lost = append(lost, d) })
		connect(t, c)
		c.Disconnect()
		settle()
		if len(lost) != 1 || lost[0].Err != nil || lost[0].Class != client.ClassCaller || !lost[0].WasConnected || lost[0].SocketID != "1.1" || lost[0].WillRetry {
			t.Errorf("Disconnected = %+v", lost)
		}
	})
}

// TestDisconnectDoesNotWaitForAPeer has the closing handshake end by itself.
func TestDisconnectDoesNotWaitForAPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		f.peer(t, 1).conn.vanish()
		start := time.Now()
		c.Disconnect()
		c.Close()
		<-c.Done()
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v, want CloseTimeout", took)
		}
	})
}

// Covers 8, T34.
func TestConnectRightAfterDisconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		ch, err := c.Subscribe("news")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		ch.Bind("e", func(_ context.Context, e client.Event) { got = append(got, e.Data) })
		connect(t, c)
		old := f.peer(t, 1)
		for range 1000 {
			c.Disconnect()
			c.Connect()
		}
		old.event("e", "news", "old")
		connect(t, c)
		pass(5 * time.Second)
		live := f.live()
		for _, p := range live {
			p.event("e", "news", "new")
		}
		settle()
		if len(live) != 1 || len(got) != 1 || got[0] != "new" || c.State() != client.StateConnected {
			t.Errorf("%d connections are open, events %q, state %v", len(live), got, c.State())
		}
	})
}

// Covers 9, T35.
func TestSwitchApp(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, c *client.Client){
		"initialized": func(*testing.T, *client.Client) {},
		"connecting":  func(_ *testing.T, c *client.Client) { c.Connect() },
		"connected":   func(t *testing.T, c *client.Client) { connect(t, c) },
		"disconnected": func(t *testing.T, c *client.Client) {
			connect(t, c)
			c.Disconnect()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var paths []string
				f := &fake{onUpgrade: func(_ int, r *http.Request) *http.Response {
					paths = append(paths, r.Host+r.URL.Path)
					return nil
				}}
				c := newClient(t, f)
				ch, err := c.Subscribe("news")
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				ch.Bind("e", func(_ context.Context, e client.Event) { got += e.Data })
				prepare(t, c)
				if err := c.SwitchApp("other", client.Endpoint{Host: "elsewhere.test", Insecure: true}); err != nil {
					t.Fatal(err)
				}
				settle()
				started := name == "connecting" || name == "connected"
				if started != (c.State() == client.StateConnected) {
					t.Errorf("state %v", c.State())
				}
				connect(t, c)
				if last := paths[len(paths)-1]; last != "elsewhere.test/app/other" {
					t.Errorf("connected to %s", last)
				}
				pass(5 * time.Second)
				open := f.live()
				if len(open) != 1 {
					t.Fatalf("%d connections are open", len(open))
				}
				open[0].event("e", "news", "x")
				settle()
				if got != "x" || !ch.Subscribed() {
					t.Errorf("event %q, subscribed %t", got, ch.Subscribed())
				}
			})
		})
	}
	c := newClient(t, &fake{})
	if err := c.SwitchApp("", client.Endpoint{Host: "h"}); !errors.Is(err, client.ErrConfig) {
		t.Errorf("SwitchApp without key = %v", err)
	}
	if err := c.SwitchApp("k", client.Endpoint{}); !errors.Is(err, client.ErrConfig) {
		t.Errorf("SwitchApp without host = %v", err)
	}
}

// Covers 10.
func TestAfterCloseNothingWorks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) { cfg.UserAuthenticator = &client.LocalSigner{} })
		ch, err := c.Subscribe("news")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		calls := 0
		b := ch.Bind("e", func(context.Context, client.Event) { mu.Lock(); calls++; mu.Unlock() })
		client.On(c, func(context.Context, client.StateChange) { mu.Lock(); calls++; mu.Unlock() })
		connect(t, c)
		before := calls
		for range 100 {
			f.peer(t, 1).event("e", "news", "x")
		}
		c.Close()
		mu.Lock()
		after := calls
		mu.Unlock()
		<-c.Done()
		if calls != after || before == 0 {
			t.Errorf("%d calls began after Close", calls-after)
		}
		ctx := t.Context()
		for name, err := range map[string]error{
			"Connect":         c.Connect(),
			"AwaitConnected":  c.AwaitConnected(ctx),
			"Run":             c.Run(ctx),
			"SwitchApp":       c.SwitchApp("k", client.Endpoint{Host: "h"}),
			"Send":            c.Send(ctx, "e", 1, ""),
			"Resubscribe":     ch.Resubscribe(),
			"AwaitSubscribed": ch.AwaitSubscribed(ctx),
			"SignIn":          c.User().SignIn(),
			"AwaitSignedIn":   c.User().AwaitSignedIn(ctx),
		} {
			if !errors.Is(err, client.ErrClosed) {
				t.Errorf("%s = %v, want ErrClosed", name, err)
			}
		}
		if _, err := c.Subscribe("other"); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Subscribe = %v, want ErrClosed", err)
		}
		if b.Active() || c.Bind("e", nil).Active() || len(c.Channels()) != 0 {
			t.Error("something is left bound or registered")
		}
		c.Close()
		c.Disconnect()
		c.NotifyOnline()
		c.NotifyOffline()
		ch.Unsubscribe()
		if c.State() != client.StateDisconnected {
			t.Errorf("state %v", c.State())
		}
	})
}

// Covers 11.
func TestDoneAfterCloseInAnyState(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 11 * time.Second, time.Minute} {
		for name, f := range map[string]*fake{
			"dialling":  {onDial: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }},
			"handshake": {hello: func(*peer) string { return "" }},
			"refused":   {onDial: func(context.Context, int) error { return errors.New("no") }},
			"connected": {},
		} {
			bubble(t, func(t *testing.T) {
				c := newClient(t, f)
				select {
				case <-c.Done():
					t.Error("done before Close")
				default:
				}
				c.Connect()
				pass(after)
				c.Close()
				pass(2 * time.Second)
				select {
				case <-c.Done():
				default:
					t.Errorf("%s, closed after %v: not done", name, after)
				}
			})
		}
	}
	bubble(t, func(t *testing.T) { // a client that was never started
		c := newClient(t, &fake{})
		c.Close()
		<-c.Done()
	})
	bubble(t, func(t *testing.T) { // by a bound function
		c := newClient(t, &fake{})
		client.On(c, func(_ context.Context, s client.StateChange) {
			if s.Current == client.StateConnected {
				c.Close()
			}
		})
		c.Connect()
		<-c.Done()
	})
}

// Covers 12.
func TestShutdownWaitsForFunctions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		c := newClient(t, &fake{})
		client.On(c, func(ctx context.Context, s client.StateChange) {
			if s.Current == client.StateConnected {
				<-release // ignores its context
			}
		})
		connect(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v, want the deadline", err)
		}
		close(release)
		if err := c.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
	})
	bubble(t, func(t *testing.T) {
		c := newClient(t, &fake{})
		client.On(c, func(ctx context.Context, s client.StateChange) { <-ctx.Done() })
		c.Connect()
		settle()
		if err := c.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown with functions that mind their context = %v", err)
		}
	})
}

// Covers 13.
func TestRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run = %v, want the deadline", err)
		}
		select {
		case <-c.Done():
		default:
			t.Error("Run returned before everything had ended")
		}
		if !f.peer(t, 1).ended() {
			t.Error("the connection is open")
		}
	})
	bubble(t, func(t *testing.T) {
		f := &fake{hello: func(p *peer) string { p.close(4001, "App key nope not in this cluster"); return "" }}
		c := newClient(t, f)
		err := c.Run(t.Context())
		if e, ok := errors.AsType[*client.CloseError](err); !ok || e.Code != 4001 || !strings.Contains(e.Error(), "not in this cluster") {
			t.Errorf("Run = %v, want the close", err)
		}
	})
}

func TestEverythingEndsWithBaseContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
		defer cancel()
		c := newClient(t, &fake{}, func(cfg *client.Config) { cfg.BaseContext = func() context.Context { return ctx } })
		seen := ""
		client.On(c, func(ctx context.Context, _ client.StateChange) { seen, _ = ctx.Value(key{}).(string) })
		connect(t, c)
		cancel()
		settle()
		if c.State() != client.StateDisconnected || seen != "v" {
			t.Errorf("state %v, value %q", c.State(), seen)
		}
	})
}
