package operator

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// settingFlags are a flag for every setting of an app.
type settingFlags struct {
	update bool // the app is there already
	flags  *pflag.FlagSet
	reset  []string
}

// flagOf is the name of a setting's flag.
func flagOf(s setting.Setting[apps.App]) string {
	if s.Name == "id" {
		return "app-id" // as for the other commands
	}
	return s.Flag()
}

func (f *settingFlags) add(flags *pflag.FlagSet) {
	f.flags = flags
	for _, s := range apps.Settings {
		doc := s.Summary()
		switch {
		case s.Secret: // it would be seen in the list of processes
			continue
		case s.Name == "id" && f.update:
			continue
		case s.Name == "id":
			doc = "Names the app in the paths of the HTTP API. Random digits by default."
		}
		flag := flags.VarPF(s.TextFlag(), flagOf(s), "", doc)
		if !f.update {
			flag.DefValue = strings.Trim(s.Initial, `"[]`)
		}
		if s.Kind == setting.KindBool {
			flag.NoOptDefVal = "true"
		}
	}
	if f.update {
		flags.StringSliceVar(&f.reset, "reset", nil, "give these `settings` their defaults, such as name,limits.connections")
	}
}

// given returns the settings that were given, as the admin API takes them.
func (f *settingFlags) given() (map[string]any, error) {
	object := map[string]any{}
	for _, s := range apps.Settings {
		flag := f.flags.Lookup(flagOf(s))
		if flag == nil || !flag.Changed {
			continue
		}
		app := apps.New()
		if err := s.Set(app, setting.Value{Text: flag.Value.String()}); err != nil {
			return nil, cli.Usagef("--%s: %v", flag.Name, err)
		}
		put(object, s.Name, setting.ToJSON(s.Get(app)))
	}
	names := setting.Names(apps.Settings)
	for _, name := range f.reset {
		if !slices.Contains(names, name) || name == "id" {
			return nil, cli.Usagef("--reset %s: %s", name, setting.Unknown(name, names[1:]))
		}
		put(object, name, nil)
	}
	return object, nil
}

// put sets the member that a name with dots means.
func put(object map[string]any, name string, value any) {
	block, rest, nested := strings.Cut(name, ".")
	if !nested {
		object[name] = value
		return
	}
	inside, ok := object[block].(map[string]any)
	if !ok {
		inside = map[string]any{}
		object[block] = inside
	}
	put(inside, rest, value)
}
