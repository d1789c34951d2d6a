package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// A ledger is a service that keeps accounts: what each connection has
// subscribed to, and what must never happen.
type ledger struct {
	t  *testing.T
	f  *fake
	up bool // whether the network is

	mu   sync.Mutex
	subs map[*peer]map[string]bool
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{t: t, up: true, subs: map[*peer]map[string]bool{}}
	l.f = &fake{
		onDial: func(context.Context, int) error {
			if l.f.mu.Lock(); !l.up {
				l.f.mu.Unlock()
				return errors.New("network down")
			}
			l.f.mu.Unlock()
			return nil
		},
		onMessage: l.take,
	}
	return l
}

// take checks a message and answers it after a moment.
func (l *ledger) take(p *peer, m message) bool {
	channel := m.field("channel")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.subs[p] == nil {
		l.subs[p] = map[string]bool{}
	}
	switch m.Event {
	case "pusher:subscribe":
		if l.subs[p][channel] {
			l.t.Errorf("connection %d subscribes to %s twice", p.n, channel)
		}
		if auth := m.field("auth"); strings.HasPrefix(channel, "private-") && auth != "k:"+p.id {
			l.t.Errorf("connection %s is authorized as %s", p.id, auth)
		}
		l.subs[p][channel] = true
		go func() {
			time.Sleep(20 * time.Millisecond) // in a bubble, as all that uses this service
			p.confirm(m)
		}()
		return true
	case "pusher:unsubscribe":
		if !l.subs[p][channel] {
			l.t.Errorf("connection %d unsubscribes from %s, which it has not", p.n, channel)
		}
		delete(l.subs[p], channel)
		return true
	}
	return false
}

// watch checks what the client says of itself, and returns a function that
// checks it once more at the end.
func (l *ledger) watch(c *client.Client) (check func()) {
	var mu sync.Mutex
	last := client.StateInitialized
	retries, attempts := 0, 0
	client.On(c, func(_ context.Context, s client.StateChange) {
		mu.Lock()
		defer mu.Unlock()
		if s.Previous != last || s.Current == s.Previous {
			l.t.Errorf("%v→%v after %v", s.Previous, s.Current, last)
		}
		if s.Previous == client.StateConnected && s.Current == client.StateUnavailable {
			l.t.Error("connected→unavailable")
		}
		last = s.Current
	})
	client.On(c, func(_ context.Context, d client.Disconnected) {
		mu.Lock()
		defer mu.Unlock()
		attempts++
		if d.WillRetry {
			retries++
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if (c.SocketID() != "") != (c.State() == client.StateConnected) {
			l.t.Errorf("socket %q in state %v", c.SocketID(), c.State())
		}
		if n := len(l.f.live()); n > 1 {
			l.t.Errorf("%d connections are open", n)
		}
		if s := c.Stats(); s.Pending != 0 || s.Connects < s.Disconnects {
			l.t.Errorf("%+v", s)
		}
	}
}

// balanced checks that the service has exactly what the client has.
func (l *ledger) balanced(c *client.Client) {
	l.t.Helper()
	var want []string
	for _, ch := range c.Channels() {
		if want = append(want, ch.Name()); !ch.Subscribed() {
			l.t.Errorf("%s is %v, %v", ch.Name(), ch.State(), ch.Err())
		}
	}
	live := l.f.live()
	if len(live) != 1 {
		l.t.Fatalf("%d connections are open", len(live))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var have []string
	for name := range l.subs[live[0]] {
		have = append(have, name)
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		l.t.Errorf("the client has %v, the service %v", want, have)
	}
}

func (l *ledger) authorize(ctx context.Context, r client.AuthRequest) (client.Auth, error) {
	select {
	case <-time.After(30 * time.Millisecond):
		return client.Auth{Auth: "k:" + r.SocketID}, nil
	case <-ctx.Done():
		return client.Auth{}, ctx.Err()
	}
}

// Covers T30.
func TestFlappingNetwork(t *testing.T) {
	for seed := range uint64(5) {
		bubble(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			l := newLedger(t)
			c := newClient(t, l.f, func(cfg *client.Config) {
				cfg.ChannelAuthorizer = client.ChannelAuthorizerFunc(l.authorize)
				cfg.Reconnect.Jitter = 0
			})
			check := l.watch(c)
			for i := range 10 {
				subscribe(t, c, fmt.Sprintf("private-%d", i))
				subscribe(t, c, fmt.Sprintf("news-%d", i))
			}
			c.Connect()
			for start := time.Now(); time.Since(start) < 10*time.Minute; {
				pass(2*time.Second + time.Duration(rnd.Int64N(int64(18*time.Second))))
				check()
				l.f.set(func() { l.up = false })
				for _, p := range l.f.live() {
					switch rnd.IntN(4) {
					case 0:
						p.conn.reset()
					case 1:
						p.conn.Close()
					case 2:
						p.conn.vanish()
					case 3:
						p.close(4200, "")
					}
				}
				pass(time.Duration(rnd.Int64N(int64(20 * time.Second))))
				check()
				l.f.set(func() { l.up = true })
				c.NotifyOnline()
			}
			pass(5 * time.Minute)
			check()
			l.balanced(c)
		})
	}
}

// Covers T31.
func TestFlappingNetworkUnderOperations(t *testing.T) {
	for seed := range uint64(5) {
		bubble(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			l := newLedger(t)
			c := newClient(t, l.f, func(cfg *client.Config) { cfg.ChannelAuthorizer = client.ChannelAuthorizerFunc(l.authorize) })
			check := l.watch(c)
			c.Connect()
			var wg sync.WaitGroup
			for g := range 4 {
				own := rand.New(rand.NewPCG(seed, uint64(g)+3))
				wg.Go(func() {
					for range 300 {
						time.Sleep(time.Duration(own.IntN(2000)) * time.Millisecond)
						name := fmt.Sprintf("private-%d", own.IntN(5))
						switch own.IntN(12) {
						case 0:
							c.Disconnect()
						case 1:
							c.SwitchApp("key", client.Endpoint{Host: "service.test", Insecure: true})
						case 2, 3:
							c.Connect()
						case 4, 5, 6, 7:
							c.Subscribe(name)
						case 8, 9, 10:
							c.Unsubscribe(name)
						case 11:
							c.NotifyOnline()
							c.NotifyOffline()
						}
					}
				})
			}
			for range 60 {
				pass(time.Duration(rnd.IntN(10)) * time.Second)
				l.f.set(func() { l.up = rnd.IntN(3) > 0 })
				for _, p := range l.f.live() {
					if rnd.IntN(2) == 0 {
						p.conn.reset()
					}
				}
			}
			wg.Wait()
			l.f.set(func() { l.up = true })
			c.Connect()
			pass(5 * time.Minute)
			check()
			l.balanced(c)
		})
	}
}
