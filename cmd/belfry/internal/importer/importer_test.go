package importer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/config"
)

// files reads example files, which have the shapes of the other servers'.
func files(t testing.TB, names ...string) []File {
	t.Helper()
	var list []File
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, File{name, text})
	}
	return list
}

// load is the configuration that was made, as belfry serve reads it.
func load(t testing.TB, r *Result) *config.Config {
	t.Helper()
	text, err := r.YAML(true)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Source{File: name})
	if err != nil {
		t.Fatalf("what was made is refused: %v\n%s", err, text)
	}
	return c
}

// An example is one import, and what its files come to.
type example struct {
	server string
	files  []string
	listen string
	apps   string // id, key and secret of each
	yaml   []string
	lost   []string
}

var examples = map[string]example{
	"soketi, variables": {
		"soketi", []string{"soketi.env"}, "0.0.0.0:6010", "7 shop-key shop-secret",
		[]string{"client_events: true", "event_data: 100KiB", "presence_user_info: 2KiB", "cache_ttl: 1h", "client_events_per_second: 0", "batch: false", "listen: 0.0.0.0:9601", "grace: 0s", "- 172.16.0.0/12", "- 'X-Token: t0ken'", "- private-", "assume_protocol: 7", "level: debug"},
		[]string{"soketi.env:8: SOKETI_DEFAULT_APP_WEBHOOKS[0].event_types", "soketi.env:10: SOKETI_ADAPTER_DRIVER", "soketi.env:11: SOKETI_DB_REDIS_HOST"},
	},
	"soketi, JSON": {
		"soketi", []string{"soketi.json"}, "0.0.0.0:6020", "1 k1 s1, 2 k2 s2",
		[]string{"event_data: 50KiB", "event_data: 200KiB", "max_message_size: 416KiB"},
		[]string{"soketi.json:7: appManager.array.apps.1.webhooks[1].lambda_function", "soketi.json:10: queue.driver"},
	},
	"soketi, variables win over JSON": {"soketi", []string{"soketi.env", "soketi.json"}, "0.0.0.0:6010", "7 shop-key shop-secret, 2 k2 s2", nil, nil},
	"soketi, MySQL": {
		"soketi", []string{"soketi.env", "mysql.sql"}, "0.0.0.0:6010", "11 my-key it's; a 'secret', 12 other-key other-secret",
		[]string{"connections: 200", "disabled: true", "backend_events_per_second: 5", "- 10.1.2.3"}, nil,
	},
	"soketi, PostgreSQL":           {"soketi", []string{"postgres.sql"}, "0.0.0.0:6001", `21 pg-key pg\secret, 22 pg-key-2 back\slash`, []string{"connections: 10"}, nil},
	"soketi, DynamoDB":             {"soketi", []string{"dynamodb.json"}, "0.0.0.0:6001", "31 dy-key dy-secret", []string{"event_data: 20KiB", "client_events: true"}, nil},
	"Reverb, variables":            {"reverb", []string{"reverb.env"}, "0.0.0.0:8090", "41 rv-key rv-secret", []string{"client_events: true", "activity_timeout: 30s", "presence_members: 0", "presence_user_info: 10KiB"}, nil},
	"Reverb, config":               {"reverb", []string{"reverb.env", "reverb.php"}, "0.0.0.0:8090", "41 rv-key rv-secret, 42 second-key second-secret", []string{"- '*.example.com'"}, []string{"reverb.php:17: servers.reverb.pulse_ingest_interval", "reverb.php:34: apps.apps.1.max_connections: is PHP"}},
	"laravel-websockets":           {"laravel-websockets", []string{"websockets.env", "websockets.php"}, "0.0.0.0:6030", "51 lw-key lw-secret", []string{"event_data: 250KiB", "client_events: true"}, []string{"websockets.php:12: statistics.interval_in_seconds"}},
	"laravel-websockets, database": {"laravel-websockets", []string{"websockets.sql"}, "0.0.0.0:6001", "61 lwsql-key lwsql-secret", []string{"name: Shop"}, nil},
	"pusher":                       {"pusher", []string{"pusher.env"}, "0.0.0.0:6001", "71 ps-key ps-secret", nil, []string{"pusher.env:4: PUSHER_APP_CLUSTER"}},
	"pusher, URL":                  {"pusher", []string{"pusher-url.env"}, "0.0.0.0:6001", "72 pu-key pu-secret", nil, nil},
}

func TestFilesOfOtherServersBecomeAConfigurationThatServes(t *testing.T) {
	for name, tt := range examples {
		t.Run(name, func(t *testing.T) {
			result, err := Import(Options{Server: tt.server, Files: files(t, tt.files...)})
			if err != nil {
				t.Fatal(err)
			}
			c := load(t, result)
			var got []string
			for _, app := range c.Server.Apps {
				got = append(got, app.ID+" "+app.Keys[0].Key+" "+app.Keys[0].Secret)
			}
			if apps := strings.Join(got, ", "); apps != tt.apps || c.Server.Listen != tt.listen {
				t.Errorf("at %s: apps %s, want at %s: %s", c.Server.Listen, apps, tt.listen, tt.apps)
			}
			text, _ := result.YAML(true)
			for _, want := range tt.yaml {
				if !strings.Contains(string(text), want) {
					t.Errorf("without %q:\n%s", want, text)
				}
			}
			for _, want := range tt.lost {
				if !slices.ContainsFunc(result.Lost, func(n Note) bool { return strings.HasPrefix(n.String(), want) }) {
					t.Errorf("%q is not told: %q", want, result.Lost)
				}
			}
		})
	}
}

