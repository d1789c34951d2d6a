package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// feed sends 100 numbered events a second for so long.
func feed(p *peer, d time.Duration) (sent int) {
	for range int(d / (10 * time.Millisecond)) {
		p.event("e", "c", fmt.Sprint(sent))
		sent++
		time.Sleep(10 * time.Millisecond)
	}
	return sent
}

// Covers 87, T80, T81.
func TestSlowFunction(t *testing.T) {
	for _, test := range []struct {
		policy        client.OverflowPolicy
		loses         bool // events
		first, newest bool // whether the oldest and the newest event are delivered
	}{
		{client.DropOldest, true, true, true},
		{client.DropNewest, true, true, false},
		{client.Block, false, true, true},
	} {
		t.Run(fmt.Sprint(test.policy), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{}
				c := newClient(t, f)
				q := c.NewQueue(client.QueueConfig{Name: "slow", Size: 10, Overflow: test.policy})
				var got []string
				most := 0
				c.Bind("e", func(_ context.Context, e client.Event) {
					most = max(most, q.Len())
					time.Sleep(10 * time.Second)
					got = append(got, e.Data)
				}, client.InQueue(q))
				reports, dropped := 0, uint64(0)
				client.On(c, func(_ context.Context, f client.Failure) {
					if e, ok := errors.AsType[*client.SlowConsumerError](f.Err); ok {
						reports++
						dropped += e.Dropped
						if e.Queue != "slow" {
							t.Errorf("report %+v", e)
						}
					}
				})
				connect(t, c)
				p := f.peer(t, 1)
				sent := feed(p, 10*time.Second)
				p.send(`{"event":"pusher:ping","data":{}}`)
				settle()
				if test.policy != client.Block && len(p.received("pusher:pong")) != 1 {
					t.Error("a ping is not answered")
				}
				pass(3 * time.Hour)
				settle()
				if f.count() != 1 {
					t.Errorf("%d connections", f.count())
				}
				if most > 10 {
					t.Errorf("%d events waited, at most 10 may", most)
				}
				last := fmt.Sprint(sent - 1)
				if got[0] != "0" || (got[len(got)-1] == last) != test.newest || (len(got) < sent) != test.loses {
					t.Errorf("%d of %d events, from %s to %s", len(got), sent, got[0], got[len(got)-1])
				}
				lost := uint64(sent - len(got))
				if q.Dropped() != lost || c.Stats().EventsDropped != lost || dropped > lost || test.loses && (reports < 9 || reports > 12) {
					t.Errorf("lost %d, Dropped %d, in stats %d, reported %d in %d reports", lost, q.Dropped(), c.Stats().EventsDropped, dropped, reports)
				}
			})
		})
	}
}

func TestSlowFunctionThatCostsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		q := c.NewQueue(client.QueueConfig{Size: 10, Overflow: client.DropConnection})
		c.Bind("e", func(context.Context, client.Event) { time.Sleep(10 * time.Second) }, client.InQueue(q))
		r := record(c)
		connect(t, c)
		r.take()
		for i := range 11 {
			f.peer(t, 1).event("e", "c", fmt.Sprint(i))
			settle()
		}
		r.expect(t, "10 wait, one runs")
		f.peer(t, 1).event("e", "c", "11")
		settle()
		if f.count() != 2 || c.State() != client.StateConnected {
			t.Errorf("%d connections, %v: %s", f.count(), c.State(), r.take())
		}
	})
}

func TestBytesOfAQueueAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		q := c.NewQueue(client.QueueConfig{Bytes: 10000})
		release := make(chan struct{})
		n := 0
		c.Bind("e", func(context.Context, client.Event) { <-release; n++ }, client.InQueue(q))
		connect(t, c)
		for range 100 {
			f.peer(t, 1).event("e", "c", string(make([]byte, 1000)))
			settle() // the first one runs
		}
		if got := q.Len(); got != 9 {
			t.Errorf("%d events of 1002 bytes wait, want 9", got)
		}
		f.peer(t, 1).event("e", "c", string(make([]byte, 50000))) // larger than all: alone it fits
		settle()
		if got := q.Len(); got != 1 {
			t.Errorf("%d events wait beside a large one", got-1)
		}
		close(release)
		settle()
		if n != 2 {
			t.Errorf("%d events were delivered", n)
		}
	})
}

