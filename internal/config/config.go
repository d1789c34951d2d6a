// Package config reads belfry.yaml, the environment and the flags into one
// checked [Config].
//
// Flags override environment variables, which override the file, which
// overrides the defaults. One table (table.go, cluster.go) says what
// settings there are; the flags, the reference page and the example file are
// made from it. [Load] reports every mistake at once, and never the text of a
// secret.
//
// What the settings mean is known to the packages they are handed to. The
// package takes no locks and starts nothing.
package config

import (
	"log/slog"
	"maps"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/belfryhq/belfry/internal/server"
	"github.com/belfryhq/belfry/internal/setting"
)

// A Config is everything that a service is started with.
type Config struct {
	// Server is complete but for Log and Root. It has no Apps where none are
	// configured: see [FirstApp].
	Server server.Config

	DataDir   string
	Reload    bool // read File again when it changes
	Fallback  bool // the opposite of Server.NoFallbacks
	InLoops   bool // the opposite of Server.NetHTTP
	LogLevel  slog.Level
	LogFormat string // "text" or "json"

	// SecretFile has Server.Cluster.Secret, if it is not empty.
	SecretFile string

	// File is the name of the file that was read, or empty.
	File string
	// Warnings are worth reading but no reason not to start.
	Warnings Problems

	given []given // every setting, in the order of the table
	apps  []appGiven
}

// A value is what was written for a setting, and where it stands.
type value struct {
	setting.Value
	place Place
}

// A layer is what one source gives, by the names of settings.
type layer map[string]value

// given is a setting as it won over all layers.
type given struct {
	name  string
	value value
}

// A Source is what a configuration is read from.
type Source struct {
	// File is the name of the file. If it is empty, the variable
	// BELFRY_CONFIG names the file; if that is too, there is none.
	File string
	// Environ is the environment as os.Environ returns it.
	Environ []string
	// Flags has the flags of AddFlags, parsed. It may be nil.
	Flags *pflag.FlagSet
}

// AddFlags defines a flag for every setting but the apps: secrets do not
// belong on a command line, where every user of the machine can read them.
// Flags under a former name work and are not shown.
func AddFlags(flags *pflag.FlagSet) {
	for _, s := range settings {
		if !hasFlag(s) {
			continue
		}
		for i, name := range s.Names() {
			f := flags.VarPF(s.TextFlag(), setting.Flag(name), "", s.Summary()+" ("+variable(s.Name)+")")
			f.DefValue = strings.Trim(s.Initial, `"[]`)
			f.Hidden = i > 0
			if s.Kind == setting.KindBool {
				f.NoOptDefVal = "true"
			}
		}
	}
}

// Load reads s. Its error is of type [Problems].
func Load(s Source) (*Config, error) { return read(s).finish() }

// read puts the layers of s on top of each other.
func read(s Source) *loader {
	l := newLoader()
	e := environment{loader: l, given: layer{}}
	e.read(s.Environ)
	if s.File == "" {
		s.File = e.file
	}
	l.file(s.File)
	l.put(e.given)
	l.put(l.flags(s.Flags))
	l.appsText(e.apps)
	return l
}

// flags is the layer of the flags that were given.
func (l *loader) flags(flags *pflag.FlagSet) layer {
	given := layer{}
	if flags == nil {
		return given
	}
	for _, s := range settings {
		for _, name := range s.Names() {
			if f := flags.Lookup(setting.Flag(name)); f != nil && f.Changed {
				place := Place{Source: "--" + f.Name, Layer: layerFlag}
				l.take(given, s.Name, value{setting.Value{Text: f.Value.String()}, place}, f.Name != s.Flag(), "--"+s.Flag())
			}
		}
	}
	return given
}

// A loader puts the layers on top of each other and gathers problems.
type loader struct {
	merged   layer // of all layers so far
	config   *Config
	problems Problems
}

func newLoader() *loader {
	l := &loader{merged: layer{}, config: &Config{}}
	defaults := layer{}
	for _, s := range settings {
		defaults[s.Name] = value{Value: s.Default()}
	}
	l.put(defaults)
	return l
}

// take adds a value to a layer that may have another one already. One of the
// two is then written under a former name, of which now is the present one.
func (l *loader) take(given layer, name string, v value, former bool, now string) {
	if other, twice := given[name]; twice && other.place.Source != v.place.Source {
		l.problems.add(v.place, "", "is given, and so is %s, which is the same; take one away", other.place)
		return
	}
	if former {
		l.config.Warnings.add(v.place, "", "is called %s now; the former name still works", now)
	}
	given[name] = v
}

// put checks every value of one layer, also those that will be overridden,
// and puts the layer on top.
func (l *loader) put(given layer) {
	for _, s := range settings {
		if v, ok := given[s.Name]; ok {
			if err := s.Set(l.config, v.Value); err != nil {
				l.problems.add(v.place, s.Name, "%s", err)
			}
		}
	}
	maps.Copy(l.merged, given)
}

// file reads the file with that name, if it is not empty.
func (l *loader) file(name string) {
	if name == "" {
		return
	}
	l.config.File = name
	if d, top := readFile(name, &l.problems, &l.config.Warnings); top != nil {
		l.document(d, top)
		l.warnReadable(name)
	}
}

// document reads everything that stands in the file.
func (l *loader) document(d *document, top *yaml.Node) {
	found := d.read(top, block{known: setting.Names(settings), former: setting.Former(settings), lists: []string{"apps"}})
	if node := found.nodes["apps"]; node != nil {
		l.config.Server.Apps, l.config.apps = d.apps(node)
	}
	l.put(found.values)
}

// warnReadable warns of a file with secrets that anybody may read.
func (l *loader) warnReadable(name string) {
	info, err := os.Stat(name)
	if err == nil && info.Mode().Perm()&0o004 != 0 && (len(l.config.Server.Apps) > 0 || l.config.Server.Cluster.Secret != "") {
		l.config.Warnings.add(Place{Source: name, Layer: layerFile}, "", "holds secrets and can be read by every user of this machine; chmod o-r %s", name)
	}
}

// appsText reads apps that stand in the environment instead of the file.
func (l *loader) appsText(text string) {
	if text == "" {
		return
	}
	d := &document{source: envApps, layer: layerEnvironment, problems: &l.problems, warnings: &l.config.Warnings}
	if top := d.parse([]byte(text)); top != nil {
		l.config.Server.Apps, l.config.apps = d.apps(resolve(top))
	}
}

// finish checks what only the whole can show.
func (l *loader) finish() (*Config, error) {
	for _, s := range settings {
		l.config.given = append(l.config.given, given{s.Name, l.merged[s.Name]})
	}
	l.config.Server.NoFallbacks = !l.config.Fallback
	l.config.Server.NetHTTP = !l.config.InLoops
	l.cluster()
	l.listeners()
	l.dataDir()
	l.warnAdmin()
	l.certificate()
	l.adminCertificate()
	l.sizes()
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return l.config, nil
}

// place is where the winning value of a setting stands.
func (l *loader) place(name string) Place { return l.merged[name].place }
