package cluster

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/protocol"
)

// A Receiver is the backend that is told of channels and members.
type Receiver struct {
	t       testing.TB
	history *history.History
	url     string
	server  http.Server
	done    sync.WaitGroup
	refuses atomic.Bool
	refused atomic.Int64
}

// startReceiver listens at an address of this process.
func startReceiver(t testing.TB, host string, h *history.History) *Receiver {
	t.Helper()
	l, err := net.Listen("tcp", join(host, 0))
	if err != nil {
		t.Fatal(err)
	}
	r := &Receiver{t: t, history: h, url: "http://" + l.Addr().String() + "/hooks"}
	r.server.Handler = r
	r.done.Go(func() { r.server.Serve(l) })
	return r
}

// Refuse has the receiver answer that it is broken, or stop that.
func (r *Receiver) Refuse(yes bool) { r.refuses.Store(yes) }

// Refused returns how many requests were answered so.
func (r *Receiver) Refused() int { return int(r.refused.Load()) }

func (r *Receiver) close() {
	r.server.Close()
	r.done.Wait()
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the node was killed in the middle of it
	}
	if r.refuses.Load() {
		r.refused.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if req.Header.Get("X-Pusher-Key") != Key || !protocol.VerifyWebhook(Secret, body, req.Header.Get("X-Pusher-Signature")) {
		r.t.Errorf("a webhook is not signed: %v %s", req.Header, body)
	}
	var hook struct {
		Time   int64 `json:"time_ms"`
		Events []struct {
			Name, Channel string
			UserID        string `json:"user_id"`
		}
	}
	ids := strings.Split(req.Header.Get("X-Belfry-Event-Ids"), ",")
	if err := json.Unmarshal(body, &hook); err != nil || hook.Time == 0 || len(hook.Events) == 0 || len(ids) != len(hook.Events) {
		r.t.Errorf("a webhook with the ids %q is %s (%v)", ids, body, err)
		return
	}
	for i, e := range hook.Events {
		r.history.Told(history.Hook{ID: ids[i], Name: e.Name, Channel: e.Channel, User: e.UserID}, req.RemoteAddr)
	}
}
