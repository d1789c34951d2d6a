package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/setting"
)

// rename gives a setting a former name for one test.
func rename(t *testing.T, name, former string) {
	t.Helper()
	before := settings
	settings = slices.Clone(before)
	i := setting.Index(settings, name)
	settings[i] = setting.Renamed(settings[i], former)
	t.Cleanup(func() { settings = before })
}

func TestASettingIsReadUnderItsFormerNameWithAWarning(t *testing.T) {
	rename(t, "websocket.pong_timeout", "clients.patience")
	for name, tt := range map[string]struct {
		source  func() Source
		warning string
	}{
		"file": {
			func() Source { return inFile(t, "clients:\n  patience: 7s\n") },
			"belfry.yaml:2: clients.patience: is called websocket.pong_timeout now; the former name still works",
		},
		"environment": {
			func() Source { return Source{Environ: []string{"BELFRY_CLIENTS_PATIENCE=7s"}} },
			"BELFRY_CLIENTS_PATIENCE: is called BELFRY_WEBSOCKET_PONG_TIMEOUT now; the former name still works",
		},
		"flag": {
			func() Source { return Source{Flags: withFlags(t, "--clients-patience=7s")} },
			"--clients-patience: is called --websocket-pong-timeout now; the former name still works",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, tt.source())
			if got, want := c.Server.PongTimeout.String(), "7s"; got != want {
				t.Errorf("PongTimeout = %s, want %s", got, want)
			}
			if got := c.Warnings.Error(); got != tt.warning {
				t.Errorf("warnings = %q, want %q", got, tt.warning)
			}
		})
	}
}

func TestASettingIsNotGivenUnderBothItsNames(t *testing.T) {
	rename(t, "websocket.pong_timeout", "websocket.patience")
	for want, source := range map[string]Source{
		"belfry.yaml:3: websocket.pong_timeout: stands twice; the first is in line 2":                                    inFile(t, "websocket:\n  patience: 7s\n  pong_timeout: 8s\n"),
		"BELFRY_WEBSOCKET_PATIENCE: is given, and so is BELFRY_WEBSOCKET_PONG_TIMEOUT, which is the same; take one away": {Environ: []string{"BELFRY_WEBSOCKET_PONG_TIMEOUT=8s", "BELFRY_WEBSOCKET_PATIENCE=7s"}},
		"--websocket-patience: is given, and so is --websocket-pong-timeout, which is the same; take one away":           {Flags: withFlags(t, "--websocket-patience=7s", "--websocket-pong-timeout=8s")},
	} {
		if _, err := Load(source); err == nil || err.Error() != want {
			t.Errorf("Load: %v, want %s", err, want)
		}
	}
}

func TestFormerNamesAreNotInTheHelp(t *testing.T) {
	rename(t, "websocket.pong_timeout", "websocket.patience")
	if usage := withFlags(t).FlagUsages(); strings.Contains(usage, "patience") || !strings.Contains(usage, "--websocket-pong-timeout") {
		t.Errorf("help:\n%s", usage)
	}
}
