package fallback_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// While an app is held, the requests of its clients wait. Those of another app
// are taken, and so are the first ones afterwards.
func TestHeldAppDoesNotDelayAnother(t *testing.T) {
	run(t, setup{}, func(n *node) {
		held, free := appPath("1")+"/0/held", appPath("2")+"/0/free"
		s, other := n.connected(held, "news"), n.connected(free, "news")
		n.loops.HoldOwner("1")
		body, err := json.Marshal([]string{subscribeMessage("more")})
		if err != nil {
			n.t.Fatal(err)
		}
		taken := make(chan int, 1)
		go func() {
			status, _ := n.post(held+"/xhr_send?t=1", string(body))
			taken <- status
		}()
		time.Sleep(time.Second)
		n.send(free, subscribeMessage("more"))
		other.event("pusher_internal:subscription_succeeded")
		synctest.Wait()
		select {
		case status := <-taken:
			n.t.Fatalf("a message of a held app was answered with %d", status)
		default:
		}
		n.loops.ReleaseOwner("1")
		if status := <-taken; status != http.StatusNoContent {
			n.t.Errorf("after the release it was answered with %d", status)
		}
		s.event("pusher_internal:subscription_succeeded")
	})
}
