package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// mistakes has, for each file, the lines that Load answers.
var mistakes = map[string]struct {
	file string
	want []string
}{
	"unknown setting": {"lissten: x", []string{"belfry.yaml:1: lissten: unknown setting; did you mean listen?"}},
	"unknown setting in a block": {"websocket:\n  pongTimeout: 30s", []string{
		"belfry.yaml:2: websocket.pongTimeout: unknown setting; did you mean pong_timeout?"}},
	"setting outside its block": {"pong_timeout: 30s", []string{
		"belfry.yaml:1: pong_timeout: unknown setting; did you mean websocket.pong_timeout?"}},
	"nothing like it": {"tls:\n  hostnames: x", []string{
		"belfry.yaml:2: tls.hostnames: unknown setting; known here: listen, cert_file, key_file, acme"}},
	"unknown setting of an app": {"apps:\n  - id: a\n    keys: [{key: k, secret: s}]\n    limts: {}", []string{
		"belfry.yaml:4: apps[0].limts: unknown setting; did you mean limits?"}},
	"every mistake at once, in order": {"path: x\ndrain_timeout: 5\nlog: {level: warning, format: xml}\ntrusted_proxies: [10.0.0.1/8, x]", []string{
		`belfry.yaml:1: path: "x" does not begin with a slash; write /x`,
		`belfry.yaml:2: drain_timeout: 5 has no unit; write 5s for seconds`,
		`belfry.yaml:3: log.level: "warning" is not one of debug, info, warn, error`,
		`belfry.yaml:3: log.format: "xml" is not one of text, json`,
		`belfry.yaml:4: trusted_proxies: 10.0.0.1/8 names a host inside a network; did you mean 10.0.0.0/8 or 10.0.0.1?; "x" is not a network such as 10.0.0.0/8 or fd00::/8`}},
	"numbers": {"max_connections: -1\nwebsocket: {max_message_size: 10KB, send_buffer: 4KiB, assume_protocol: 3}\nhttp_api: {max_body_size: 9GiB, cors: yes}", []string{
		`belfry.yaml:1: max_connections: -1 is below 0; 0 is no limit`,
		`belfry.yaml:2: websocket.max_message_size: "10KB" is not a size; write a number of bytes, or a number with KiB or MiB`,
		`belfry.yaml:2: websocket.send_buffer: 4KiB is below 65536 bytes`,
		`belfry.yaml:2: websocket.assume_protocol: "3" is not one of 0, 4, 5, 6, 7`,
		`belfry.yaml:3: http_api.max_body_size: 9GiB is above 1073741824 bytes`,
		`belfry.yaml:3: http_api.cors: "yes" is neither true nor false`}},
	"durations": {"drain_timeout: -1s\nwebsocket:\n  pong_timeout: soon", []string{
		`belfry.yaml:1: drain_timeout: -1s is below 10ms`,
		`belfry.yaml:3: websocket.pong_timeout: "soon" is not a duration such as 500ms, 30s or 2m`}},
	"addresses": {"listen: 6001\nadmin: {listen: localhost}\ntls: {listen: \"a:b:c\"}", []string{
		`belfry.yaml:1: listen: "6001" is a port without an address; write 127.0.0.1:6001 for this machine only, or 0.0.0.0:6001 for every network`,
		`belfry.yaml:2: admin.listen: "localhost" is not an address such as 127.0.0.1:6001 or [::1]:6001`,
		`belfry.yaml:3: tls.listen: "a:b:c" is not an address such as 127.0.0.1:6001 or [::1]:6001`}},
	"listeners that clash": {"listen: 127.0.0.1:6002", []string{
		`admin.listen: 127.0.0.1:6002 is taken by listen (127.0.0.1:6002)`}},
	"a listener inside another": {"listen: \":7000\"\nadmin:\n  listen: 10.0.0.1:7000", []string{
		`belfry.yaml:3: admin.listen: 10.0.0.1:7000 is taken by listen (:7000)`}},
	"no listener": {"listen: off", []string{`belfry.yaml:1: listen: is off and so is tls.listen: clients could not connect`}},
	"twice":       {"listen: :1\npath: /x\nlisten: :2", []string{`belfry.yaml:3: listen: stands twice; the first is in line 1`}},
	"block twice": {"tls:\n  listen: \"\"\ntls:\n  listen: \"\"", []string{`belfry.yaml:4: tls: stands twice; the first is in line 2`}},
	"text for a block": {"tls: on\nwebsocket: [1]", []string{
		`belfry.yaml:1: tls: is not a block of settings (listen, cert_file, key_file, acme)`,
		`belfry.yaml:2: websocket: is not a block of settings (max_message_size, pong_timeout, send_buffer, subscription_error_frame, assume_protocol, compression, portable_sockets)`}},
	"block and list for text": {"listen: {host: x}\npath: [a]\ntrusted_proxies: [[a]]", []string{
		`belfry.yaml:1: listen: is a block of settings, but one value is wanted`,
		`belfry.yaml:2: path: is a list, but one value is wanted`,
		`belfry.yaml:3: trusted_proxies: has an element that is not a single value`}},
	"not a block at all": {"- a", []string{`belfry.yaml:1: is not a block of settings (listen, path, data_dir, max_connections, connection_attempts_per_minute, max_pending_connections, max_pending_per_address, trusted_proxies, tls, admin, join, witness, nats_url, cluster, reload, webhooks, push, console, drain_timeout, drain_delay, log, websocket, fallback, http_api, apps)`}},
	"not YAML":           {"path: /x\n\tlisten: :1", []string{`belfry.yaml:2: not YAML: found a tab character that violates indentation`}},
	"two documents":      {"path: /x\n---\npath: /y", []string{`belfry.yaml:2: a second document begins here; put everything into one`}},
	"merged nothing":     {"<<: 5", []string{`belfry.yaml:1: << does not name a block of settings`}},
	"merged into itself": {"&a\n<<: *a", []string{`belfry.yaml:2: << does not name a block of settings`}},
	"apps are no list":   {"apps: {id: x}", []string{`belfry.yaml:1: apps: is not a list; begin every app with a dash`}},
	"app is no block":    {"apps: [shop]", []string{`belfry.yaml:1: apps[0]: is not a block of settings (id, name, disabled, tls_only, client_events, subscription_count, watchlist_events, authorized_connections, hide_payloads, authorization_timeout, activity_timeout, allowed_origins, limits, history, push, keys, webhooks)`}},
	"app without anything": {"apps: [{}]", []string{
		`belfry.yaml:1: apps[0].id: is missing`,
		`belfry.yaml:1: apps[0].keys: is missing: an app has at least one pair, keys: [{key: …, secret: …}]`}},
	"empty elements": {"apps:\n  -\n  - id: a\n    keys:\n      -", []string{
		`belfry.yaml:2: apps[0]: is empty`,
		`belfry.yaml:5: apps[1].keys[0]: is empty`}},
	"same id and same key": {"apps:\n  - {id: a, keys: [{key: k, secret: s}]}\n  - {id: a, keys: [{key: k, secret: t}]}", []string{
		`belfry.yaml:3: apps[1].keys[0].key: "k" stands in apps[0].keys[0] as well`,
		`belfry.yaml:3: apps[1].id: "a" is the id of apps[0] as well`}},
	"settings of an app": {"apps:\n  - id: a/b\n    keys: [{key: k, secret: s}]\n    activity_timeout: 1500ms\n    authorization_timeout: 0s\n    allowed_origins: [\"https://example.com:8080/x\", \"example.com:80\"]\n    limits:\n      conections: 5\n      watchlist: -1\n      cache_ttl: 0s", []string{
		`belfry.yaml:2: apps[0].id: "a/b" can not stand in a URL; use letters, digits, dashes and underscores`,
		`belfry.yaml:4: apps[0].activity_timeout: 1500ms is not a whole number of seconds`,
		`belfry.yaml:5: apps[0].authorization_timeout: 0s is below 1s`,
		`belfry.yaml:6: apps[0].allowed_origins: "https://example.com:8080/x" has a scheme; write the host alone, such as example.com; "example.com:80" has a port; write the host alone, example.com`,
		`belfry.yaml:8: apps[0].limits.conections: unknown setting; did you mean connections?`,
		`belfry.yaml:9: apps[0].limits.watchlist: -1 is below 0; 0 is no limit`,
		`belfry.yaml:10: apps[0].limits.cache_ttl: 0s is below 1s`}},
}

