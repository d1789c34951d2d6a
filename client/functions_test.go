package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

func TestOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		calls := 0
		c.Bind("e", func(ctx context.Context, _ client.Event) {
			if calls++; ctx.Err() != nil {
				t.Error("the context has ended during the call")
			}
		}, client.Once())
		connect(t, c)
		f.peer(t, 1).event("e", "c", "x")
		f.peer(t, 1).event("e", "c", "x")
		settle()
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
}

// Covers 85, T86.
func TestPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		var panics []any
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.OnPanic = func(v any, stack []byte) {
				if panics = append(panics, v); len(stack) == 0 {
					t.Error("there is no stack")
				}
			}
		})
		calls := 0
		c.Bind("e", func(context.Context, client.Event) { panic("oh") })
		c.Bind("e", func(context.Context, client.Event) { calls++ })
		connect(t, c)
		f.peer(t, 1).event("e", "c", "x")
		f.peer(t, 1).event("e", "c", "x")
		settle()
		if calls != 2 || len(panics) != 2 || panics[0] != "oh" {
			t.Errorf("%d calls, panics %v", calls, panics)
		}
	})
}

// Covers 89.
func TestBindJSON(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		type tick struct{ Price float64 }
		var got []tick
		client.BindJSON(c, "tick", func(_ context.Context, v tick, e client.Event) {
			if got = append(got, v); e.Channel != "c" {
				t.Errorf("event %+v", e)
			}
		})
		var failed error
		client.On(c, func(_ context.Context, f client.Failure) { failed = f.Err })
		connect(t, c)
		f.peer(t, 1).event("tick", "c", `{"price":1.5}`)
		f.peer(t, 1).event("tick", "c", `{"price":"no"}`)
		settle()
		e, ok := errors.AsType[*client.DecodeError](failed)
		if len(got) != 1 || got[0].Price != 1.5 || !ok || e.Event.Data != `{"price":"no"}` || !isType[*json.UnmarshalTypeError](failed) {
			t.Errorf("got %v, failure %v", got, failed)
		}
	})
}

// TestEventsIterator ends for every reason that it has.
func TestEventsIterator(t *testing.T) {
	for name, end := range map[string]func(cancel func(), c *client.Client, ch *client.Channel){
		"context":     func(cancel func(), _ *client.Client, _ *client.Channel) { cancel() },
		"unsubscribe": func(_ func(), _ *client.Client, ch *client.Channel) { ch.Unsubscribe() },
		"unbind":      func(_ func(), _ *client.Client, ch *client.Channel) { ch.UnbindAll() },
		"close":       func(_ func(), c *client.Client, _ *client.Channel) { c.Close() },
		"early":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{}
				c := newClient(t, f)
				ch := subscribe(t, c, "news")
				connect(t, c)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				got := make(chan string, 10)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for e := range client.Events(ctx, ch, "a", "b", "a") {
						if got <- e.Name + e.Data; end == nil && e.Data == "2" {
							return
						}
					}
				}()
				settle()
				p := f.peer(t, 1)
				p.event("a", "news", "1")
				p.event("x", "news", "1")
				p.event("b", "news", "2")
				settle()
				if end != nil {
					end(cancel, c, ch)
				}
				<-done
				close(got)
				var list []string
				for e := range got {
					list = append(list, e)
				}
				if strings.Join(list, " ") != "a1 b2" || c.Stats().Pending != 0 {
					t.Errorf("got %v, %d events are left", list, c.Stats().Pending)
				}
			})
		})
	}
}

// TestEventsWithoutNames ranges over everything, on the client.
func TestEventsWithoutNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		go func() {
			settle()
			f.peer(t, 1).event("a", "news", "1")
			f.peer(t, 1).event("b", "other", "2")
		}()
		n := 0
		for range client.Events(t.Context(), c) {
			if n++; n == 2 {
				break
			}
		}
	})
}

// Covers T84.
func TestEverythingMayBeCalledByFunctions(t *testing.T) {
	calls := map[string]func(ctx context.Context, c *client.Client, ch *client.Channel){
		"Subscribe":   func(_ context.Context, c *client.Client, _ *client.Channel) { c.Subscribe("more") },
		"Unsubscribe": func(_ context.Context, _ *client.Client, ch *client.Channel) { ch.Unsubscribe() },
		"all":         func(_ context.Context, c *client.Client, _ *client.Channel) { c.UnsubscribeAll() },
		"Resubscribe": func(_ context.Context, _ *client.Client, ch *client.Channel) { ch.Resubscribe() },
		"Disconnect":  func(_ context.Context, c *client.Client, _ *client.Channel) { c.Disconnect() },
		"reconnect":   func(_ context.Context, c *client.Client, _ *client.Channel) { c.Disconnect(); c.Connect() },
		"Close":       func(_ context.Context, c *client.Client, _ *client.Channel) { c.Close() },
		"SwitchApp": func(_ context.Context, c *client.Client, _ *client.Channel) {
			c.SwitchApp("k", client.Endpoint{Host: "h", Insecure: true})
		},
		"SignIn": func(_ context.Context, c *client.Client, _ *client.Channel) { c.User().SignIn(); c.User().SignOut() },
		"Bind":   func(_ context.Context, _ *client.Client, ch *client.Channel) { ch.Bind("x", nil); ch.UnbindAll() },
		"getters": func(_ context.Context, c *client.Client, ch *client.Channel) {
			c.State()
			c.Stats()
			ch.Members()
			c.Channels()
			c.Err()
		},
		"notify": func(_ context.Context, c *client.Client, _ *client.Channel) { c.NotifyOffline(); c.NotifyOnline() },
		"Trigger": func(ctx context.Context, _ *client.Client, ch *client.Channel) {
			ch.Trigger(ctx, "client-x", 1, client.WhenSubscribed())
		},
		"Await": func(ctx context.Context, c *client.Client, ch *client.Channel) {
			c.AwaitConnected(ctx)
			ch.AwaitSubscribed(ctx)
		},
		"other queues": func(_ context.Context, c *client.Client, ch *client.Channel) {
			ch.Bind("x", nil, client.InQueue(c.NewQueue(client.QueueConfig{})))
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{}
				signer := &client.LocalSigner{Key: "k", Secret: "s", UserFunc: func() (string, any, []string) { return "ann", nil, nil }}
				c := newClient(t, f, func(cfg *client.Config) { cfg.ChannelAuthorizer, cfg.UserAuthenticator = signer, signer })
				ch := subscribe(t, c, "private-x")
				done := make(chan struct{})
				ch.Bind("go", func(ctx context.Context, _ client.Event) { call(ctx, c, ch); close(done) })
				connect(t, c)
				f.peer(t, 1).event("go", "private-x", "x")
				select {
				case <-done:
				case <-time.After(time.Hour):
					t.Error("it does not return")
				}
			})
		})
	}
}
