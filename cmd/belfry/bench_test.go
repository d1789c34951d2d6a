package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestBenchSaysWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"the load":        {nil, "which load? idle, connect, fan-out, many-channels, publish, chat, presence, or all"},
		"a known load":    {[]string{"fanout"}, `there is no load "fanout"; there are idle, connect, fan-out, many-channels, publish, chat, presence, and all`},
		"the service":     {[]string{"idle"}, "which service? Say where it is and which app may be loaded:\n  --url http://127.0.0.1:6001 --app-id ID --key KEY --secret SECRET"},
		"the key":         {[]string{"idle", "--url", "http://h", "--secret", "s"}, "which app? Give its key with --key"},
		"the app":         {[]string{"idle", "--url", "http://k:s@h"}, "which app? Give its id with --app-id"},
		"leave":           {[]string{"idle", "--url", "http://k:s@192.0.2.1/apps/1"}, "192.0.2.1 is not this machine, and a load can take a service down; --allow-remote says that it is meant"},
		"sense":           {[]string{"chat", "--url", "http://k:s@127.0.0.1:1/apps/1", "--duration", "2h", "--rate", "-1"}, "--duration must be above 0 and at most 1h0m0s\n--rate must be between"},
		"the right flag":  {[]string{"idle", "--conections", "5"}, "unknown flag --conections; did you mean --connections?"},
		"a flag of idle":  {[]string{"idle", "--payload", "5"}, "unknown flag --payload"},
		"somebody there":  {[]string{"publish", "--url", "http://k:s@127.0.0.1:1/apps/1"}, "nothing listens on http://127.0.0.1:1"},
		"a place for it":  {[]string{"publish", "--url", "http://k:s@127.0.0.1:1/apps/1", "--json", "/nowhere/x"}, "--json: open /nowhere/x"},
		"a known process": {[]string{"idle", "--url", "http://k:s@127.0.0.1:1/apps/1", "--pid", "999999999"}, "process"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, err := runCommand(t, setup{}, append([]string{"bench"}, test.args...)...)
			if status == 0 || !strings.Contains(err, test.want) || out != "" {
				t.Errorf("status %d, output %q, errors\n%s\nwant them to say %s", status, out, err, test.want)
			}
		})
	}
}

func TestBenchPrintsATableAndWritesJSON(t *testing.T) {
	_, where := startDev(t, "--unlimited")
	file := filepath.Join(t.TempDir(), "result.json")
	status, out, progress := runCommand(t, setup{}, "bench", "chat", "--url", "http://"+where, "--connections", "10", "--channels", "2",
		"--rate", "100", "--warmup", "0s", "--duration", "200ms", "--floor", "0", "--json", file)
	if status != 0 || !strings.HasPrefix(out, "chat: 10 connections, 2 channels, 100 a second, measured for 0.2 s\n") ||
		!strings.Contains(out, "\ndeliveries due") || !strings.Contains(progress, "chat: connecting 0 of 10 connections\n") {
		t.Errorf("status %d, output\n%s\nprogress\n%s", status, out, progress)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Target, Version string
		Results         []struct {
			Counted struct{ Published, Expected, Lost int }
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if report.Target != "http://"+where || !strings.Contains(report.Version, "v1.2.3-test") || len(report.Results) != 1 {
		t.Fatalf("report = %+v", report)
	}
	if c := report.Results[0].Counted; c.Published != 20 || c.Expected != 80 || c.Lost != 0 {
		t.Errorf("counted = %+v, want 20 events, 80 deliveries and none lost", c)
	}
}

func TestBenchAllAsJSON(t *testing.T) {
	_, where := startDev(t, "--unlimited")
	status, out, progress := runCommand(t, setup{}, "bench", "all", "--url", "http://"+where, "--duration", "50ms", "--floor", "0", "--json", "-")
	var report struct{ Results []struct{ Load string } }
	if err := json.Unmarshal([]byte(out), &report); status != 0 || err != nil {
		t.Fatalf("status %d, %v, output\n%s\nprogress\n%s", status, err, out, progress)
	}
	var loads []string
	for _, r := range report.Results {
		loads = append(loads, r.Load)
	}
	if got, want := strings.Join(loads, " "), "idle connect fan-out fan-out many-channels many-channels publish chat presence"; got != want {
		t.Errorf("loads = %s, want %s", got, want)
	}
}

func TestBenchEndsEarly(t *testing.T) {
	_, where := startDev(t, "--unlimited")
	p := start(t, setup{}, "bench", "fan-out", "--url", "http://"+where, "--connections", "10", "--warmup", "0s", "--duration", "1h", "--floor", "0")
	p.err.await(t, " delivered/s · p99") // some events have come
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := p.end(); status != 0 || !strings.Contains(p.out.String(), "note: it was interrupted; this is what there was until then") ||
		!regexp.MustCompile(`(?m)^  lost +0$`).MatchString(p.out.String()) {
		t.Errorf("status %d, output\n%s\nprogress\n%s", status, p.out, p.err)
	}
}
