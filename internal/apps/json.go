package apps

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/internal/setting"
)

// A Mistake is one thing that is wrong with the settings of an app.
type Mistake struct {
	Setting string // full name, such as limits.connections
	Text    string // what is wrong and, where it is known, what to write; never a secret
}

func (m Mistake) String() string { return m.Setting + ": " + m.Text }

// Mistakes is everything that is wrong with what was given, in its order.
type Mistakes []Mistake

// Error has one line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.String()
	}
	return strings.Join(lines, "\n")
}

// ErrNotObject says that a text is not a JSON object.
var ErrNotObject = errors.New("apps: not a JSON object")

// Set sets those settings of a that a JSON object gives, under their names in
// the file; null stands for the default. Other members, also those inside a
// block, are handed to rest with their full names. It reports whether it knows
// them; a nil rest knows none. The error is ErrNotObject or [Mistakes]; a may
// then be partly set.
func (a *App) Set(text []byte, rest func(name string, value []byte) bool) error {
	p := patch{app: a, rest: rest}
	if err := rawjson.Object(text, func(key, value []byte) { p.member("", string(key), value) }); err != nil {
		return ErrNotObject
	}
	if len(p.mistakes) > 0 {
		return p.mistakes
	}
	return nil
}

// A patch is settings on their way into an app.
type patch struct {
	app      *App
	rest     func(string, []byte) bool
	mistakes Mistakes
}

// member takes one member of an object that stands under prefix.
func (p *patch) member(prefix, key string, value []byte) {
	name := prefix + key
	i := setting.Index(Settings, name)
	switch {
	case i >= 0 && !strings.Contains(key, "."):
		if err := set(Settings[i], p.app, value); err != nil {
			p.mistakes = append(p.mistakes, Mistake{name, err.Error()})
		}
	case prefix == "" && isBlock(name):
		p.block(name, value)
	case prefix == "" && name == "webhooks":
		if mistakes, ok := errors.AsType[Mistakes](p.app.SetWebhooks(value)); ok {
			p.mistakes = append(p.mistakes, mistakes...)
		}
	case p.rest != nil && p.rest(name, value):
	default:
		p.mistakes = append(p.mistakes, Mistake{name, setting.Unknown(key, below(prefix))})
	}
}

// block takes the settings under a name. Null stands for all their defaults.
func (p *patch) block(name string, value []byte) {
	if rawjson.IsNull(value) {
		for _, s := range Settings {
			if strings.HasPrefix(s.Name, name+".") {
				s.SetDefault(p.app)
			}
		}
		return
	}
	err := rawjson.Object(value, func(key, value []byte) { p.member(name+".", string(key), value) })
	if err != nil {
		p.mistakes = append(p.mistakes, Mistake{name, "is not an object of settings"})
	}
}

func set(s setting.Setting[App], a *App, value []byte) error {
	if rawjson.IsNull(value) {
		if s.Initial == "" {
			return errors.New("is required")
		}
		s.SetDefault(a)
		return nil
	}
	if err := checkForm(s, value); err != nil {
		return err
	}
	v, err := setting.FromJSON(value)
	if err != nil {
		return err
	}
	return s.Set(a, v)
}

// checkForm refuses JSON of another type than the setting has, which would be
// read if it stood in YAML.
func checkForm(s setting.Setting[App], value []byte) error {
	text, number := value[0] == '"', value[0] == '-' || '0' <= value[0] && value[0] <= '9'
	switch {
	case s.IsList():
		if value[0] != '[' {
			return errors.New("is not a list")
		}
	case s.Kind == setting.KindBool:
		if value[0] != 't' && value[0] != 'f' {
			return errors.New("is neither true nor false")
		}
	case s.Kind == setting.KindNumber:
		if !number {
			return errors.New("is not a number")
		}
	case s.Kind == setting.KindSize:
		if !number && !text {
			return errors.New(`is not a number of bytes, or a text such as "10KiB"`)
		}
	case !text:
		return errors.New("is not a string")
	}
	return nil
}

// isBlock reports whether there are settings under that name.
func isBlock(name string) bool {
	return slices.ContainsFunc(Settings, func(s setting.Setting[App]) bool { return strings.HasPrefix(s.Name, name+".") })
}

// below is what may stand directly under prefix.
func below(prefix string) []string {
	var list []string
	for _, s := range Settings {
		rest, ok := strings.CutPrefix(s.Name, prefix)
		if !ok {
			continue
		}
		if rest, _, _ = strings.Cut(rest, "."); !slices.Contains(list, rest) {
			list = append(list, rest)
		}
	}
	if prefix == "" {
		list = append(list, "webhooks")
	}
	return list
}

// AppendSettings appends the settings of a as members of a JSON object,
// without its braces and without its keys. These are all of them, with
// fingerprints in place of secrets, or the id and those that differ from the
// defaults, with secrets. [App.Set] reads them back. The webhooks are not among
// them: see [App.AppendWebhooks].
func (a *App) AppendSettings(dst []byte, all bool) []byte {
	initial := initial().written
	inside := ""
	for i, s := range Settings {
		value := written(s, a)
		if !all && s.Name != "id" && bytes.Equal(value, initial[i]) {
			continue
		}
		if all && s.Secret {
			value = inJSON(s, shown(s, a))
		}
		block, name, nested := strings.Cut(s.Name, ".")
		if !nested {
			block, name = "", s.Name
		}
		if inside != "" && block != inside {
			dst = append(dst, '}')
		}
		if n := len(dst); n > 0 && dst[n-1] != '{' {
			dst = append(dst, ',')
		}
		if block != "" && block != inside {
			dst = append(rawjson.AppendString(dst, block), ":{"...)
		}
		inside = block
		dst = append(append(rawjson.AppendString(dst, name), ':'), value...)
	}
	if inside != "" {
		dst = append(dst, '}')
	}
	return dst
}

// written is a setting of a as JSON.
func written(s setting.Setting[App], a *App) []byte { return inJSON(s, s.Get(a)) }

func inJSON(s setting.Setting[App], v any) []byte {
	value, err := json.Marshal(setting.ToJSON(v))
	if err != nil {
		panic(fmt.Sprintf("apps: %s: %v", s.Name, err))
	}
	return value
}

// CheckKey reports what is wrong with a pair that somebody chose, or nil.
func CheckKey(k Key) error {
	var mistakes Mistakes
	for _, s := range KeySettings {
		text, _ := s.Get(&k).(string)
		if err := s.Set(&k, setting.Value{Text: text}); err != nil {
			mistakes = append(mistakes, Mistake{s.Name, err.Error()})
		}
	}
	if len(mistakes) > 0 {
		return mistakes
	}
	return nil
}