func TestMistakes(t *testing.T) {
	for name, tt := range mistakes {
		t.Run(name, func(t *testing.T) {
			expectProblems(t, inFile(t, tt.file), tt.want)
		})
	}
}

func expectProblems(t *testing.T, s Source, want []string) {
	t.Helper()
	c, err := Load(s)
	if _, ok := errors.AsType[Problems](err); !ok {
		t.Fatalf("Load = %v, %v, want Problems", c, err)
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("Load says\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestMistakesOfAllLayersAtOnce(t *testing.T) {
	s := inFile(t, "drain_timeout: 5\npath: x")
	s.Environ = []string{"BELFRY_WEBSOCKET__PONG_TIMEOUT=1s", "BELFRY_PORT=7001", "BELFRY_QWERTY=1", "BELFRY_DRAIN_TIMEOUT=never", "BELFRY_APPS=[{id: x, keys: 5}]"}
	s.Flags = withFlags(t, "--log-level=loud", "--drain-timeout=1s")
	expectProblems(t, s, []string{
		"belfry.yaml:1: drain_timeout: 5 has no unit; write 5s for seconds",
		`belfry.yaml:2: path: "x" does not begin with a slash; write /x`,
		`BELFRY_DRAIN_TIMEOUT: drain_timeout: "never" is not a duration such as 500ms, 30s or 2m`,
		"BELFRY_PORT: unknown setting; belfry serve --help lists what there is",
		"BELFRY_QWERTY: unknown setting; belfry serve --help lists what there is",
		"BELFRY_WEBSOCKET__PONG_TIMEOUT: unknown setting; did you mean BELFRY_WEBSOCKET_PONG_TIMEOUT?",
		"BELFRY_APPS: apps[0].keys: is not a list of pairs; write keys: [{key: …, secret: …}]",
		`--log-level: log.level: "loud" is not one of debug, info, warn, error`,
	})
}

func TestMissingFile(t *testing.T) {
	t.Chdir(t.TempDir())
	expectProblems(t, Source{File: "belfry.yml"}, []string{"belfry.yml: can not be read: no such file or directory"})
}

// TestSecretsAreNeverRepeated writes secrets in every wrong way that people
// find.
func TestSecretsAreNeverRepeated(t *testing.T) {
	for name, keys := range map[string]string{
		"white space":        `[{key: k, secret: " hunter2"}]`,
		"bad key":            `[{key: "hunter2 ", secret: s}]`,
		"list":               `[{key: k, secret: [hunter2]}]`,
		"block":              `[{key: k, secret: {hunter2: x}}]`,
		"pair as text":       `[hunter2]`,
		"pairs as text":      `hunter2`,
		"pairs as a block":   `{k: hunter2}`,
		"key as name":        `[{hunter2: k, k: hunter2}]`,
		"alias":              `[{key: k, secret: *hunter2 }]`,
		"tag":                `[{key: k, secret: !hunter2 }]`,
		"anchor":             `[{key: k, secret: &hunter2 }]`,
		"reserved character": `[{key: k, secret: @hunter2}]`,
		"percent":            `[{key: k, secret: %hunter2}]`,
		"not closed":         `[{key: k, secret: "hunter2}]`,
		"twice":              `[{key: k, secret: hunter2, secret: hunter2}]`,
		"colon":              `[{key: k, secret: hunter2: x}]`,
		"mapping as name":    `[{key: k, {secret: hunter2}: x}]`,
	} {
		t.Run(name, func(t *testing.T) {
			s := inFile(t, "apps:\n  - id: a\n    keys: "+keys+"\n")
			_, err := Load(s)
			if err == nil {
				t.Fatal("Load found nothing wrong")
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("Load repeats a secret: %v", err)
			}
			s.File, s.Environ = "", []string{"BELFRY_APPS=[{id: a, keys: " + keys + "}]"}
			if _, err := Load(s); err == nil || strings.Contains(err.Error(), "hunter") {
				t.Errorf("Load repeats a secret of the environment, or accepts it: %v", err)
			}
		})
	}
}
