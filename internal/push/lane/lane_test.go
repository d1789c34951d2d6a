package lane

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

var key = Key{notification.FCM, "shop"}

// rig submits jobs and keeps what became of them.
type rig struct {
	lanes  *Lanes
	limits Limits

	mu      sync.Mutex
	sent    []string
	results []Result
	most    int // jobs under way at once
	under   int
	answer  func(name string) notification.Outcome
}

func with(t *testing.T, limits Limits, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{lanes: New(), limits: limits}
		r.answer = func(string) notification.Outcome { return notification.Outcome{Verdict: notification.Accepted} }
		f(r)
		r.lanes.Stop(t.Context())
	})
}

func (r *rig) submit(k Key, publish, name string) {
	credential, _, _ := strings.Cut(name, "-")
	r.lanes.Submit(k, r.limits, Job{
		Publish: publish, Credential: credential,
		Send: func(context.Context) notification.Outcome {
			r.mu.Lock()
			r.under++
			r.most = max(r.most, r.under)
			r.sent = append(r.sent, publish+name)
			answer := r.answer
			r.mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.under--
			return answer(name)
		},
		Done: func(result Result) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.results = append(r.results, result)
		},
	})
}

// take returns what was sent and its results, and forgets it.
func (r *rig) take() ([]string, []Result) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	sent, results := r.sent, r.results
	r.sent, r.results = nil, nil
	return sent, results
}

func (r *rig) answers(o notification.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = func(string) notification.Outcome { return o }
}

func TestPublishesTakeTurns(t *testing.T) {
	with(t, Limits{Concurrency: 1}, func(r *rig) {
		for i := range 4 {
			r.submit(key, "a", fmt.Sprint(i))
		}
		r.submit(key, "b", "0")
		time.Sleep(time.Second)
		if sent, _ := r.take(); !slices.Equal(sent, []string{"a0", "b0", "a1", "a2", "a3"}) && !slices.Equal(sent, []string{"a0", "a1", "b0", "a2", "a3"}) {
			t.Errorf("sent %v: b waits behind all of a", sent)
		}
	})
}

func TestNoMoreUnderWayThanTheLimit(t *testing.T) {
	with(t, Limits{Concurrency: 7}, func(r *rig) {
		for i := range 100 {
			r.submit(key, "a", fmt.Sprint(i))
		}
		time.Sleep(10 * time.Second)
		if sent, _ := r.take(); len(sent) != 100 || r.most != 7 {
			t.Errorf("%d sent, %d at once, want 100 and 7", len(sent), r.most)
		}
	})
}

// A 429 with Retry-After: 7 holds that project or host for 7 s, and no other.
func TestRetryAfterHoldsThatLaneAlone(t *testing.T) {
	with(t, Limits{Concurrency: 1}, func(r *rig) {
		r.answers(notification.Outcome{Verdict: notification.Retry, Scope: notification.Credential, RetryAfter: 7 * time.Second, Reason: "QUOTA_EXCEEDED"})
		begun := time.Now()
		for i := range 3 {
			r.submit(key, "a", fmt.Sprint(i))
		}
		time.Sleep(time.Second)
		sent, results := r.take()
		if len(sent) != 1 || len(results) != 3 {
			t.Fatalf("sent %v with %d results, want one and the others handed back", sent, len(results))
		}
		for _, got := range results {
			if want := begun.Add(7*time.Second + 100*time.Millisecond); !got.Until.Equal(want) || got.Reason != "QUOTA_EXCEEDED" {
				t.Errorf("a job is handed back until %v for %q, want %v", got.Until, got.Reason, want)
			}
		}
		r.answers(notification.Outcome{Verdict: notification.Accepted})
		r.submit(key, "a", "x")
		r.submit(Key{notification.FCM, "other"}, "a", "y")
		time.Sleep(time.Second)
		if sent, _ := r.take(); !slices.Equal(sent, []string{"ay"}) {
			t.Errorf("sent %v during the pause, want what the other lane has", sent)
		}
		time.Sleep(5200 * time.Millisecond)
		r.submit(key, "a", "z")
		time.Sleep(time.Second)
		if sent, _ := r.take(); !slices.Equal(sent, []string{"az"}) {
			t.Errorf("sent %v after the pause", sent)
		}
	})
}

