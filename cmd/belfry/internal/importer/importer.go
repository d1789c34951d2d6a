package importer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of what is read.
const (
	// MaxFile is how long one file may be. Dumps of apps are far smaller.
	MaxFile    = 64 << 20
	maxApps    = 10_000
	maxDepth   = 32
	maxEntries = 1_000_000
)

// Servers are the names of what can be imported from.
var Servers = []string{"soketi", "reverb", "laravel-websockets", "pusher"}

// A File is one file of the other server.
type File struct {
	Name string
	Text []byte
}

// Options say what to import.
type Options struct {
	Server string // one of Servers
	Files  []File
	// DefaultCredentials takes soketi's app-id, app-key and app-secret, which
	// everybody knows.
	DefaultCredentials bool
	// Table is what the table of apps is called in a dump. If it is empty, it
	// is what the settings or the other server say.
	Table string
}

// A Place is a line of a file.
type Place struct {
	File string
	Line int
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// A Note is worth knowing about one key, or about everything if it has none.
type Note struct {
	Place Place
	Key   string
	Text  string
}

func (n Note) String() string {
	var parts []string
	for _, s := range []string{n.Place.String(), n.Key, n.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// A Result is what became of the files.
type Result struct {
	Apps int
	// Lost are the keys that have no counterpart.
	Lost []Note
	// Different is what will behave differently.
	Different []Note

	document *document
}

// YAML is the configuration, with its secrets or without.
func (r *Result) YAML(secrets bool) ([]byte, error) { return r.document.render(secrets) }

// A move is one import under way.
type move struct {
	Options
	source   *source
	out      *document
	result   *Result
	problems []error
}

// Import makes a configuration of o. Its error has a line for each problem.
func Import(o Options) (*Result, error) {
	m := &move{Options: o, source: newSource(), out: newDocument(), result: &Result{}}
	m.result.document = m.out
	read := map[string]func(*move){
		"soketi": (*move).soketi, "reverb": (*move).reverb,
		"laravel-websockets": (*move).laravelWebSockets, "pusher": (*move).pusher,
	}[o.Server]
	if read == nil {
		return nil, fmt.Errorf("%q is not a server that can be imported from; there are %s", o.Server, strings.Join(Servers, ", "))
	}
	m.read()
	if len(m.problems) == 0 {
		read(m)
	}
	if m.result.Apps == 0 && len(m.problems) == 0 {
		m.problems = append(m.problems, m.noApps())
	}
	m.unused()
	return m.result, errors.Join(m.problems...)
}

// noApps says that there is no app, and where it would be looked for.
func (m *move) noApps() error {
	where := map[string]string{
		"soketi":             "SOKETI_DEFAULT_APP_ID, _KEY and _SECRET in .env, appManager.array.apps in its JSON, or a dump of its table of apps",
		"reverb":             "REVERB_APP_ID, REVERB_APP_KEY and REVERB_APP_SECRET in .env, or apps.apps in config/reverb.php",
		"laravel-websockets": "PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET in .env, apps in config/websockets.php, or a dump of websockets_apps",
		"pusher":             "PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET, or PUSHER_URL",
	}[m.Server]
	return fmt.Errorf("%s: no app with id, key and secret is there; it is looked for in %s", strings.Join(m.names(), ", "), where)
}

func (m *move) names() []string {
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Name)
	}
	return names
}

// problem notes why e can not be imported.
func (m *move) problem(e *entry, format string, args ...any) {
	m.problems = append(m.problems, fmt.Errorf("%s: %s: %s", e.place, e.key, fmt.Sprintf(format, args...)))
}

// lost notes that e has no counterpart.
func (m *move) lost(e *entry, format string, args ...any) {
	e.used = true
	m.result.Lost = append(m.result.Lost, Note{e.place, e.key, fmt.Sprintf(format, args...)})
}

// differs notes what will behave differently.
func (m *move) differs(format string, args ...any) {
	n := Note{Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(m.result.Different, n) {
		m.result.Different = append(m.result.Different, n)
	}
}

// unused notes every entry that nothing has asked for.
func (m *move) unused() {
	for _, e := range m.source.order {
		if e.used || !e.ours {
			continue
		}
		m.lost(e, "%s", reason(m.Server, e.path))
	}
	slices.SortStableFunc(m.result.Lost, func(a, b Note) int {
		if c := strings.Compare(a.Place.File, b.Place.File); c != 0 {
			return c
		}
		return a.Place.Line - b.Place.Line
	})
}

const noCounterpart = "has no counterpart"

// reason is why the setting at path has no counterpart.
func reason(server, path string) string {
	if text, ok := reasonOfApp(path); ok && strings.Contains(path, "apps.") {
		return text
	}
	for _, r := range reasons[server] {
		if path == r.path || strings.HasPrefix(path, r.path+".") || strings.HasPrefix(path, r.path+"_") {
			return r.text
		}
	}
	return noCounterpart
}
