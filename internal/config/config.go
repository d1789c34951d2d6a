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
	"os"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
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

// A value is what was written for a setting, and where it stands. The fields
// are exported for the library that merges layers.
type value struct {
	setting.Value
	Place Place
}

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
func AddFlags(flags *pflag.FlagSet) {
	for _, s := range settings {
		if !hasFlag(s) {
			continue
		}
		f := flags.VarPF(&flagText{kind: s.FlagKind()}, s.Flag(), "", s.Summary()+" ("+variable(s.Name)+")")
		f.DefValue = strings.Trim(s.Initial, `"[]`)
		if s.Kind == setting.KindBool {
			f.NoOptDefVal = "true"
		}
	}
}

// flagText is a flag whose text is checked by Load together with everything
// else.
type flagText struct{ text, kind string }

func (f *flagText) String() string     { return f.text }
func (f *flagText) Set(s string) error { f.text = s; return nil }
func (f *flagText) Type() string       { return f.kind }

// Load reads s. Its error is of type [Problems].
func Load(s Source) (*Config, error) {
	l := newLoader()
	environment := &environment{variables: map[string]string{}, problems: &l.problems, warnings: &l.config.Warnings}
	for _, s := range settings {
		environment.variables[variable(s.Name)] = s.Name
	}
	fromEnvironment := koanf.New(".")
	l.must(fromEnvironment.Load(env.Provider(".", env.Opt{
		Prefix:        envPrefix,
		EnvironFunc:   func() []string { return s.Environ },
		TransformFunc: environment.take,
	}), nil))

	if s.File == "" {
		s.File = environment.file
	}
	l.file(s.File)
	l.layer(fromEnvironment)
	if s.Flags != nil {
		fromFlags := koanf.New(".")
		l.must(fromFlags.Load(posflag.ProviderWithFlag(s.Flags, ".", nil, takeFlag), nil))
		l.layer(fromFlags)
	}
	l.appsText(environment.apps)
	return l.finish()
}

// takeFlag returns the name and value of the setting that a flag gives.
func takeFlag(f *pflag.Flag) (string, any) {
	if !f.Changed {
		return "", nil
	}
	for _, s := range settings {
		if s.Flag() == f.Name {
			place := Place{Source: "--" + f.Name, Layer: layerFlag}
			return s.Name, value{setting.Value{Text: f.Value.String()}, place}
		}
	}
	return "", nil
}

// A loader puts the layers on top of each other and gathers problems.
type loader struct {
	merged   *koanf.Koanf
	config   *Config
	problems Problems
}

func newLoader() *loader {
	l := &loader{merged: koanf.New("."), config: &Config{}}
	defaults := map[string]any{}
	for _, s := range settings {
		defaults[s.Name] = value{Value: s.Default()}
	}
	first := koanf.New(".")
	l.must(first.Load(confmap.Provider(defaults, "."), nil))
	l.layer(first)
	return l
}

// must is for errors that only a mistake in the tables can cause.
func (l *loader) must(err error) {
	if err != nil {
		panic("config: " + err.Error())
	}
}

// layer checks every value of one layer, also those that will be overridden,
// and puts the layer on top.
func (l *loader) layer(k *koanf.Koanf) {
	for _, s := range settings {
		if v, ok := k.Get(s.Name).(value); ok {
			if err := s.Set(l.config, v.Value); err != nil {
				l.problems.add(v.Place, s.Name, "%s", err)
			}
		}
	}
	l.must(l.merged.Merge(k))
}

// file reads the file with that name, if it is not empty.
func (l *loader) file(name string) {
	if name == "" {
		return
	}
	l.config.File = name
	if d, top := readFile(name, &l.problems); top != nil {
		l.document(d, top)
		l.warnReadable(name)
	}
}

// document reads everything that stands in the file.
func (l *loader) document(d *document, top *yaml.Node) {
	found := d.read(top, block{known: setting.Names(settings), lists: []string{"apps"}})
	if node := found.nodes["apps"]; node != nil {
		l.config.Server.Apps, l.config.apps = d.apps(node)
	}
	fromFile, values := koanf.New("."), map[string]any{}
	for name, v := range found.values {
		values[name] = v
	}
	l.must(fromFile.Load(confmap.Provider(values, "."), nil))
	l.layer(fromFile)
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
	d := &document{source: envApps, layer: layerEnvironment, problems: &l.problems}
	if top := d.parse([]byte(text)); top != nil {
		l.config.Server.Apps, l.config.apps = d.apps(resolve(top))
	}
}

// finish checks what only the whole can show.
func (l *loader) finish() (*Config, error) {
	for _, s := range settings {
		v, _ := l.merged.Get(s.Name).(value)
		l.config.given = append(l.config.given, given{s.Name, v})
	}
	l.config.Server.NoFallbacks = !l.config.Fallback
	l.cluster()
	l.listeners()
	l.dataDir()
	l.warnAdmin()
	l.certificate()
	l.sizes()
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return l.config, nil
}

// place is where the winning value of a setting stands.
func (l *loader) place(name string) Place {
	v, _ := l.merged.Get(name).(value)
	return v.Place
}
