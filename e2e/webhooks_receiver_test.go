package e2e

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// A hook is one request as a receiver got it.
type hook struct {
	method string
	header http.Header
	body   []byte
	at     time.Time
	time   int64
	events []json.RawMessage
}

// sealedKey opens the envelope of the published example on the channel
// private-encrypted-foobar.
const sealedKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// A hookReceiver remembers the requests that it got, and has each judged by
// the official libraries.
type hookReceiver struct {
	t      *testing.T
	url    string
	client pusher.Client
	judge  *node // nil where the Node libraries are not installed

	mu      sync.Mutex
	hooks   []hook
	changed chan struct{} // closed and replaced with each request
}

func newHookReceiver(t *testing.T) *hookReceiver {
	r := &hookReceiver{
		t:       t,
		client:  pusher.Client{AppID: service.AppID, Key: service.Key, Secret: service.Secret, EncryptionMasterKeyBase64: sealedKey},
		changed: make(chan struct{}),
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// withNode has the requests judged by the Node library too.
func (r *hookReceiver) withNode() *hookReceiver {
	r.judge = startNode(r.t, "webhook.mjs", "", nil)
	r.judge.must("configure", map[string]any{"appId": service.AppID, "key": service.Key, "secret": service.Secret}, nil)
	return r
}

func (r *hookReceiver) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	h := hook{method: req.Method, header: req.Header, at: time.Now()}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Errorf("a webhook can not be read: %v", err)
	}
	h.body = body
	var parsed struct {
		Time   int64 `json:"time_ms"`
		Events []json.RawMessage
	}
	if err := json.Unmarshal(body, &parsed); err != nil {
		r.t.Errorf("a webhook is not JSON: %v: %s", err, body)
	}
	h.time, h.events = parsed.Time, parsed.Events
	r.check(h)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hooks = append(r.hooks, h)
	close(r.changed)
	r.changed = make(chan struct{})
}

// check is what holds for every request: statements 1, 2, 4, 5, 8, 20, 46, 47
// and 49.
func (r *hookReceiver) check(h hook) {
	if h.method != http.MethodPost || !slices.Equal(h.header["Content-Type"], []string{"application/json"}) {
		r.t.Errorf("a webhook is a %s of %q", h.method, h.header["Content-Type"])
	}
	if key := h.header.Get("X-Pusher-Key"); key != service.Key {
		r.t.Errorf("a webhook is signed by %q, want the oldest key", key)
	}
	signature := h.header.Get("X-Pusher-Signature")
	if len(signature) != 64 || strings.ToLower(signature) != signature || !protocol.VerifyWebhook(service.Secret, h.body, signature) {
		r.t.Errorf("a webhook has the signature %q", signature)
	}
	if age := h.at.UnixMilli() - h.time; age < 0 || age > service.Patience.Milliseconds() {
		r.t.Errorf("time_ms is %d ms before the arrival", age)
	}
	if len(h.events) == 0 {
		r.t.Errorf("a webhook has no events: %s", h.body)
	}
	for _, forbidden := range []string{"user_info", "#server-to-user"} {
		if strings.Contains(string(h.body), forbidden) {
			r.t.Errorf("a webhook has %s: %s", forbidden, h.body)
		}
	}
	r.checkGo(h)
	if r.judge != nil {
		r.checkNode(h)
	}
}

// checkGo has pusher-http-go judge a request. It can not read any event of an
// encrypted channel but a client's, so these go alone.
func (r *hookReceiver) checkGo(h hook) {
	got, err := r.client.Webhook(h.header, h.body)
	for _, e := range h.events {
		if strings.Contains(string(e), `"channel":"private-encrypted-`) && !strings.Contains(string(e), `"client_event"`) {
			if len(h.events) > 1 {
				r.t.Errorf("an event that pusher-http-go can not read takes others with it: %s", h.body)
			}
			return
		}
	}
	if err != nil || got.TimeMs != int(h.time) || len(got.Events) != len(h.events) {
		r.t.Errorf("pusher-http-go reads %+v, %v in %s", got, err, h.body)
	}
}

// checkNode has the Node library judge a request.
func (r *hookReceiver) checkNode(h hook) {
	headers := map[string]string{}
	for name := range h.header {
		headers[strings.ToLower(name)] = h.header.Get(name)
	}
	var got struct {
		Valid  bool
		Events []json.RawMessage
		Time   int64
	}
	if err := r.judge.call("judge", map[string]any{"headers": headers, "body": string(h.body)}, &got); err != nil {
		r.t.Errorf("the Node library fails: %v", err)
	}
	if !got.Valid || got.Time != h.time || len(got.Events) != len(h.events) {
		r.t.Errorf("the Node library reads %+v in %s", got, h.body)
	}
}

// line is an event in one line: its name and what follows the channel.
func line(t *testing.T, raw json.RawMessage) (channel, text string) {
	var e map[string]any
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Errorf("an event is %s", raw)
	}
	channel, _ = e["channel"].(string)
	text, _ = e["name"].(string)
	delete(e, "channel")
	delete(e, "name")
	delete(e, "socket_id") // it is looked at where it matters
	for _, k := range slices.Sorted(maps.Keys(e)) {
		v, err := json.Marshal(e[k])
		if err != nil {
			t.Error(err)
		}
		text += " " + k + "=" + string(v)
	}
	return channel, text
}

// of returns the events of a channel so far.
func (r *hookReceiver) of(channel string) (list []string, changed chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hooks {
		for _, raw := range h.events {
			if c, text := line(r.t, raw); c == channel {
				list = append(list, text)
			}
		}
	}
	return list, r.changed
}

// expect waits until a channel has so many events, and compares all of them.
// That something does not come is shown by what comes after it: the events of
// a channel keep their order.
func (r *hookReceiver) expect(t *testing.T, channel string, want ...string) {
	t.Helper()
	deadline := time.After(service.Patience)
	for {
		got, changed := r.of(channel)
		if len(got) >= len(want) {
			if !slices.Equal(got, want) {
				t.Fatalf("%s:\n got %q\nwant %q", channel, got, want)
			}
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s: after %v\n got %q\nwant %q", channel, service.Patience, got, want)
		}
	}
}

// all returns the requests so far.
func (r *hookReceiver) all() []hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.hooks)
}
