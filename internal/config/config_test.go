package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// inFile makes belfry.yaml the working directory's file for one test.
func inFile(t *testing.T, text string) Source {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("belfry.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Source{File: "belfry.yaml"}
}

// withFlags parses a command line as belfry serve does.
func withFlags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func load(t *testing.T, s Source) *Config {
	t.Helper()
	c, err := Load(s)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestDefaultsAreThoseOfThePackagesThatUseThem(t *testing.T) {
	app := apps.New()
	if diff := cmp.Diff(apps.DefaultLimits(), app.Limits); diff != "" {
		t.Errorf("limits of a new app differ from apps.DefaultLimits (-want +got):\n%s", diff)
	}
	if app.ActivityTimeout != apps.DefaultActivityTimeout || app.AuthorizationTimeout != apps.DefaultAuthorizationTimeout {
		t.Errorf("timeouts = %v, %v, want %v, %v", app.ActivityTimeout, app.AuthorizationTimeout, apps.DefaultActivityTimeout, apps.DefaultAuthorizationTimeout)
	}
	c := load(t, Source{})
	if len(c.Server.Apps) != 0 {
		t.Errorf("apps = %v, want none", c.Server.Apps)
	}
	if got, want := c.Server.Listen+" "+c.Server.AdminListen, "0.0.0.0:6001 127.0.0.1:6002"; got != want {
		t.Errorf("listeners = %q, want %q", got, want)
	}
	if got, want := c.Server.DrainTimeout, 10*time.Second; got != want {
		t.Errorf("DrainTimeout = %v, want %v", got, want)
	}
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	const file = "listen: 127.0.0.1:1\npath: /file\ndrain_timeout: 1s\nwebsocket:\n  pong_timeout: 1s\n"
	environ := []string{"BELFRY_PATH=/environment", "BELFRY_DRAIN_TIMEOUT=2s", "BELFRY_LOG_LEVEL=", "HOME=/root"}
	s := inFile(t, file)
	s.Environ, s.Flags = environ, withFlags(t, "--drain-timeout=3s", "--http-api-cors")
	c := load(t, s)
	got := []any{c.Server.Listen, c.Server.Path, c.Server.DrainTimeout, c.Server.PongTimeout, c.Server.CORS, c.Server.SendBuffer}
	want := []any{"127.0.0.1:1", "/environment", 3 * time.Second, time.Second, true, 1 << 20}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	places := map[string]string{}
	for _, g := range c.given {
		places[g.name] = g.value.place.String()
	}
	for name, want := range map[string]string{
		"listen": "belfry.yaml:1", "path": "BELFRY_PATH", "drain_timeout": "--drain-timeout",
		"websocket.pong_timeout": "belfry.yaml:5", "log.level": "",
	} {
		if places[name] != want {
			t.Errorf("%s is said to stand at %q, want %q", name, places[name], want)
		}
	}
}

func TestEverySettingCanBeGivenInEveryLayer(t *testing.T) {
	example := map[string]string{
		setting.KindAddress: "127.0.0.1:7001", setting.KindText: "x", setting.KindFolder: "x", setting.KindBool: "true", setting.KindNumber: "7",
		setting.KindSize: "2MiB", setting.KindDuration: "7s", setting.KindPath: "/x", "list of networks": "10.0.0.0/8", "list of host patterns": "ops.example.com", "list of hosts": "push.example.com", "URL of a provider": "https://push.example.com",
		"debug, info, warn or error": "warn", "text or json": "json", "0, 4, 5, 6 or 7": "7", "400, 401, 403 or 404": "401",
	}
	for i, s := range settings {
		if s.Kind == setting.KindFile || s.Name == "tls.listen" {
			continue // these come in threes: TestTLS
		}
		if strings.HasPrefix(s.Name, "tls.acme.") {
			continue // these need tls.listen: TestACME
		}
		if s.Name == "join" || s.Name == "witness" || s.Name == "cluster.listen" {
			continue // these need each other: TestClusterIsRead
		}
		if s.Secret {
			continue // there is no flag: TestSecrets
		}
		text, ok := example[s.Kind]
		if !ok {
			t.Fatalf("%s: no example of %q", s.Name, s.Kind)
		}
		if s.IsList() {
			text = "[" + text + "]"
		}
		text = strings.ReplaceAll(text, "7001", "70"+string(rune('0'+i%10))+"1")
		parts := strings.Split(s.Name, ".")
		yaml := strings.Join(parts, ": {") + ": " + text + strings.Repeat("}", len(parts)-1)
		fromFile := load(t, inFile(t, yaml))
		text = strings.Trim(text, "[]")
		fromEnvironment := load(t, Source{Environ: []string{variable(s.Name) + "=" + text}})
		fromFlag := load(t, Source{Flags: withFlags(t, "--"+s.Flag()+"="+text)})
		for _, c := range []*Config{fromEnvironment, fromFlag} {
			if diff := cmp.Diff(fromFile.Server, c.Server, prefixes); diff != "" || fromFile.DataDir != c.DataDir {
				t.Errorf("%s differs between file and environment or flag:\n%s", s.Name, diff)
			}
		}
		if diff := cmp.Diff(load(t, Source{}).Server, fromFile.Server, prefixes); diff == "" &&
			!strings.HasPrefix(s.Name, "log.") && s.Name != "data_dir" && s.Name != "reload" && s.Name != "fallback.enabled" && s.Name != "http_api.in_loops" && s.Name != "websocket.subscription_error_frame" {
			t.Errorf("%s: %s changed nothing", s.Name, text)
		}
	}
}

// asWritten compares keys by what was written for them.
var asWritten = cmpopts.IgnoreUnexported(apps.Key{})

var prefixes = cmp.Transformer("prefix", func(p interface{ String() string }) string { return p.String() })

func TestConfigFileIsNamedByEnvironment(t *testing.T) {
	s := inFile(t, "path: /x\n")
	s.File, s.Environ = "", []string{"BELFRY_CONFIG=belfry.yaml"}
	if c := load(t, s); c.Server.Path != "/x" || c.File != "belfry.yaml" {
		t.Errorf("path = %q from %q, want /x from belfry.yaml", c.Server.Path, c.File)
	}
}

func TestEnvironmentThatIsNotOurs(t *testing.T) {
	load(t, Source{Environ: []string{
		"BELFRY_URL=http://k:s@h/apps/1", "BELFRY_TEST_URL=http://h", "BELFRY_CONFIG=", "XBELFRY_LISTEN=x",
		"BELFRY_SERVICE_HOST=10.0.0.1", "BELFRY_SERVICE_PORT=6001", "BELFRY_SERVICE_PORT_HTTP=6001",
		"BELFRY_PORT=tcp://10.0.0.1:6001", "BELFRY_PORT_6001_TCP=tcp://10.0.0.1:6001",
		"BELFRY_PORT_6001_TCP_PROTO=tcp", "BELFRY_PORT_6001_TCP_PORT=6001", "BELFRY_PORT_6001_TCP_ADDR=10.0.0.1",
		"BELFRY_ADMIN_SERVICE_HOST=10.0.0.1", "BELFRY_ADMIN_PORT_6002_TCP=tcp://10.0.0.1:6002",
	}})
}

func TestVariablesThatContainersCommonlyHaveAreWarnedOf(t *testing.T) {
	for _, name := range []string{"BELFRY_VERSION", "BELFRY_IMAGE", "BELFRY_TAG", "BELFRY_IMAGE_TAG"} {
		c := load(t, Source{Environ: []string{name + "=1.2.3"}})
		if got, want := c.Warnings.Error(), name+": is no setting, and has no effect"; got != want {
			t.Errorf("%s: warnings %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"BELFRY_LISTN", "BELFRY_VERSIONS", "BELFRY_LOG_TAG"} {
		if _, err := Load(Source{Environ: []string{name + "=1.2.3"}}); err == nil || !strings.Contains(err.Error(), name+": unknown setting") {
			t.Errorf("%s: %v, want a mistake", name, err)
		}
	}
	for _, s := range settings {
		if ofImage.MatchString(variable(s.Name)) {
			t.Errorf("%s is a setting, and taken for one of an image", variable(s.Name))
		}
	}
}

const twoApps = `
apps:
  - &first
    id: 1
    name: shop
    keys:
      - {key: abc, secret: def}
      - {key: 0123, secret: 1e5}
    client_events: true
    allowed_origins: [example.com, "*.example.org"]
    activity_timeout: 30s
    limits: {connections: 5, event_data: 100KiB, cache_ttl: 1m}
  - <<: *first
    id: "2"
    keys: [{key: ghi, secret: jkl}]
    limits:
`

func TestApps(t *testing.T) {
	c := load(t, inFile(t, twoApps))
	first := apps.New()
	first.ID, first.Name, first.ClientEvents = "1", "shop", true
	first.Keys = []apps.Key{{Key: "abc", Secret: "def"}, {Key: "0123", Secret: "1e5"}} // text, never numbers
	first.AllowedOrigins = []string{"example.com", "*.example.org"}
	first.ActivityTimeout = 30 * time.Second
	first.Limits.Connections, first.Limits.EventData, first.Limits.CacheTTL = 5, 100<<10, time.Minute
	second := *first
	second.ID, second.Keys, second.Limits = "2", []apps.Key{{Key: "ghi", Secret: "jkl"}}, apps.DefaultLimits()
	if diff := cmp.Diff([]*apps.App{first, &second}, c.Server.Apps, asWritten); diff != "" {
		t.Errorf("apps (-want +got):\n%s", diff)
	}
	if _, err := apps.NewRegistry(c.Server.Apps); err != nil {
		t.Errorf("NewRegistry: %v", err)
	}
}

func TestAppsInEnvironmentReplaceThoseOfTheFile(t *testing.T) {
	s := inFile(t, twoApps)
	s.Environ = []string{`BELFRY_APPS=[{id: "9", keys: [{key: a, secret: b}]}]`}
	if c := load(t, s); len(c.Server.Apps) != 1 || c.Server.Apps[0].ID != "9" {
		t.Errorf("apps = %v, want 9 alone", c.Server.Apps)
	}
}

func TestSummaryHidesSecrets(t *testing.T) {
	s := inFile(t, strings.ReplaceAll(twoApps, "secret: ", "secret: hunter"))
	var b strings.Builder
	if err := load(t, s).WriteSummary(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter") {
		t.Errorf("the summary has a secret:\n%s", &b)
	}
	for _, want := range []string{"key abc, 0123 (secret hidden)", "belfry.yaml:12", "100KiB", "websocket.pong_timeout"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, &b)
		}
	}
}

func TestReadableSecretsAreWarnedOf(t *testing.T) {
	s := inFile(t, twoApps)
	if err := os.Chmod("belfry.yaml", 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := load(t, s).Warnings.Error(), "belfry.yaml: holds secrets and can be read by every user of this machine; chmod o-r belfry.yaml"; got != want {
		t.Errorf("warnings = %q, want %q", got, want)
	}
}

func TestSecretsHaveNoFlagAndAreHidden(t *testing.T) {
	s := inFile(t, "nats_url: \"nats://u:hunter2@h:4222,nats://i\"")
	s.Environ = []string{"BELFRY_ADMIN_TOKEN=hunter2-hunter2-hunter2", "BELFRY_CLUSTER_SECRET=hunter2-hunter2-hunter2"}
	s.Flags = withFlags(t)
	c := load(t, s)
	if c.Server.AdminToken != "hunter2-hunter2-hunter2" || c.Server.EngineURL != "nats://u:hunter2@h:4222,nats://i" {
		t.Errorf("token %q and engine %q", c.Server.AdminToken, c.Server.EngineURL)
	}
	var b strings.Builder
	if err := c.WriteSummary(&b); err != nil || strings.Contains(b.String(), "hunter") || strings.Count(b.String(), "(hidden)") != 3 {
		t.Errorf("the summary (%v) shows secrets:\n%s", err, &b)
	}
	s.Flags.VisitAll(func(f *pflag.Flag) {
		if strings.Contains(f.Name, "token") || f.Name == "cluster-secret" {
			t.Errorf("there is a flag --%s", f.Name)
		}
	})
	for _, text := range []string{"admin: {token: hunter2}", "admin: {token: \"hunter2 hunter2 hunter2\"}", "nats_url: hunter2", "nats_url: \"http://hunter2@h\"", "nats_url: \"nats://h, hunter2:4\"", "cluster: {secret: hunter2}", "cluster: {secret: \"hunter2 hunter2 hunter2\"}"} {
		if _, err := Load(inFile(t, text)); err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("Load of a wrong secret = %v, want an error without it", err)
		}
	}
}

func TestAdminPortForOthersIsWarnedOf(t *testing.T) {
	for address, want := range map[string]int{"127.0.0.1:1": 0, "[::1]:1": 0, "localhost:1": 0, "off": 0, "0.0.0.0:1": 1, ":1": 1, "10.0.0.1:1": 1, "admin.test:1": 1} {
		if got := load(t, Source{Environ: []string{"BELFRY_ADMIN_LISTEN=" + address}}).Warnings; len(got) != want {
			t.Errorf("admin.listen %s: warnings %v, want %d", address, got, want)
		}
	}
}

func TestFallbackPaths(t *testing.T) {
	for text, want := range map[string]string{"": "/pusher", "fallback: {path: /x}": "/x", "fallback: {path: /}": "/", "fallback: {path: \"\", enabled: false}": "/"} {
		c := load(t, inFile(t, text))
		if c.Server.HTTPPath != want || c.Server.NoFallbacks != strings.Contains(text, "enabled") {
			t.Errorf("%q: path %q, disabled %t, want %q", text, c.Server.HTTPPath, c.Server.NoFallbacks, want)
		}
	}
}
