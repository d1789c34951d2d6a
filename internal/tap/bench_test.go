package tap

import (
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/trace"
)

// BenchmarkEventThatFiveWatch is all that an event costs of which five are told, and
// which is above the rate of all of them: writing it down, and counting it for each.
func BenchmarkEventThatFiveWatch(b *testing.B) {
	taps := New(Config{Logs: new(trace.Logs), Known: func(string) bool { return true }, Node: "a"})
	r := new(ring)
	var sessions []*session
	for range 5 {
		s := newSession(taps, "1", filter(b, ""), r)
		defer s.end()
		r.add(s.local)
		sessions = append(sessions, s)
	}
	rec := event("news")
	rec.At = time.Now().UnixNano()
	n := 0
	for b.Loop() {
		r.Trace(rec)
		if n++; n%readMost == 0 {
			for _, s := range sessions {
				s.look()
			}
		}
	}
}
