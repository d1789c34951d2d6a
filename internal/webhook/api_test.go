package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// ask calls the admin API and decodes the answer into v, unless that is nil.
func ask(t testing.TB, s *Sender, method, path, body string, v any) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, APIPath+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if v != nil {
		if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
			t.Errorf("%s %s = %d %s: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w.Code
}

type givenUp struct {
	GivenUp []burialView `json:"given_up"`
	Next    string
}

func TestGivenUpIsListedAndReplayed(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main", Headers: []apps.Header{{Name: "X-Secret", Value: "hush"}}}, func(b *bench) {
		var up atomic.Bool
		r := b.receiver("a", func(int, delivery) int {
			if up.Load() {
				return 200
			}
			return 418
		})
		for i := range 3 {
			b.tell(apps.CacheMiss, fmt.Sprintf("cache-%d", i))
		}
		pass(time.Hour)
		var list givenUp
		if status := ask(b, b.Sender, "GET", "/given-up?app=1&endpoint=main&limit=2", "", &list); status != 200 || len(list.GivenUp) != 2 || list.Next == "" {
			b.Fatalf("given up: %d %+v, want two of three", status, list)
		}
		first := list.GivenUp[0]
		if first.App != "1" || first.Endpoint != "main" || first.Reason != buryExhausted || first.Status != 418 || first.Host != "a" ||
			first.Attempts < 2 || first.At == "" || len(first.Events) != 1 {
			b.Errorf("the first that was given up is %+v", first)
		}
		before := map[string]bool{}
		for _, d := range r.all() {
			before[d.ids[0]] = true
		}
		var rest givenUp
		if ask(b, b.Sender, "GET", "/given-up?after="+list.Next, "", &rest); len(rest.GivenUp) != 1 || rest.Next != "" {
			b.Errorf("the rest is %+v, want one", rest)
		}
		up.Store(true)
		n := len(r.all())
		var answer struct {
			Replayed, Events int
			Missing          []uint64
		}
		if status := ask(b, b.Sender, "POST", "/replay", fmt.Sprintf(`{"ids":[%d,99999]}`, first.ID), &answer); status != 200 || answer.Replayed != 1 || len(answer.Missing) != 1 {
			b.Errorf("replay of one = %d %+v", status, answer)
		}
		if status := ask(b, b.Sender, "POST", "/replay", `{}`, &answer); status != 200 || answer.Replayed != 2 || answer.Events != 2 {
			b.Errorf("replay of the rest = %d %+v", status, answer)
		}
		synctest.Wait()
		again := r.all()[n:]
		if len(again) != 3 {
			b.Errorf("%d requests came, want 3", len(again))
		}
		for _, d := range again {
			if !before[d.ids[0]] {
				b.Errorf("the id %s is new, want that of the first time", d.ids[0])
			}
		}
		if ask(b, b.Sender, "GET", "/given-up", "", &list); len(list.GivenUp) != 0 {
			b.Errorf("given up is %+v, want nothing any more", list)
		}
	})
}

func TestReplayToAnEndpointThatIsGone(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		b.tell(apps.ChannelOccupied, "news")
		pass(time.Hour)
		if err := b.registry.Put(newApp("1", apps.Webhook{ID: "other", URL: "http://b"})); err != nil {
			b.Fatal(err)
		}
		var answer struct {
			Replayed int
			Skipped  []uint64
		}
		if ask(b, b.Sender, "POST", "/replay", ``, &answer); answer.Replayed != 0 || len(answer.Skipped) != 1 {
			b.Errorf("replay = %+v, want it skipped", answer)
		}
		if _, burials := b.queue.left(); burials != 1 {
			b.Errorf("%d burials are left, want the one", burials)
		}
	})
}

func TestEndpointsAreListedWithTheirState(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main", URL: "http://user:hush@a/?token=hush", Headers: []apps.Header{{Name: "X-Secret", Value: "hush"}}}, func(b *bench) {
		list := func() endpointView {
			b.Helper()
			var answer struct{ Endpoints []endpointView }
			if status := ask(b, b.Sender, "GET", "?app=1", "", &answer); status != 200 || len(answer.Endpoints) != 1 {
				b.Fatalf("list = %d %+v", status, answer)
			}
			if text, _ := json.Marshal(answer); bytes.Contains(text, []byte("hush")) {
				b.Errorf("a secret is told: %s", text)
			}
			return answer.Endpoints[0]
		}
		if v := list(); v.State != stateOK || v.Endpoint != "main" || len(v.Events) != 7 {
			b.Errorf("at first it is %+v", v)
		}
		var status atomic.Int32
		status.Store(500)
		b.receiver("a", func(int, delivery) int { return int(status.Load()) })
		b.tell(apps.ChannelOccupied, "news")
		synctest.Wait()
		if v := list(); v.State != stateFailing || v.LastStatus != 500 || v.Failures != 1 || v.QueuedBytes == 0 {
			b.Errorf("after a failure it is %+v", v)
		}
		pass(time.Minute)
		if v := list(); v.State != stateDown || v.Oldest < 59 {
			b.Errorf("after a minute it is %+v", v)
		}
		status.Store(204)
		pass(2 * time.Minute)
		if v := list(); v.State != stateOK || v.LastStatus != 204 || v.LastSuccess == "" || v.QueuedBytes != 0 {
			b.Errorf("in the end it is %+v", v)
		}
	})
}

func TestEndpointIsTried(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		r := b.receiver("a", failFirst(1))
		var answer struct {
			Delivered bool
			Status    int
			Reason    string
		}
		if status := ask(b, b.Sender, "POST", "/test", `{"app":"1"}`, &answer); status != 200 || answer.Delivered || answer.Status != 500 || answer.Reason != "status" {
			b.Errorf("the first try = %d %+v", status, answer)
		}
		if ask(b, b.Sender, "POST", "/test", `{"app":"1","endpoint":"main"}`, &answer); !answer.Delivered {
			b.Errorf("the second try = %+v", answer)
		}
		b.want(r, "channel_occupied "+testChannel, "channel_occupied "+testChannel)
	})
}

func TestRefusalsOfTheAPI(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		for _, tt := range []struct {
			method, path, body string
			want               int
		}{
			{"GET", "?ap=1", "", 400},
			{"GET", "?app=7", "", 404},
			{"GET", "?limit=0", "", 400},
			{"POST", "", "", 405},
			{"GET", "/given-up?after=x", "", 400},
			{"DELETE", "/given-up", "", 405},
			{"GET", "/replay", "", 405},
			{"POST", "/replay", "x", 400},
			{"POST", "/replay", `{"id":[1]}`, 400},
			{"POST", "/test", `{}`, 404},
			{"POST", "/test", `{"app":"1","endpoint":"x"}`, 404},
			{"GET", "/nothing", "", 404},
		} {
			var problem struct{ Status int }
			if got := ask(b, b.Sender, tt.method, tt.path, tt.body, &problem); got != tt.want || problem.Status != tt.want {
				b.Errorf("%s %s %s = %d, want %d", tt.method, tt.path, tt.body, got, tt.want)
			}
		}
	})
}
