package client_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// Two clients, such as those of two apps, may share what is not safe for
// concurrent use by having one queue call all of their functions.
func TestOneQueueForTwoClients(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, g := &fake{}, &fake{}
		a, b := newClient(t, f), newClient(t, g)
		q := a.NewQueue(client.QueueConfig{Name: "shared"})
		var got []string // guarded by nothing but the queue
		note := func(_ context.Context, e client.Event) { got = append(got, e.Channel+e.Data) }
		a.Bind("e", note, client.InQueue(q))
		ch, err := b.Subscribe("b", client.DeliverOn(q))
		if err != nil {
			t.Fatal(err)
		}
		ch.Bind("e", note)
		connect(t, a)
		connect(t, b)
		const n = 100
		done := make(chan struct{})
		for i, p := range []*peer{f.peer(t, 1), g.peer(t, 1)} {
			go func() {
				for j := range n {
					p.event("e", string("ab"[i]), fmt.Sprint(j))
				}
				done <- struct{}{}
			}()
		}
		<-done
		<-done
		settle()
		next := map[byte]int{}
		for _, one := range got {
			if one[1:] != fmt.Sprint(next[one[0]]) {
				t.Fatalf("%s comes after %d others of that client", one, next[one[0]])
			}
			next[one[0]]++
		}
		if next['a'] != n || next['b'] != n {
			t.Errorf("%d and %d events, want %d of each", next['a'], next['b'], n)
		}
	})
}

// A queue ends with its client, whoever else has functions in it; the other
// client goes on, and is not held back by what nobody takes.
func TestQueueOfAClientThatWasClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		a, b := newClient(t, &fake{}), newClient(t, f)
		q := a.NewQueue(client.QueueConfig{Size: 1, Overflow: client.Block})
		var shared, own []string
		b.Bind("e", func(_ context.Context, e client.Event) {
			time.Sleep(time.Second)
			shared = append(shared, e.Data)
		}, client.InQueue(q))
		b.Bind("e", func(_ context.Context, e client.Event) { own = append(own, e.Data) })
		connect(t, b)
		p := f.peer(t, 1)
		p.event("e", "c", "before")
		settle()
		a.Close()
		for i := range 10 {
			p.event("e", "c", fmt.Sprint(i))
		}
		pass(time.Minute)
		shutdown(t, a)
		if got := strings.Join(shared, " "); got != "before" {
			t.Errorf("in the queue of a closed client: %s", got)
		}
		if got := strings.Join(own, " "); got != "before 0 1 2 3 4 5 6 7 8 9" || q.Len() != 0 {
			t.Errorf("in its own queue: %s; %d wait in the other", got, q.Len())
		}
	})
}
