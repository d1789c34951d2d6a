package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// kills is how often TestKillLosesNoQueuedWebhook kills: WEBHOOK_KILLS, or
// enough for a test that runs always.
func kills(t *testing.T) int {
	text := os.Getenv("WEBHOOK_KILLS")
	if text == "" {
		return 50
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("WEBHOOK_KILLS=%s is not a number", text)
	}
	return n
}

const killChannels = 5

// A round is the life of one process.
type round struct {
	queued    int // events that the engine had taken, at least
	delivered int // when it was killed
	sent      int
}

// TestKillLosesNoQueuedWebhook kills the process at random moments under load,
// with an endpoint that fails now and then. An event is queued once the engine
// has taken it; the ids of a process are consecutive, so that one that is lost
// leaves a gap.
func TestKillLosesNoQueuedWebhook(t *testing.T) {
	t.Parallel()
	l := newLedger()
	flaky := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		events := readHook(t, r)
		chance := rand.IntN(10)
		if chance > 0 {
			l.add(events)
		}
		if chance <= 1 {
			w.WriteHeader(http.StatusBadGateway) // after the events were taken, or not
		}
	})
	s := startWithEndpoint(t, flaky, `events: [client_event]`, "3s")
	rounds := make([]round, kills(t))
	for i := range rounds {
		rounds[i] = killUnderLoad(t, s, l, i)
		s.Restart()
	}
	awaitAll(t, l, rounds)
	awaitIdle(t, s)
	checkRounds(t, l, rounds)
}

// killUnderLoad sends events until the process is killed at a random moment.
func killUnderLoad(t *testing.T, s *service.Service, l *ledger, number int) round {
	t.Helper()
	w := dialWire(t, s)
	for c := range killChannels {
		w.subscribe(fmt.Sprintf("private-%d", c), "")
	}
	stop, sent := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				sent <- n
				return
			default:
			}
			if w.write(fmt.Sprintf(`{"event":"client-e","channel":"private-%d","data":"%d %d"}`, n%killChannels, number, n/killChannels)) != nil {
				<-stop
				sent <- n
				return
			}
		}
	}()
	var r round
	for moment := time.Now().Add(time.Duration(5+rand.IntN(150)) * time.Millisecond); time.Now().Before(moment) || r.queued <= 0; {
		r.queued = metric(s, "belfry_webhook_queued_total")
	}
	s.Kill()
	close(stop)
	r.sent = <-sent
	l.mu.Lock()
	for id := range l.order {
		if strings.HasPrefix(l.order[id].Data, fmt.Sprint(number)+" ") {
			r.delivered++
		}
	}
	l.mu.Unlock()
	return r
}

// awaitAll waits until every event has arrived that was queued.
func awaitAll(t *testing.T, l *ledger, rounds []round) {
	t.Helper()
	deadline := time.After(service.Patience)
	for {
		got := make([]int, len(rounds))
		l.mu.Lock()
		for _, e := range l.order {
			n, _, _ := strings.Cut(e.Data, " ")
			i, err := strconv.Atoi(n)
			if err != nil {
				t.Errorf("an event has the data %q", e.Data)
			}
			got[i]++
		}
		l.mu.Unlock()
		missing := 0
		for i, r := range rounds {
			missing += max(r.queued-got[i], 0)
		}
		if missing == 0 {
			return
		}
		select {
		case <-l.changed:
		case <-deadline:
			t.Fatalf("%d events are missing that were queued: %v of %v", missing, got, rounds)
		}
	}
}

// awaitIdle waits until nothing is left in the queue.
func awaitIdle(t *testing.T, s *service.Service) {
	t.Helper()
	for deadline := time.Now().Add(service.Patience); metric(s, "belfry_webhook_endpoints_busy") != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("the queue is not empty after %v", service.Patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// checkRounds looks for gaps, and for events that have overtaken others of
// their channel.
func checkRounds(t *testing.T, l *ledger, rounds []round) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	highest, count := map[string]int{}, map[string]int{} // by process
	last := map[string]string{}                          // by channel
	for _, e := range l.order {
		origin, number, _ := strings.Cut(e.id, "-")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Errorf("an event has the id %q", e.id)
		}
		highest[origin] = max(highest[origin], n)
		count[origin]++
		if !later(t, last[e.Channel], e.Data) {
			t.Errorf("on %s, %q arrived after %q", e.Channel, e.Data, last[e.Channel])
		}
		last[e.Channel] = e.Data
	}
	for origin := range highest {
		if highest[origin] != count[origin] {
			t.Errorf("of the first %d events of the process %s, %d are missing", highest[origin], origin, highest[origin]-count[origin])
		}
	}
	queued, undelivered, sent := 0, 0, 0
	for _, r := range rounds {
		queued, sent = queued+r.queued, sent+r.sent
		undelivered += max(r.queued-r.delivered, 0)
	}
	t.Logf("%d kills: %d events sent, %d known to be queued of which %d were not delivered when the process was killed; %d arrived, none of the queued ones is missing, %d repeats",
		len(rounds), sent, queued, undelivered, len(l.order), l.repeats)
	if undelivered == 0 {
		t.Error("everything was delivered before each kill; the test proves nothing")
	}
}

// later reports whether "round number" b is after a.
func later(t *testing.T, a, b string) bool {
	var i, m, j, n int
	if _, err := fmt.Sscan(b, &j, &n); err != nil {
		t.Errorf("an event has the data %q", b)
	}
	if a == "" {
		return true
	}
	fmt.Sscan(a, &i, &m) // it was checked when it was b
	return j > i || j == i && n > m
}
