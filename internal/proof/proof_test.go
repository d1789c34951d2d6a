package main

import (
	"strings"
	"testing"
)

func TestSuiteCounts(t *testing.T) {
	s := &Suite{Failed: []string{}}
	for _, e := range []event{
		{Action: "run", Test: "TestWebSocket"}, {Action: "pass", Test: "TestWebSocket/001_a"}, {Action: "pass", Test: "TestWebSocket/001_a/part"},
		{Action: "skip", Test: "TestHTTP/002_b"}, {Action: "fail", Test: "TestHTTP/003_c"}, {Action: "fail", Test: "TestHTTP"}, {Action: "fail", Elapsed: 2.5},
	} {
		s.add(e)
	}
	if got := s.String(); got != "2 passed, 2 failed, 1 skipped" || s.Seconds != 2.5 {
		t.Errorf("suite = %s in %v s", got, s.Seconds)
	}
	if got := *s.Statements["WebSocket"]; got != (Statements{Hold: 1}) {
		t.Errorf("statements of WebSocket = %+v", got)
	}
	if got := *s.Statements["HTTP"]; got != (Statements{Open: 1, Broken: 1}) {
		t.Errorf("statements of HTTP = %+v", got)
	}
}

func TestLibrariesHaveVersions(t *testing.T) {
	list, err := libraries("../..")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, l := range list {
		if found[l.Name] = true; l.Version == "" {
			t.Errorf("%s has no version", l.Name)
		}
	}
	for _, want := range []string{"pusher-js (npm)", "pusher (PyPI)", "github.com/pusher/pusher-http-go/v5"} {
		if !found[want] {
			t.Errorf("%s is not among %v", want, list)
		}
	}
}

func TestReadsResultsOfLoads(t *testing.T) {
	l, err := loadOf([]string{"fan-out", "--rate", "50"}, []byte(`{"results":[{"settings":{"connections":1000},"published_per_s":50,"delivered_per_s":50000,
		"latency_ms":{"p50":1.5,"p99":4},"counted":{"lost":2},"process":{"cpu_us_per_delivery":3},"floor":{"write_us":6}}]}`))
	want := "50000 deliveries/s, p50 1.50 ms, p99 4.00 ms, 3.00 µs CPU a delivery, floor 6.00 µs, ratio 0.50, 2 lost"
	if err != nil || l.String() != want || l.Load != "fan-out, 50 a second" {
		t.Errorf("load = %q %s, %v, want %s", l.Load, l, err, want)
	}
}

// TestColumns: two services stand side by side, and no credentials in what is written.
func TestColumns(t *testing.T) {
	r := runner{}
	if err := r.columns("other=http://the-key:the-secret@127.0.0.1:1/apps/7"); err != nil {
		t.Fatal(err)
	}
	r.report.Parts = []string{"conformance", "performance"}
	for i, c := range r.report.Columns {
		c.Conformance = &Suite{Passed: i, Statements: map[string]*Statements{"HTTP": {Hold: 40 + i}}}
		c.Performance = []Load{{Load: "chat", Connections: 5, DeliveredPerS: float64(1000 * (i + 1))}}
	}
	text := string(r.report.markdown())
	for _, want := range []string{
		"| HTTP API | 40 hold, 0 broken, 0 open | 41 hold, 0 broken, 0 open |", "| chat, 5 connections | 1000 deliveries/s, 0 lost | 2000 deliveries/s, 0 lost |", "*other* is http://127.0.0.1:1.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "the-") {
		t.Errorf("the report has credentials:\n%s", text)
	}
	for _, wrong := range []string{"http://a:b@h/apps/1", "x=http://h/apps/1", "x=http://a:b@h/"} {
		if r.columns(wrong) == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
