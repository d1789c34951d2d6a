package fanout

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/pushtest"
)

// unwell is a provider that does what providers do on a bad day: of a hundred requests, five
// are answered with 500, three with 429, two are cut off, and one is taken and then cut off.
func unwell(_ string, request int) *pushtest.Fault {
	switch request % 100 {
	case 3, 23, 43, 63, 83:
		return &pushtest.Fault{Status: 500, Reason: "InternalServerError"}
	case 11, 41, 71:
		return &pushtest.Fault{Status: 429, Reason: "TooManyRequests"}
	case 17, 57:
		return &pushtest.Fault{Reset: true}
	case 91:
		return &pushtest.Fault{Reset: true, Accept: true}
	}
	return nil
}

// TestProviderThatIsUnwell: every device gets it, or is reported, and only those twice whose
// answer got lost. PUSH_DEVICES says how many devices there are; 100000 is what
// docs/performance.md tells of.
func TestProviderThatIsUnwell(t *testing.T) {
	devices := 3 * PageSize
	if text := os.Getenv("PUSH_DEVICES"); text != "" {
		if _, err := fmt.Sscan(text, &devices); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t)
	tokens := r.phones(devices)
	for _, platform := range []string{"f", "g"} { // and as many of Google's, a tenth
		for i := range devices / 20 {
			d := notification.Device{ID: fmt.Sprintf("%s-%08d", platform, i), Platform: notification.FCM, Token: fmt.Sprintf("%s%d", platform, i)}
			r.devices.add(d, "all")
			tokens = append(tokens, d.Token)
		}
	}
	r.apns.FailEach(unwell)
	r.fcm.FailEach(func(token string, request int) *pushtest.Fault {
		f := unwell(token, request)
		if f != nil && f.Status == 429 {
			return &pushtest.Fault{Status: 429, Reason: "QUOTA_EXCEEDED", RetryAfter: "1"}
		}
		return f
	})
	runtime.GC()
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	r.publish("1", func(p *notification.Publish) {
		p.Callback = notification.Callback{URL: r.backend.URL, Level: notification.Info}
	})
	taken := func() (n int) { return len(r.apns.Counts()) + len(r.fcm.Counts()) }
	eventually(t, "nine of ten are delivered", func() bool { return taken() >= len(tokens)*9/10 })
	most := time.Since(begun)
	runtime.ReadMemStats(&during)
	r.finished()
	all := time.Since(begun)
	twice, missing := 0, 0
	apns, google := r.apns.Counts(), r.fcm.Counts()
	for _, token := range tokens {
		n := apns[token] + google[token]
		twice += max(n-1, 0)
		if n == 0 {
			missing++
		}
	}
	reported := 0
	if missing > 0 {
		eventually(t, "those who got nothing are reported", func() bool {
			reported = 0
			for _, c := range r.backend.got() {
				reported += strings.Count(string(c.body), `"success":false`)
			}
			return reported >= missing
		})
	}
	requests := r.apns.Requests() + r.fcm.Requests()
	if lost := requests / 100 * 2; twice > lost+2*PageSize/100 {
		t.Errorf("%d got two copies, and about %d answers got lost", twice, requests/100)
	}
	t.Logf("%d devices, %d requests on %d connections to Apple and %d to Google: 90 %% after %v (%.0f a second), all after %v; %d twice, %d reported; heap %.1f MB before, %.1f MB during",
		len(tokens), requests, r.apns.Connections(), r.fcm.Connections(), most.Round(time.Millisecond), float64(len(tokens))*0.9/most.Seconds(), all.Round(time.Millisecond),
		twice, missing, float64(before.HeapAlloc)/1e6, float64(during.HeapAlloc)/1e6)
}
