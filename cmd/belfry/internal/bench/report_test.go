package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is different; go test -update writes it anew\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// sample is a result with something in every field.
func sample() *Result {
	l := loadNamed("fan-out")
	return &Result{
		Load:          "fan-out",
		Started:       time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Settings:      l.Defaults,
		WarmupS:       2,
		MeasuredS:     10.001,
		Setup:         Setup{Seconds: .25, PerS: 4000, ConnectMs: Latency{1000, 2, 1.5, 3, 5, 6, 7}, JoinMs: Latency{1000, 3, 2.5, 4, 6, 7, 8}},
		Connections:   Connections{Opened: 1000, Subscribed: 1000, Closed: 3, ClosedSlow: 2},
		PublishedPerS: 99.9,
		DeliveredPerS: 99900,
		LatencyMs:     Latency{999000, 4.321, 4, 8.123, 12.345, 20, 30},
		RequestMs:     Latency{1000, .5, .4, .9, 1.2, 2, 3},
		Counted: Counted{Published: 1198, Refused: 2, Unsent: 1, Delivered: 1198005, Expected: 1198000, Lost: 4, Unconfirmed: 6,
			Repeated: 3, Disordered: 2, Stray: 1},
		Problems:  []Problem{{"the service says: too much", 7}},
		Process:   &Process{42, .45, 4.5, 4500, 55, 14, 16.5, 17, 18, 2.5},
		Generator: Generator{.95, 1},
		Floor:     &Floor{1000, 164, 5, 7, 6, .75, 750, 9.17},
	}
}

func report(results ...*Result) *Report {
	r := NewReport("v1", Target{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:6001", Path: "/x"}, AppID: "7", Key: "the-key", Secret: "the-secret"})
	r.Results = results
	return r
}

func table(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTables(t *testing.T) {
	bare := sample()
	bare.Process, bare.Floor, bare.Generator.CPUCores, bare.Interrupted = nil, nil, .2, true
	bare.Counted, bare.Connections, bare.Problems = Counted{Published: 10, Expected: 10}, Connections{}, nil
	idle := &Result{Load: "idle", Settings: loadNamed("idle").Defaults, MeasuredS: 10, Process: &Process{PID: 42, PerConnectionKB: 1.25}}
	golden(t, "one.txt", table(t, report(sample())))
	golden(t, "bare.txt", table(t, report(bare)))
	golden(t, "idle.txt", table(t, report(idle)))
	golden(t, "several.txt", table(t, report(idle, sample(), bare)))
}

// paths lists the fields of a JSON value.
func paths(prefix string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var list []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			list = append(list, paths(prefix+"."+key, v[key])...)
		}
		return list
	case []any:
		if len(v) > 0 {
			return paths(prefix+"[]", v[0])
		}
	}
	return []string{fmt.Sprintf("%s %T", strings.TrimPrefix(prefix, "."), v)}
}

func TestShapeOfTheJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report(sample()).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"the-key", "the-secret"} {
		if bytes.Contains(b.Bytes(), []byte(secret)) {
			t.Errorf("the report has %s in it", secret)
		}
	}
	var v any
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	golden(t, "json.txt", strings.Join(paths("", v), "\n")+"\n")
}

// What a real run gives has the same fields, and lists where there are none.
func TestJSONOfARun(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := report(mustRun(t, short("idle", startService(t)))).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"problems": []`, `"process": null`, `"floor": null`, `"load": "idle"`, `"interrupted": false`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("there is no %s in\n%s", want, b.String())
		}
	}
}

func TestDisplay(t *testing.T) {
	measuring := Status{Load: "chat", Phase: "measuring", Done: 1, Total: 10, Unit: "s", Sending: true, PublishedPerS: 1000, DeliveredPerS: 9000.4,
		P99: 2500 * time.Microsecond, CPUCores: .5}
	connecting := Status{Load: "chat", Phase: "connecting", Done: 999, Total: 1000, Unit: "connections"}
	const measured = "chat: measuring 1.0 of 10.0 s · 1,000 published/s · 9,000 delivered/s · p99 2.5 ms · server 0.50 cores"
	const connected = "chat: connecting 999 of 1,000 connections"
	t.Run("terminal", func(t *testing.T) {
		var b strings.Builder
		d := NewDisplay(&b, true)
		d.Show(measuring)
		d.Show(connecting)
		d.Clear()
		d.Clear()
		longer := len([]rune(measured)) - len([]rune(connected))
		want := "\r" + measured + "\r" + connected + strings.Repeat(" ", longer) + "\r" + strings.Repeat(" ", len([]rune(connected))) + "\r"
		if b.String() != want {
			t.Errorf("written:\n%q\nwant:\n%q", b.String(), want)
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var b strings.Builder
			d := NewDisplay(&b, false)
			d.Show(connecting)
			for range 24 { // in 6 s
				d.Show(measuring)
				time.Sleep(250 * time.Millisecond)
			}
			d.Clear()
			if want := connected + "\n" + measured + "\n" + measured + "\n"; b.String() != want {
				t.Errorf("written:\n%s\nwant:\n%s", b.String(), want)
			}
		})
	})
}

func TestGroupedNumbers(t *testing.T) {
	for want, f := range map[string]float64{"0": 0, "0.3": .3, "7": 7, "42": 42, "999": 999, "1,000": 1000, "-1,234": -1234, "12,345,678": 12345678} {
		if got := grouped(f); got != want {
			t.Errorf("grouped(%v) = %s, want %s", f, got, want)
		}
	}
}

// The set is of every load, and more than a few seconds it may not take.
func TestSetIsOfEveryLoad(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range Set(time.Second) {
		seen[l.Name] = true
		if l.Defaults.Duration != time.Second {
			t.Errorf("%s is measured for %s, want 1s", l.Name, l.Defaults.Duration)
		}
		cfg := Config{Load: l, Settings: l.Defaults}
		if err := cfg.check(); err != nil {
			t.Errorf("%s: %v", l.Name, err)
		}
	}
	for _, l := range Loads() {
		if !seen[l.Name] {
			t.Errorf("%s is not in the set", l.Name)
		}
		if err := (Config{Load: l, Settings: l.Defaults}).check(); err != nil {
			t.Errorf("the defaults of %s: %v", l.Name, err)
		}
	}
}