// Covers 88, T82.
func TestSystemEventsAreNotDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.ChannelAuthorizer = &client.LocalSigner{Key: "k", Secret: "s", MemberFunc: func(string) (string, any) { return "me", nil }}
			cfg.Queue.Size = 10
		})
		ch := subscribe(t, c, "presence-x")
		release := make(chan struct{})
		added := 0
		client.On(ch, func(context.Context, client.MemberAdded) { <-release; added++ })
		payload := 0
		ch.Bind("e", func(context.Context, client.Event) { payload++ })
		connect(t, c)
		p := f.peer(t, 1)
		for i := range 11 {
			p.event("pusher_internal:member_added", "presence-x", fmt.Sprintf(`{"user_id":"%d"}`, i))
			for range 5 {
				p.event("e", "presence-x", "x")
			}
			settle()
		}
		if ch.Members().Len() != 12 || f.count() != 1 {
			t.Errorf("%d members, %d connections", ch.Members().Len(), f.count())
		}
		p.event("pusher_internal:member_added", "presence-x", `{"user_id":"one too many"}`)
		settle()
		if f.count() != 2 || ch.Members().Len() != 1 || ch.Members().MyID() != "me" {
			t.Errorf("%d connections, members %v: want another connection and its list", f.count(), ch.Members())
		}
		close(release)
		settle()
		if added < 11 || payload > 10+1 {
			t.Errorf("%d member events of 12, %d others", added, payload)
		}
	})
}

// TestNothingGrowsBehindABlockedFunction has the service close the connection
// for ever.
func TestNothingGrowsBehindABlockedFunction(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) { cfg.Queue.Size = 10 })
		release := make(chan struct{})
		defer close(release)
		client.On(c, func(context.Context, client.StateChange) { <-release })
		client.On(c, func(context.Context, client.Failure) {})
		c.Connect()
		for range 500 {
			pass(time.Minute)
			if live := f.live(); len(live) > 0 {
				live[0].close(4100, "")
			}
		}
		if got := c.Stats().Pending; got > 10+10+64 {
			t.Errorf("%d events wait", got)
		}
	})
}

// Covers T83.
func TestQueuesAreIndependent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		blocked := c.NewQueue(client.QueueConfig{Name: "blocked"})
		release := make(chan struct{})
		c.Bind("e", func(context.Context, client.Event) { <-release }, client.InQueue(blocked))
		n := 0
		c.Bind("e", func(context.Context, client.Event) { n++ })
		own := 0
		ch := subscribe(t, c, "c", client.DeliverOn(blocked))
		ch.Bind("e", func(context.Context, client.Event) { own++ })
		connect(t, c)
		for range 50 {
			f.peer(t, 1).event("e", "c", "x")
		}
		settle()
		// On the blocked queue the channel's function comes first, once.
		if n != 50 || own != 1 || blocked.Len() != 49 {
			t.Errorf("%d and %d calls, %d wait", n, own, blocked.Len())
		}
		close(release)
	})
}

// Covers T88.
func TestCloseAtAnyMoment(t *testing.T) {
	for i := range 300 {
		bubble(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			dialling := time.Duration(rnd.IntN(20)) * time.Millisecond
			f := &fake{onDial: func(context.Context, int) error {
				time.Sleep(dialling)
				return nil
			}}
			c, err := client.New("key", f.config())
			if err != nil {
				t.Fatal(err)
			}
			var calls atomic.Int64
			ch := subscribe(t, c, "private-x", client.WithAuthorizer(client.ChannelAuthorizerFunc(func(ctx context.Context, _ client.AuthRequest) (client.Auth, error) {
				select {
				case <-time.After(10 * time.Millisecond):
				case <-ctx.Done():
				}
				return client.Auth{Auth: "k:s"}, ctx.Err()
			})))
			ch.BindAll(func(ctx context.Context, _ client.Event) {
				calls.Add(1)
				select {
				case <-time.After(5 * time.Millisecond):
				case <-ctx.Done():
				}
			})
			c.Connect()
			go func() {
				for range 5 {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					ch.Trigger(ctx, "client-x", 1, client.WhenSubscribed())
					cancel()
				}
			}()
			go func() {
				for range 20 {
					time.Sleep(5 * time.Millisecond)
					for _, p := range f.live() {
						p.event("e", "private-x", "x")
					}
				}
			}()
			pass(time.Duration(rnd.IntN(60)) * time.Millisecond)
			c.Close()
			before := calls.Load()
			<-c.Done()
			if calls.Load() != before {
				t.Errorf("called after Close")
			}
			pass(5 * time.Second)
		})
	}
}
