package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// TestEveryMethodAtTheSameTime calls everything from several goroutines and from
// bound functions while connections come and go. It ends, if no two locks are
// taken in different orders, and leaves nothing behind.
func TestEveryMethodAtTheSameTime(t *testing.T) {
	for seed := range uint64(3) {
		bubble(t, func(t *testing.T) {
			f := &fake{}
			signer := &client.LocalSigner{
				Key: "k", Secret: "s", MasterKey: []byte("master"),
				UserFunc: func() (string, any, []string) { return "me", nil, nil },
			}
			c := newClient(t, f, func(cfg *client.Config) {
				cfg.ChannelAuthorizer, cfg.UserAuthenticator = signer, signer
				cfg.Queue = client.QueueConfig{Size: 4, Overflow: client.DropConnection}
				cfg.Reconnect = client.PusherJSPolicy()
				cfg.Reconnect.Decide = func(_ client.Disconnected, proposed time.Duration) (time.Duration, bool) {
					time.Sleep(time.Millisecond)
					return proposed, true
				}
			})
			block := c.NewQueue(client.QueueConfig{Size: 1, Overflow: client.Block})
			names := []string{"news", "private-x", "presence-x", "private-encrypted-x", "cache-x"}
			operate := func(r *rand.Rand) {
				name := names[r.IntN(len(names))]
				ch, registered := c.Channel(name)
				short, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(20))*time.Millisecond)
				defer cancel()
				switch r.IntN(20) {
				case 0, 1, 2:
					c.Subscribe(name, client.DeliverOn(block), client.Setup(func(ch *client.Channel) {
						ch.BindAll(func(context.Context, client.Event) { time.Sleep(time.Millisecond) })
					}))
				case 3:
					c.Unsubscribe(name)
				case 4:
					if registered {
						ch.Trigger(short, "client-e", "x", client.WhenSubscribed())
						ch.Members()
						ch.Resubscribe()
					}
				case 5:
					c.Disconnect()
				case 6, 7, 8:
					c.Connect()
				case 9:
					c.User().SignIn()
				case 10:
					c.User().SignOut()
				case 11:
					c.User().AwaitSignedIn(short)
				case 12:
					c.NotifyOffline()
					c.NotifyOnline()
				case 13:
					c.SwitchApp("key", client.Endpoint{Host: "service.test", Insecure: true})
				case 14:
					b := c.Bind("e", func(context.Context, client.Event) {}, client.InQueue(block))
					defer b.Unbind()
					b.Wait(short)
				case 15:
					for range client.Events(short, c, "e") {
						break
					}
				case 16:
					c.Send(short, "e", 1, name)
				case 17:
					c.AwaitConnected(short)
				case 18:
					c.Stats()
					c.Channels()
					block.Len()
				case 19:
					c.Unbind(client.Match{Event: "e"})
				}
			}
			inside := rand.New(rand.NewPCG(seed, 1)) // of the default queue alone
			client.On(c, func(_ context.Context, s client.StateChange) {
				time.Sleep(time.Millisecond)
				operate(inside)
			})
			var wg sync.WaitGroup
			for g := range 6 {
				own := rand.New(rand.NewPCG(seed, uint64(g)+2))
				wg.Go(func() {
					for range 400 {
						time.Sleep(time.Duration(own.IntN(3)) * time.Millisecond)
						operate(own)
					}
				})
			}
			wg.Go(func() { // the service
				own := rand.New(rand.NewPCG(seed, 99))
				for range 1000 {
					time.Sleep(time.Millisecond)
					for _, p := range f.live() {
						name := names[own.IntN(len(names))]
						p.event("e", name, `{"nonce":"x"}`)
						p.event("pusher_internal:member_added", name, fmt.Sprintf(`{"user_id":"%d"}`, own.IntN(9)))
						if own.IntN(50) == 0 {
							p.conn.reset()
						}
					}
				}
			})
			wg.Wait()
			shutdown(t, c)
			if s := c.Stats(); s.Pending != 0 || s.Connects != s.Disconnects {
				t.Errorf("left behind: %+v", s)
			}
		})
	}
}