// A provider that is silent costs one job at a time, after longer and longer pauses, and
// all go again when it answers.
func TestSilentProviderIsProbed(t *testing.T) {
	with(t, Limits{Concurrency: 5}, func(r *rig) {
		r.answers(notification.Outcome{Verdict: notification.Retry, Scope: notification.Host, Reason: "no answer in time"})
		r.submit(key, "a", "0")
		time.Sleep(200 * time.Millisecond)
		_, results := r.take()
		if len(results) != 1 || !results[0].Until.IsZero() {
			t.Fatalf("results %+v, want one that counts as tried", results)
		}
		var probes []time.Duration
		begun := time.Now()
		for range 600 {
			for i := range 5 {
				r.submit(key, "a", fmt.Sprint(i))
			}
			time.Sleep(200 * time.Millisecond)
			if sent, _ := r.take(); len(sent) > 1 {
				t.Fatalf("%v sent to a provider that is silent", sent)
			} else if len(sent) == 1 {
				probes = append(probes, time.Since(begun).Round(time.Second))
			}
		}
		if len(probes) < 5 || len(probes) > 8 {
			t.Errorf("tried after %v, want longer and longer pauses", probes)
		}
		if all := r.lanes.Troubles(); len(all) != 1 || all[0].Reason != "no answer in time" || time.Since(all[0].Since) < 100*time.Second {
			t.Errorf("Troubles() = %+v", all)
		}
		r.answers(notification.Outcome{Verdict: notification.Accepted})
		time.Sleep(time.Minute)
		for i := range 20 {
			r.submit(key, "a", fmt.Sprint(i))
		}
		time.Sleep(time.Second)
		if sent, _ := r.take(); len(sent) != 20 || len(r.lanes.Troubles()) > 0 {
			t.Errorf("%d sent after it answers again, want 20; %+v", len(sent), r.lanes.Troubles())
		}
	})
}

// Credentials that are refused are held back alone, and tried once a minute.
func TestRefusedCredentialsDoNotHoldOthers(t *testing.T) {
	with(t, Limits{Concurrency: 3}, func(r *rig) {
		refused := notification.Outcome{Verdict: notification.BadCredentials, Reason: "InvalidProviderToken"}
		r.mu.Lock()
		r.answer = func(name string) notification.Outcome {
			if strings.HasPrefix(name, "bad") {
				return refused
			}
			return notification.Outcome{Verdict: notification.Accepted}
		}
		r.mu.Unlock()
		tried := 0
		for range 10 * 60 {
			r.submit(key, "a", "bad-1")
			r.submit(key, "b", "good-1")
			time.Sleep(time.Second)
			sent, results := r.take()
			if !slices.Contains(sent, "bgood-1") || len(results) != 2 {
				t.Fatalf("sent %v: others do not go on", sent)
			}
			if slices.Contains(sent, "abad-1") {
				tried++
			}
		}
		if tried != 10 {
			t.Errorf("refused credentials were tried %d times in 10 minutes, want 10", tried)
		}
		if all := r.lanes.Troubles(); len(all) != 1 || all[0].Credential != "bad" || all[0].Reason != "InvalidProviderToken" {
			t.Errorf("Troubles() = %+v", all)
		}
		r.answers(notification.Outcome{Verdict: notification.Accepted})
		time.Sleep(time.Minute)
		r.submit(key, "a", "bad-1")
		time.Sleep(time.Second)
		r.submit(key, "a", "bad-2")
		time.Sleep(time.Second)
		if sent, _ := r.take(); len(sent) != 2 || len(r.lanes.Troubles()) > 0 {
			t.Errorf("sent %v after the credentials are good again", sent)
		}
	})
}

// Failures of devices, with successes between them, do not pause a lane; many in a row do.
func TestManyFailuresInARowAreTheProviders(t *testing.T) {
	with(t, Limits{Concurrency: 1}, func(r *rig) {
		failed := notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice, Reason: "status 500"}
		r.mu.Lock()
		r.answer = func(name string) notification.Outcome {
			if name == "9" {
				return notification.Outcome{Verdict: notification.Accepted}
			}
			return failed
		}
		r.mu.Unlock()
		for i := range 100 {
			r.submit(key, "a", fmt.Sprint(i%10))
		}
		time.Sleep(time.Minute)
		if sent, _ := r.take(); len(sent) != 100 {
			t.Errorf("%d were sent, want all", len(sent))
		}
		r.answers(failed)
		for i := range 100 {
			r.submit(key, "a", fmt.Sprint(i%10))
		}
		time.Sleep(time.Minute)
		if sent, results := r.take(); len(sent) != maxStreak || len(results) != 100 {
			t.Errorf("%d were sent and %d handed back, want %d and 100", len(sent), len(results), maxStreak)
		}
	})
}

func TestRateRises(t *testing.T) {
	with(t, Limits{Concurrency: 20, PerSecond: 100}, func(r *rig) {
		for i := range 3000 {
			r.submit(key, "a", fmt.Sprint(i))
		}
		time.Sleep(9 * time.Second)
		early, _ := r.take()
		time.Sleep(30 * time.Second)
		r.take()
		time.Sleep(time.Second)
		late, _ := r.take()
		if len(early) > 110 || len(late) < 75 || len(late) > 105 {
			t.Errorf("%d in the first 9 s and %d in the 40th, want about 90 and 80", len(early), len(late))
		}
	})
}

func TestStopHandsBackWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{lanes: New(), limits: Limits{Concurrency: 2}}
		r.answers(notification.Outcome{Verdict: notification.Accepted})
		for i := range 10 {
			r.submit(key, "a", fmt.Sprint(i))
		}
		synctest.Wait()
		r.lanes.Stop(t.Context())
		r.submit(key, "a", "late")
		sent, results := r.take()
		if len(sent) != 2 || len(results) != 11 {
			t.Errorf("%d sent and %d results, want 2 and 11", len(sent), len(results))
		}
	})
}
