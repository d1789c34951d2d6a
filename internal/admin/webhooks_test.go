package admin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/belfryhq/belfry/internal/access"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/roster/local"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// A webhooksBench is the calls about webhooks over a sender with a queue in
// memory, an app 1, and a clock of its own.
type webhooksBench struct {
	*testing.T
	sender  *webhook.Sender
	memory  *queuetest.Memory
	apps    *apps.Registry
	hosts   sync.Map // of endpoints
	handler http.Handler
}

// onWebhooks runs a test on a bench. The endpoint of the app is told everything.
func onWebhooks(t *testing.T, hook apps.Webhook, test func(*webhooksBench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hook.URL, hook.Events = cmp.Or(hook.URL, "http://a/"), apps.EveryEvent
		b := &webhooksBench{T: t, memory: queuetest.New()}
		decides := local.New(local.Config{})
		var err error
		if b.apps, err = apps.NewRegistry([]*apps.App{webhooksApp(hook)}); err != nil {
			t.Fatal(err)
		}
		b.sender, err = webhook.New(t.Context(), webhook.Config{Apps: b.apps, Store: b.memory.Store(), Roster: decides, Delivery: delivery.Policy{Transport: b}})
		if err != nil {
			t.Fatal(err)
		}
		if err := decides.Start(t.Context(), b.sender); err != nil {
			t.Fatal(err)
		}
		b.handler = New(Config{Access: access.New(access.Config{Token: testToken}), API: WebhookRoutes(b.sender)})
		test(b)
		decides.Close(t.Context())
		if err := b.sender.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func webhooksApp(hook apps.Webhook) *apps.App {
	a := apps.New()
	a.ID, a.Webhooks, a.Keys = "1", []apps.Webhook{hook}, []apps.Key{{Key: "key", Secret: "secret"}}
	return a
}

// RoundTrip is the way to endpoints: a host without a receiver refuses.
func (b *webhooksBench) RoundTrip(r *http.Request) (*http.Response, error) {
	found, ok := b.hosts.Load(r.URL.Host)
	if !ok {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	found.(http.Handler).ServeHTTP(w, r)
	return w.Result(), nil
}

// A hookReceiver is an endpoint that remembers what it got.
type hookReceiver struct {
	answer func(n int) int // the status of the nth request, from 1

	mu       sync.Mutex
	requests []hookRequest
}

type hookRequest struct{ id, body string }

func (r *hookReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.requests = append(r.requests, hookRequest{req.Header.Get("X-Belfry-Event-Ids"), string(body)})
	n := len(r.requests)
	r.mu.Unlock()
	w.WriteHeader(r.answer(n))
}

func (r *hookReceiver) all() []hookRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

func (b *webhooksBench) receiver(host string, answer func(n int) int) *hookReceiver {
	r := &hookReceiver{answer: answer}
	b.hosts.Store(host, r)
	return r
}

func (b *webhooksBench) tell(k apps.WebhookEvents, channel string) {
	b.sender.Observe(b.apps.ByID("1"), hub.News{Kind: k, Channel: channel})
}

// ask calls the API and decodes the answer into v, unless that is nil.
func (b *webhooksBench) ask(method, path, body string, v any) int {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, "/api/v1/webhooks"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	if v != nil {
		if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
			b.Errorf("%s %s = %d %s: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w.Code
}

func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

type deadLetters struct {
	DeadLetters []deadLetterView `json:"dead_letters"`
	Next        string
}

func TestDeadLettersOfAnAppThatHidesThem(t *testing.T) {
	onWebhooks(t, apps.Webhook{ID: "main"}, func(b *webhooksBench) {
		b.receiver("a", func(int) int { return 418 })
		b.tell(apps.CacheMiss, "cache-1")
		pass(time.Hour)
		app := *b.apps.ByID("1")
		app.HidePayloads = true
		if err := b.apps.Put(&app); err != nil {
			b.Fatal(err)
		}
		var list deadLetters
		if status := b.ask("GET", "/dead-letters", "", &list); status != 200 || len(list.DeadLetters) != 1 || len(list.DeadLetters[0].Events) != 1 {
			b.Fatalf("given up: %d %+v, want one", status, list)
		}
	})
	for event, want := range map[string]string{
		`{"name":"client_event","channel":"private-a","event":"client-x","data":"hunter2","user_id":"u"}`: `{"channel":"private-a","event":"client-x","name":"client_event","user_id":"u"}`,
		`{"name":"cache_miss","channel":"cache-1"}`:                                                       `{"channel":"cache-1","name":"cache_miss"}`,
		`hunter2`: `{}`,
	} {
		if got := string(withoutPayload(json.RawMessage(event))); got != want {
			t.Errorf("withoutPayload(%s) = %s, want %s", event, got, want)
		}
	}
}

func TestDeadLettersIsListedAndReplayed(t *testing.T) {
	onWebhooks(t, apps.Webhook{ID: "main", Headers: []apps.Header{{Name: "X-Secret", Value: "hush"}}}, func(b *webhooksBench) {
		var up atomic.Bool
		r := b.receiver("a", func(int) int {
			if up.Load() {
				return 200
			}
			return 418
		})
		for i := range 3 {
			b.tell(apps.CacheMiss, fmt.Sprintf("cache-%d", i))
		}
		pass(time.Hour)
		var list deadLetters
		if status := b.ask("GET", "/dead-letters?app=1&endpoint=main&limit=2", "", &list); status != 200 || len(list.DeadLetters) != 2 || list.Next == "" {
			b.Fatalf("given up: %d %+v, want two of three", status, list)
		}
		first := list.DeadLetters[0]
		if first.App != "1" || first.Endpoint != "main" || first.Reason != queue.Exhausted || first.Status != 418 || first.Host != "a" ||
			first.Attempts < 2 || first.At == "" || len(first.Events) != 1 {
			b.Errorf("the first that was given up is %+v", first)
		}
		before := map[string]bool{}
		for _, d := range r.all() {
			before[d.id] = true
		}
		var rest deadLetters
		if b.ask("GET", "/dead-letters?after="+list.Next, "", &rest); len(rest.DeadLetters) != 1 || rest.Next != "" {
			b.Errorf("the rest is %+v, want one", rest)
		}
		up.Store(true)
		n := len(r.all())
		var answer struct {
			Replayed, Events int
			Missing          []uint64
		}
		if status := b.ask("POST", "/replay", fmt.Sprintf(`{"ids":[%d,99999]}`, first.ID), &answer); status != 200 || answer.Replayed != 1 || len(answer.Missing) != 1 {
			b.Errorf("replay of one = %d %+v", status, answer)
		}
		if status := b.ask("POST", "/replay", `{}`, &answer); status != 200 || answer.Replayed != 2 || answer.Events != 2 {
			b.Errorf("replay of the rest = %d %+v", status, answer)
		}
		synctest.Wait()
		again := r.all()[n:]
		if len(again) != 3 {
			b.Errorf("%d requests came, want 3", len(again))
		}
		for _, d := range again {
			if !before[d.id] {
				b.Errorf("the id %s is new, want that of the first time", d.id)
			}
		}
		if b.ask("GET", "/dead-letters", "", &list); len(list.DeadLetters) != 0 {
			b.Errorf("given up is %+v, want nothing any more", list)
		}
	})
}

func TestReplayToAnEndpointThatIsGone(t *testing.T) {
	onWebhooks(t, apps.Webhook{ID: "main"}, func(b *webhooksBench) {
		b.tell(apps.ChannelOccupied, "news")
		pass(time.Hour)
		if err := b.apps.Put(webhooksApp(apps.Webhook{ID: "other", URL: "http://b"})); err != nil {
			b.Fatal(err)
		}
		var answer struct {
			Replayed int
			Skipped  []uint64
		}
		if b.ask("POST", "/replay", ``, &answer); answer.Replayed != 0 || len(answer.Skipped) != 1 {
			b.Errorf("replay = %+v, want it skipped", answer)
		}
		if _, letters := b.memory.Left(); letters != 1 {
			b.Errorf("%d letters are left, want the one", letters)
		}
	})
}

func TestEndpointsAreListedWithTheirState(t *testing.T) {
	onWebhooks(t, apps.Webhook{ID: "main", URL: "http://user:hush@a/?token=hush", Headers: []apps.Header{{Name: "X-Secret", Value: "hush"}}}, func(b *webhooksBench) {
		list := func() endpointView {
			b.Helper()
			var answer struct{ Endpoints []endpointView }
			if status := b.ask("GET", "?app=1", "", &answer); status != 200 || len(answer.Endpoints) != 1 {
				b.Fatalf("list = %d %+v", status, answer)
			}
			if text, _ := json.Marshal(answer); bytes.Contains(text, []byte("hush")) {
				b.Errorf("a secret is told: %s", text)
			}
			return answer.Endpoints[0]
		}
		if v := list(); v.State != "ok" || v.Endpoint != "main" || len(v.Events) != 7 {
			b.Errorf("at first it is %+v", v)
		}
		var status atomic.Int32
		status.Store(500)
		b.receiver("a", func(int) int { return int(status.Load()) })
		b.tell(apps.ChannelOccupied, "news")
		synctest.Wait()
		if v := list(); v.State != "failing" || v.LastStatus != 500 || v.Failures != 1 || v.QueuedBytes == 0 {
			b.Errorf("after a failure it is %+v", v)
		}
		pass(time.Minute)
		if v := list(); v.State != "down" || v.Oldest < 59 {
			b.Errorf("after a minute it is %+v", v)
		}
		status.Store(204)
		pass(2 * time.Minute)
		if v := list(); v.State != "ok" || v.LastStatus != 204 || v.LastSuccess == "" || v.QueuedBytes != 0 {
			b.Errorf("in the end it is %+v", v)
		}
	})
}

func TestEndpointIsTried(t *testing.T) {
	onWebhooks(t, apps.Webhook{ID: "main"}, func(b *webhooksBench) {
		r := b.receiver("a", func(n int) int {
			if n == 1 {
				return 500
			}
			return 200
		})
		var answer struct {
			Delivered bool
			Status    int
			Reason    string
		}
		if status := b.ask("POST", "/test", `{"app":"1"}`, &answer); status != 200 || answer.Delivered || answer.Status != 500 || answer.Reason != "status" {
			b.Errorf("the first try = %d %+v", status, answer)
		}
		if b.ask("POST", "/test", `{"app":"1","endpoint":"main"}`, &answer); !answer.Delivered {
			b.Errorf("the second try = %+v", answer)
		}
		for _, got := range r.all() {
			if want := `"events":[{"name":"channel_occupied","channel":"` + webhook.TestChannel + `"}]}`; !strings.HasSuffix(got.body, want) {
				b.Errorf("a try sent %s, want %s", got.body, want)
			}
		}
		if n := len(r.all()); n != 2 {
			b.Errorf("%d requests came, want 2", n)
		}
	})
}

func TestRefusalsOfWebhookCalls(t *testing.T) {
	onWebhooks(t, apps.Webhook{ID: "main"}, func(b *webhooksBench) {
		for _, tt := range []struct {
			method, path, body string
			want               int
		}{
			{"GET", "?ap=1", "", 400},
			{"GET", "?app=7", "", 404},
			{"GET", "?limit=0", "", 400},
			{"POST", "", "", 405},
			{"GET", "/dead-letters?after=x", "", 400},
			{"DELETE", "/dead-letters", "", 405},
			{"GET", "/replay", "", 405},
			{"POST", "/replay", "x", 400},
			{"POST", "/replay", `{"id":[1]}`, 400},
			{"POST", "/test", `{}`, 404},
			{"POST", "/test", `{"app":"1","endpoint":"x"}`, 404},
			{"GET", "/nothing", "", 404},
		} {
			var problem struct{ Status int }
			if got := b.ask(tt.method, tt.path, tt.body, &problem); got != tt.want || problem.Status != tt.want {
				b.Errorf("%s %s %s = %d, want %d", tt.method, tt.path, tt.body, got, tt.want)
			}
		}
	})
}

// Replaying goes past what is of endpoints that are gone, however much that is,
// with a cursor that says where to go on.
func TestReplayGoesPastEndpointsThatAreGone(t *testing.T) {
	var up atomic.Bool
	onWebhooks(t, apps.Webhook{ID: "main"}, func(b *webhooksBench) {
		b.receiver("a", func(int) int {
			if up.Load() {
				return 200
			}
			return 418
		})
		giveUp := func(endpoint string, n int) {
			for i := range n {
				e := queue.Event{ID: queue.EventID{Origin: endpoint, Number: uint64(i)}, Type: apps.CacheMiss, At: time.Now(), Channel: "cache-a",
					Body: []byte(`{"name":"cache_miss","channel":"cache-a"}`)}
				if err := b.memory.Store().DeadLetters.Put(b.Context(), &queue.DeadLetter{To: queue.Address{App: "1", Endpoint: endpoint}, Reason: queue.Removed, At: time.Now().UnixMilli(), Events: []queue.Event{e}}); err != nil {
					b.Fatal(err)
				}
			}
		}
		giveUp("gone", 2*replayMost+1)
		giveUp("main", 3)
		time.Sleep(time.Second) // so that what follows is another one
		giveUp("gone", 1)
		up.Store(true)
		replayed, skipped, after, calls := 0, 0, "", 0
		for more := true; more; calls++ {
			var answer struct {
				Replayed int
				Skipped  []uint64
				More     bool
				Next     string
			}
			if status := b.ask("POST", "/replay", fmt.Sprintf(`{"after":%q}`, after), &answer); status != 200 {
				b.Fatalf("replay = %d", status)
			}
			if answer.More != (answer.Next != "") || calls > 3 {
				b.Fatalf("call %d: %+v", calls, answer)
			}
			replayed, skipped = replayed+answer.Replayed, skipped+len(answer.Skipped)
			more, after = answer.More, answer.Next
		}
		if replayed != 3 || skipped != 2*replayMost+2 || calls != 3 {
			b.Errorf("%d were replayed and %d skipped in %d calls, want 3, %d and 3", replayed, skipped, calls, 2*replayMost+2)
		}
		for _, body := range []string{`{"after":"x"}`, `{"after":"1","ids":[1]}`, `{"after":1}`} {
			if status := b.ask("POST", "/replay", body, nil); status != 400 {
				b.Errorf("replay of %s = %d, want 400", body, status)
			}
		}
	})
}
