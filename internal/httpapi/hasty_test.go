package httpapi

import (
	"net/http"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
)

// hastily, if it is set, makes fixtures serve as loops do.
var hastily func(*Handler) http.Handler

// inHaste serves as loops do, and counts what was put off.
type inHaste struct {
	*Handler
	putOff *int
}

func (h inHaste) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest := h.ServeHasty(w, r); rest != nil {
		*h.putOff++
		rest()
	}
}

// serveHastily makes fixtures serve so until the test ends.
func serveHastily(t *testing.T) (putOff *int) {
	putOff = new(int)
	hastily = func(h *Handler) http.Handler { return inHaste{h, putOff} }
	t.Cleanup(func() { hastily = nil })
	return putOff
}

// TestServedOnLoops: whoever may not wait is answered the same.
func TestServedOnLoops(t *testing.T) {
	serveHastily(t)
	for name, test := range map[string]func(*testing.T){
		"vectors":        TestVectors,
		"authentication": TestChecklistAuthentication,
		"body":           TestUnsignedBodyIsNotRead,
		"batch":          TestChecklistBatch,
		"batch info":     TestChecklistBatchInfo,
		"channels":       TestChecklistChannelList,
		"deprecated":     TestChecklistDeprecated,
		"publishing":     TestChecklistPublishing,
		"except":         TestChecklistPublishingExcept,
		"forms":          TestChecklistPublishingForms,
		"info":           TestChecklistPublishingInfo,
		"repetition":     TestChecklistRepetition,
		"overload":       TestOverloadedHub,
		"wait":           TestWaitForAnOverloadedHubIsBounded,
		"errors":         TestErrorOfTheHubIsNotTold,
		"paths":          TestSignatureIsGoodForOneResource,
		"transport":      TestChecklistTransport,
		"methods":        TestWrongMethod,
		"repeats":        TestRepeatIsAnsweredLikeTheFirst,
		"keys":           TestKeyIsGoodForOneRequest,
		"keyed batch":    TestRepeatedEventOfABatch,
		"refused keys":   TestRefusedRequestDoesNotUseItsKey,
		"limits":         TestEventsBeyondTheLimitAreRefused,
		"terminate":      TestChecklistTerminate,
	} {
		t.Run(name, test)
	}
}

// Only what may have to wait is put off, and then it has had no effect.
func TestWhatIsPutOff(t *testing.T) {
	const (
		plain  = `{"name":"n","data":"d","channel":"c"}`
		cache  = `{"name":"n","data":"d","channel":"cache-c"}`
		batch  = `{"batch":[{"name":"n","data":"d","channel":"c"}]}`
		caches = `{"batch":[{"name":"n","data":"d","channel":"private-cache-c"}]}`
		keyed  = `{"batch":[{"name":"n","data":"d","channel":"c","idempotency_key":"k"}]}`
	)
	for name, test := range map[string]struct {
		request request
		peers   bool
		err     error
		putOff  int
		durable bool
	}{
		"an event":                      {event(plain), false, nil, 0, false},
		"an event of a cluster":         {event(plain), true, nil, 0, false},
		"a batch":                       {post("/apps/3/batch_events", batch), true, nil, 0, false},
		"an event that is remembered":   {event(cache), false, nil, 0, false},
		"that in a cluster":             {event(cache), true, nil, 1, false},
		"a batch of them":               {post("/apps/3/batch_events", caches), true, nil, 1, false},
		"what the engine has to take":   {event(plain), false, nil, 1, true},
		"an event with a key":           {event(plain).under("k"), false, nil, 1, false},
		"a batch with a key":            {post("/apps/3/batch_events", keyed), false, nil, 1, false},
		"a node with too much to do":    {event(plain), false, hub.ErrOverloaded, 1, false},
		"that and a batch":              {post("/apps/3/batch_events", batch), false, hub.ErrOverloaded, 1, false},
		"an event that is refused":      {event(`{}`), true, nil, 0, false},
		"what asks":                     {get("/apps/3/channels"), false, nil, 1, false},
		"what ends connections":         {post("/apps/3/users/1/terminate_connections", ""), false, nil, 1, false},
		"an event of the first version": {post("/apps/3/channels/c/events", "d", "name=n"), false, nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			putOff := serveHastily(t)
			f, _ := newKeyedFixture(t)
			f.cfg.Peers, f.hub.err = test.peers, test.err
			f.app.History.Enabled, f.app.History.Durable = test.durable, test.durable
			f.app.Limits.BackendEventsPerSecond = 1 // of which it uses one
			if w := f.do(t, test.request.build()); w.Code == http.StatusTooManyRequests || *putOff != test.putOff {
				t.Errorf("answered %d, put off %d times, want %d", w.Code, *putOff, test.putOff)
			}
		})
	}
}
