package tap

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/trace"
)

// newTaps are those of a node on which there is app 1.
func newTaps(t *testing.T) (*Taps, *trace.Logs) {
	logs := new(trace.Logs)
	taps := New(Config{Logs: logs, Known: func(app string) bool { return app == "1" }, Node: "a"})
	t.Cleanup(func() { taps.Close(context.Background()) })
	return taps, logs
}

// A reader takes what a stream brings, at its own pace.
type reader struct {
	*httptest.ResponseRecorder
	in *io.PipeWriter
}

func (r *reader) Write(b []byte) (int, error)      { return r.in.Write(b) }
func (r *reader) FlushError() error                { return nil }
func (r *reader) SetWriteDeadline(time.Time) error { return nil }
func (r *reader) SetReadDeadline(time.Time) error  { return nil }

// read begins a stream and returns its lines, and what waits for its end.
func read(t *testing.T, taps *Taps, query string) (*bufio.Scanner, func()) {
	body, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/apps/1/live?"+query, nil)
	r.SetPathValue("id", "1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		taps.Handler().ServeHTTP(&reader{httptest.NewRecorder(), in}, r)
		in.Close()
	}()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	return lines, func() {
		cancel()
		body.Close()
		<-done
	}
}

// sum adds up rows and gaps until there are so many.
func sum(t *testing.T, lines *bufio.Scanner, want uint64) (shown, left uint64, reasons map[string]bool) {
	reasons = make(map[string]bool)
	for shown+left < want && lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var g gap
		if err := json.Unmarshal([]byte(text), &g); err != nil {
			t.Fatal(err)
		}
		if g.Type != "gap" {
			shown++
			continue
		}
		left += *g.Count
		reasons[g.Reason] = true
	}
	return shown, left, reasons
}

// TestFiveWatchOneOfWhomNeverReads: at 10,000 events a second, what each of them
// is shown and what he is told is left out is all that happened.
func TestFiveWatchOneOfWhomNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taps, logs := newTaps(t)
		var lines []*bufio.Scanner
		var ends []func()
		for range 5 {
			l, end := read(t, taps, "rate=full&type=api_message")
			lines, ends = append(lines, l), append(ends, end)
		}
		synctest.Wait()
		const seconds, each = 3, 100
		const events = uint64(seconds * 1000 * each / 10)
		type result struct {
			shown, left uint64
			reasons     map[string]bool
		}
		results := make(chan result, 4)
		for _, l := range lines[:4] {
			go func() {
				shown, left, reasons := sum(t, l, events)
				results <- result{shown, left, reasons}
			}()
		}
		log := logs.App("1")
		for range seconds * 100 { // ten milliseconds each
			for range each {
				log.Trace(event("news"))
			}
			time.Sleep(10 * time.Millisecond)
		}
		for range 4 {
			r := <-results
			if r.shown+r.left != events || r.shown == 0 || r.left == 0 {
				t.Errorf("%d are shown and %d left out (%v), of %d", r.shown, r.left, r.reasons, events)
			}
		}
		// The fifth begins to read only now.
		shown, left, reasons := sum(t, lines[4], events)
		if shown+left != events || !reasons[gapReader] {
			t.Errorf("who did not read is shown %d, and %d are left out (%v), of %d", shown, left, reasons, events)
		}
		for _, end := range ends {
			end()
		}
		taps.Close(context.Background())
	})
}

// TestNobodyWatchesAnyMore: soon after the last reader has gone, nothing is written
// any more.
func TestNobodyWatchesAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taps, logs := newTaps(t)
		_, end := read(t, taps, "")
		synctest.Wait()
		if logs.App("1").Wants(trace.APIMessage) != trace.Data {
			t.Error("somebody watches, and nothing is written for him")
		}
		end()
		time.Sleep(linger + 2*time.Second)
		synctest.Wait()
		if logs.App("1").Wants(trace.APIMessage) != trace.Nothing || len(taps.rings) > 0 {
			t.Error("nobody watches any more, and it is still written")
		}
		taps.Close(context.Background())
	})
}
