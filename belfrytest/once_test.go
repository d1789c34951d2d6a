package belfrytest_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/belfrytest"
)

// lossy loses so many answers of the service, which has done what it was asked.
type lossy struct{ answers atomic.Int32 }

var errLost = errors.New("the answer is lost")

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || l.answers.Add(-1) < 0 {
		return response, err
	}
	response.Body.Close()
	return nil, errLost
}

// A backend that tries again because the answer was lost does not trigger twice.
func TestRetriedTriggerIsDeliveredOnce(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	c := s.Client(t, "ann")
	news := subscribe(t, c, "news")
	events := belfrytest.Collect(t, news, "e")
	belfrytest.Connect(t, c)
	belfrytest.AwaitSubscribed(t, news)

	network := new(lossy)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	cfg := s.BackendConfig()
	cfg.HTTPClient, cfg.TriggerRetries = &http.Client{Transport: network}, 3
	b, err := backend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	network.answers.Store(2)
	if result, err := b.Trigger(t.Context(), "news", "e", "once"); err != nil || !result.Repeated {
		t.Errorf("Trigger = %+v, %v, want the answer of the first attempt", result, err)
	}
	network.answers.Store(1)
	batch := []backend.Event{{Channel: "news", Name: "e", Data: "1", IdempotencyKey: "a"}, {Channel: "news", Name: "e", Data: "2"}}
	if _, err := b.TriggerBatch(t.Context(), batch); err != nil {
		t.Error(err)
	}
	if _, err := b.TriggerBatch(t.Context(), batch[:1]); err != nil { // with a key of the event
		t.Error(err)
	}
	for i, want := range []bool{false, true} {
		result, err := b.Trigger(t.Context(), "news", "e", "own key", backend.IdempotencyKey("order-7"))
		if err != nil || result.Repeated != want {
			t.Errorf("Trigger %d under a key = %+v, %v, want repeated %v", i, result, err, want)
		}
	}
	if _, err := b.Trigger(t.Context(), "news", "e", "something else", backend.IdempotencyKey("order-7")); !errors.Is(err, backend.ErrConflict) {
		t.Errorf("Trigger with the key of another = %v, want ErrConflict", err)
	}
	trigger(t, b, "news", "e", "last")
	for _, want := range []string{"once", "1", "2", "own key", "last"} {
		if e := events.Next(t); e.Data != want {
			t.Errorf("got %q, want %q", e.Data, want)
		}
	}
}