func TestSecretsAreInTheFileAlone(t *testing.T) {
	for name, tt := range examples {
		result, err := Import(Options{Server: tt.server, Files: files(t, tt.files...)})
		if err != nil {
			t.Fatal(err)
		}
		shown, _ := result.YAML(false)
		for _, n := range slices.Concat(result.Lost, result.Different) {
			shown = append(shown, n.String()...)
		}
		for _, secret := range []string{"shop-secret", "t0ken", "s2\n", "dy-secret", "rv-secret", "second-secret", "lw-secret", "ps-secret", "pu-secret", "other-secret"} {
			if strings.Contains(string(shown), secret) {
				t.Errorf("%s: %q is shown:\n%s", name, secret, shown)
			}
		}
	}
}

func TestWhatCanNotBeImportedIsNamedWithItsLine(t *testing.T) {
	for name, tt := range map[string]struct{ server, file, want string }{
		"default credentials":      {"soketi", "SOKETI_PORT=6001\n", "x: soketi serves an app with its default credentials"},
		"default secret":           {"soketi", "A=1\nSOKETI_DEFAULT_APP_SECRET=app-secret\nSOKETI_DEFAULT_APP_KEY=k", "x:2: soketi serves an app with its default credentials"},
		"apps in a database":       {"soketi", "\nSOKETI_APP_MANAGER_DRIVER=mysql\n", "x:2: SOKETI_APP_MANAGER_DRIVER: keeps the apps in mysql; give a dump"},
		"a port that is no number": {"soketi", "SOKETI_DEFAULT_APP_SECRET=s\nSOKETI_PORT=http", "x:2: SOKETI_PORT: is not a number"},
		"a broken file":            {"soketi", "{\n\"port\": 1,\n", "x:2: not JSON"},
		"webhooks":                 {"soketi", "SOKETI_DEFAULT_APP_SECRET=s\nSOKETI_DEFAULT_APP_WEBHOOKS=none", "x:2: SOKETI_DEFAULT_APP_WEBHOOKS: is not a list in JSON"},
		"another table":            {"soketi", "-- dump\nINSERT INTO tenants VALUES (1);", "x: has no rows of a table called apps or websockets_apps; it has tenants; name the table of apps with --table"},
		"values without columns":   {"soketi", "INSERT INTO apps VALUES ('1', 'k', 's');", "x:1: has values without names of columns"},
		"no secret":                {"reverb", "\nREVERB_APP_ID=1\nREVERB_APP_KEY=k", "x:2: an app has no secret"},
		"no app":                   {"pusher", "FOO=1", "x: no app with id, key and secret is there"},
		"no .env":                  {"reverb", "A=1\nthis is prose", "x:2: is not NAME=value"},
		"a quote":                  {"reverb", "A=1\nB=\"x\n", "x:2: B: its quote \" does not end"},
		"PHP without array":        {"reverb", "<?php\necho 1;", "x: has no \"return [\""},
		"PHP that is cut off":      {"reverb", "<?php return [\n'a' => [1,", "x:2: an array has no ] at its end"},
		"one page":                 {"soketi", `{"Items": [], "LastEvaluatedKey": {}}`, "x: is one page of a scan"},
		"a dump":                   {"reverb", "INSERT INTO apps (id) VALUES (1);", "x: is a dump"},
	} {
		_, err := Import(Options{Server: tt.server, Files: []File{{"x", []byte(tt.file)}}})
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

func TestDefaultCredentialsAreTakenWhereAsked(t *testing.T) {
	result, err := Import(Options{Server: "soketi", DefaultCredentials: true, Files: []File{{".env", []byte("SOKETI_PORT=6001")}}})
	if err != nil {
		t.Fatal(err)
	}
	if app := load(t, result).Server.Apps[0]; app.ID != "app-id" || app.Keys[0].Key != "app-key" || app.Keys[0].Secret != "app-secret" {
		t.Errorf("the app is %s %v", app.ID, app.Keys)
	}
}

func TestFilesAreRecognized(t *testing.T) {
	for name, want := range map[string]string{
		"soketi.env": "soketi", "soketi.json": "soketi", "reverb.env": "reverb", "reverb.php": "reverb", "mysql.sql": "soketi",
		"websockets.php": "laravel-websockets", "websockets.sql": "laravel-websockets", "pusher.env": "pusher", "pusher-url.env": "pusher",
	} {
		if got := Recognize(files(t, name)[0].Text); got != want {
			t.Errorf("Recognize(%s) = %q, want %q", name, got, want)
		}
	}
	if got := Recognize([]byte("listen: 0.0.0.0:6001\napps:\n  - id: \"1\"\n")); got != "" {
		t.Errorf("our own file is one of %q", got)
	}
}

// FuzzImport reads any text as a file of any server: it is refused, or becomes
// YAML that config reads without a panic.
func FuzzImport(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.*")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i := range Servers {
			f.Add(i, text)
		}
	}
	f.Add(1, []byte("<?php return [['a' => env('B', env('C', [1]))"))
	f.Fuzz(func(t *testing.T, server int, text []byte) {
		if server < 0 || server >= len(Servers) {
			return
		}
		result, err := Import(Options{Server: Servers[server], Files: []File{{"x", text}}})
		Recognize(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without text")
			}
			return
		}
		if out, err := result.YAML(true); err != nil || len(out) == 0 {
			t.Errorf("YAML = %q, %v", out, err)
		}
	})
}
