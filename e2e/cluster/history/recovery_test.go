package history

import (
	"fmt"
	"strings"
	"testing"
)

// TestRecoveryIsJudged: whoever asks for missed events gets each once and in order, or
// a verdict that says no.
func TestRecoveryIsJudged(t *testing.T) {
	const (
		begins    = `{"replayed":0,"position":"A-000000000000"}`
		recovered = `{"recovered":true,"replayed":1,"position":"A-000000000009"}`
		lost      = `{"recovered":false,"reason":"lost","replayed":0,"position":"A-000000000009"}`
	)
	for name, c := range map[string]struct {
		got  []string // numbers of events of n1, and verdicts
		dies bool
		want string // part of the one fault; empty: none
	}{
		"all":                       {[]string{begins, "1", "2", "3", "4"}, false, ""},
		"all, over two connections": {[]string{begins, "1", recovered, "2", "3", recovered, "4"}, false, ""},
		"twice":                     {[]string{begins, "1", "2", "2", "3", "4"}, false, "event n1/2 came after 2"},
		"late":                      {[]string{begins, "1", "3", "2", "4"}, false, "event n1/2 came after 3"},
		"not all":                   {[]string{begins, "1", "2", "4"}, false, "event n1/3 is missing"},
		"not the first":             {[]string{begins, "2", "3", "4"}, false, "event n1/1 is missing"},
		"not all, and recovered":    {[]string{begins, "1", "3", recovered, "4"}, false, "event n1/2 is missing"},
		"not all, and told so":      {[]string{begins, "1", "3", lost, "4"}, false, ""},
		"again after it was lost":   {[]string{begins, "1", "3", lost, "3", "4"}, false, ""},
		"not all, of a dead node":   {[]string{begins, "1", "4"}, true, ""},
		"not the last":              {[]string{begins, "1", "2"}, false, "event n1/4 has not come"},
		"no verdict":                {[]string{"1", "2", "3", "4"}, false, "there was no verdict"},
	} {
		h := New(false)
		r := h.Recover("ann", "news")
		frame := func(event, data string) {
			r.Receive(Frame{At: h.Now(), Event: event, Channel: "news", Data: data, Position: "A-000000000001"})
		}
		next := 0
		if c.got[0] == begins {
			frame(EventResume, begins)
			next = 1
		}
		for range 4 {
			h.Trigger(Stream{"n1", "news"})
			h.Triggered(Stream{"n1", "news"}, true)
		}
		if c.dies {
			h.Dies("n1")
		}
		for _, got := range c.got[next:] {
			if strings.HasPrefix(got, "{") {
				frame(EventResume, got)
			} else {
				frame(Event, "n1/"+got)
			}
		}
		faults := fmt.Sprint(append(h.Faults(), h.Unsettled()...))
		if c.want == "" && faults != "[]" || !strings.Contains(faults, c.want) {
			t.Errorf("%s: faults = %s, want %q", name, faults, c.want)
		}
	}
}
