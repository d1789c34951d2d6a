package cluster

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/e2e/service"
)

// TestIdempotencyKeys: a request with a key is carried out once, on whichever nodes it is
// made, also while nodes die. Without a quorum it is refused, and others are not.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true})
	k := &keyed{c: c, reader: c.on(c.Nodes[0], "reader")}
	k.reader.Subscribe("orders")
	for _, n := range c.Nodes {
		k.awaitOrdinary(n)
	}
	k.onAllNodesAtOnce()
	k.whileANodeDies(c.Nodes[1])
	c.Nodes[2].Kill()
	k.withoutQuorum(c.Nodes[0])
	for _, n := range c.Nodes[1:] {
		n.start()
	}
	for _, n := range c.Nodes[1:] {
		n.awaitReady()
	}
	c.AwaitTogether()
	k.afterwards(c.Nodes[0])
}

// keyed is requests with keys, and who gets their events.
type keyed struct {
	c      *Cluster
	reader *Client
}

const keyedEvent = "keyed"

// trigger makes a request, under a key if there is one.
func (k *keyed) trigger(n *Node, data, key string) (*backend.TriggerResult, error) {
	var options []backend.TriggerOption
	if key != "" {
		options = append(options, backend.IdempotencyKey(key))
	}
	return n.backend.Trigger(k.c.t.Context(), "orders", keyedEvent, data, options...)
}

// mustTrigger makes a request that succeeds.
func (k *keyed) mustTrigger(n *Node, data, key string) *backend.TriggerResult {
	k.c.t.Helper()
	result, err := k.trigger(n, data, key)
	if err != nil {
		k.c.t.Fatalf("trigger %s with the key %q by way of %s: %v", data, key, n.Name, err)
	}
	return result
}

// until reads the reader's events up to one, and returns how often each came.
func (k *keyed) until(data string) map[string]int {
	k.c.t.Helper()
	got := map[string]int{}
	for {
		f := k.reader.AwaitFrame(keyedEvent, "orders")
		if f.Data == data {
			return got
		}
		got[f.Data]++
	}
}

// awaitOrdinary triggers events without a key until one arrives.
func (k *keyed) awaitOrdinary(n *Node) {
	k.c.t.Helper()
	k.c.Flow("orders")
	k.mustTrigger(n, "ordinary "+n.Name, "")
	k.until("ordinary " + n.Name)
}

// onAllNodesAtOnce makes requests with the same key on all nodes at the same time.
func (k *keyed) onAllNodesAtOnce() {
	t := k.c.t
	t.Helper()
	const keys = 20
	for i := range keys {
		data := "at once " + strconv.Itoa(i)
		var all sync.WaitGroup
		var mu sync.Mutex
		first := 0
		for _, n := range k.c.Nodes {
			all.Go(func() {
				result, err := k.trigger(n, data, data)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("%s by way of %s: %v", data, n.Name, err)
				} else if !result.Repeated {
					first++
				}
			})
		}
		all.Wait()
		if first != 1 {
			t.Errorf("%s: %d nodes have carried it out, want 1", data, first)
		}
	}
	for _, n := range k.c.Nodes {
		k.mustTrigger(n, "end "+n.Name, "")
	}
	got := map[string]int{}
	for range k.c.Nodes {
		for {
			f := k.reader.AwaitFrame(keyedEvent, "orders")
			if f.Data[:3] == "end" {
				break
			}
			got[f.Data]++
		}
	}
	for i := range keys {
		if n := got["at once "+strconv.Itoa(i)]; n != 1 {
			t.Errorf("event %d came %d times, want once", i, n)
		}
	}
}

// whileANodeDies makes requests by way of a node that is killed, and again by way of
// another one.
func (k *keyed) whileANodeDies(doomed *Node) {
	t := k.c.t
	t.Helper()
	const workers = 8
	var all, begun sync.WaitGroup
	begun.Add(workers)
	last := make([]string, workers) // whose answer has not come
	for w := range workers {
		all.Go(func() {
			for i := 0; ; i++ {
				if i == 5 {
					begun.Done()
				}
				data := "dying " + strconv.Itoa(w) + "." + strconv.Itoa(i)
				if _, err := k.trigger(doomed, data, data); err != nil {
					last[w] = data
					return
				}
			}
		})
	}
	begun.Wait()
	doomed.Kill()
	all.Wait()
	left := k.c.Nodes[0]
	done := map[string]bool{}
	for _, data := range last {
		k.c.await(2*service.Patience, "the repeat has no answer", func() string {
			result, err := k.trigger(left, data, data)
			if refusal, ok := errors.AsType[*backend.APIError](err); err != nil && (!ok || refusal.Temporary()) {
				return err.Error()
			}
			done[data] = err == nil && !result.Repeated
			if err != nil {
				t.Logf("%s: %v", data, err)
			}
			return ""
		})
	}
	k.mustTrigger(left, "dead", "")
	got := k.until("dead")
	for data, n := range got {
		if n != 1 {
			t.Errorf("%s came %d times, want once", data, n)
		}
	}
	for data, carriedOut := range done {
		if carriedOut && got[data] != 1 {
			t.Errorf("%s was carried out by %s and came %d times", data, left.Name, got[data])
		}
	}
}

// withoutQuorum makes requests by way of the one node that is left.
func (k *keyed) withoutQuorum(n *Node) {
	t := k.c.t
	t.Helper()
	_, err := k.trigger(n, "refused", "refused")
	refusal, ok := errors.AsType[*backend.APIError](err)
	if !ok || refusal.Status != http.StatusServiceUnavailable || refusal.RetryAfter() != time.Second {
		t.Errorf("a request with a key while there is no quorum: %v, want 503 with Retry-After", err)
	}
	k.mustTrigger(n, "free", "")
	if got := k.until("free"); len(got) > 0 {
		t.Errorf("the reader got %v, want nothing", got)
	}
}

// afterwards makes the request once more that was refused.
func (k *keyed) afterwards(n *Node) {
	t := k.c.t
	t.Helper()
	k.c.await(service.Patience, "the request is refused for ever", func() string {
		if _, err := k.trigger(n, "refused", "refused"); err != nil {
			return err.Error()
		}
		return ""
	})
	if !k.mustTrigger(k.c.Nodes[1], "refused", "refused").Repeated {
		t.Error("the request was carried out twice")
	}
	k.mustTrigger(n, "last", "")
	if got := k.until("last"); len(got) != 1 || got["refused"] != 1 {
		t.Errorf("the reader got %v, want the request that was refused before, once", got)
	}
}
