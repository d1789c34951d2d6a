package backoff

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitsDoubleUpToTheMost(t *testing.T) {
	for name, tt := range map[string]struct {
		policy Policy
		want   []time.Duration
	}{
		"doubles":      {Policy{First: 1, Most: 10}, []time.Duration{1, 2, 4, 8, 10, 10}},
		"constant":     {Every(3), []time.Duration{3, 3, 3}},
		"most below":   {Policy{First: 5, Most: 1}, []time.Duration{1, 1}},
		"no wait":      {Policy{}, []time.Duration{0, 0}},
		"first is day": {Policy{First: 24 * time.Hour, Most: 48 * time.Hour}, []time.Duration{24 * time.Hour, 48 * time.Hour}},
	} {
		var got []time.Duration
		for i := range tt.want {
			got = append(got, tt.policy.Wait(i+1))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: waits are %v, want %v", name, got, tt.want)
		}
	}
	for _, failures := range []int{60, 64, 1 << 40} {
		if got := (Policy{First: 365 * 24 * time.Hour, Most: 1 << 62}).Wait(failures); got != 1<<62 {
			t.Errorf("Wait(%d) = %v, want the most", failures, got)
		}
	}
}

func TestJitterStaysBetweenHalfAndAll(t *testing.T) {
	p := Policy{First: 100, Most: 400, Jitter: true}
	for range 1000 {
		if got := p.Wait(2); got < 100 || got >= 200 {
			t.Fatalf("Wait(2) = %d, want 100 to 199", got)
		}
	}
	if got := (Policy{First: 1, Jitter: true}).Wait(1); got != 1 {
		t.Errorf("Wait of what has no half = %d, want 1", got)
	}
}

var errTry = errors.New("no")

func TestRetriesUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var at []time.Duration
		err := Policy{First: time.Second, Most: 3 * time.Second}.Retry(t.Context(), func() (bool, error) {
			at = append(at, time.Since(begun))
			if len(at) < 4 {
				return true, errTry
			}
			return false, nil
		})
		want := []time.Duration{0, time.Second, 3 * time.Second, 6 * time.Second}
		if err != nil || !slices.Equal(at, want) {
			t.Errorf("tried at %v: %v, want at %v", at, err, want)
		}
	})
}

func TestAttemptsAreUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, tries := time.Now(), 0
		err := Policy{First: time.Second, Attempts: 3}.Retry(t.Context(), func() (bool, error) { tries++; return true, errTry })
		if tries != 3 || !errors.Is(err, errTry) || time.Since(begun) != 2*time.Second {
			t.Errorf("%d tries in %v: %v, want 3 in 2s", tries, time.Since(begun), err)
		}
	})
}

func TestEndOfTheContextEndsRetryAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("stopped")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 1500*time.Millisecond, cause)
		defer cancel()
		begun := time.Now()
		err := Every(time.Second).Retry(ctx, func() (bool, error) { return true, errTry })
		if !errors.Is(err, cause) || !errors.Is(err, errTry) || time.Since(begun) != 1500*time.Millisecond {
			t.Errorf("after %v: %v, want both errors after 1.5s", time.Since(begun), err)
		}
		if Sleep(ctx, 0) {
			t.Error("Sleep says that a context which has ended goes on")
		}
	})
}
