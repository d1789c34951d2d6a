// Package setting knows how settings are written, read and refused, whatever
// they set and wherever they stand. A table has a [Setting] for each. The
// file, flags, the admin API and the reference page are made from it.
//
// The package takes no locks and keeps nothing.
package setting

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Setting is one row of a table of settings of a T.
type Setting[T any] struct {
	Name    string // full name with dots, as in the file
	Initial string // the default, as it would be written; empty if there is none
	Kind    string // what is written: one of the kinds below, or words of its own
	Doc     string // one or more sentences
	Secret  bool   // what was written is never shown, and there is no flag for it
	Access[T]

	former []string // names that it had before
}

// Row returns one row of a table; the arguments are the fields in their order,
// so that a table reads as one.
func Row[T any](name, initial, kind, doc string, access Access[T]) Setting[T] {
	return Setting[T]{Name: name, Initial: initial, Kind: kind, Doc: doc, Access: access}
}

// Secret is a row whose values are not to be seen.
func Secret[T any](s Setting[T]) Setting[T] {
	s.Secret = true
	return s
}

// Renamed is a row that had other names before. It is read under them as well,
// with a warning where there is somebody to warn.
func Renamed[T any](s Setting[T], former ...string) Setting[T] {
	s.former = former
	return s
}

// Access is how a setting is read into a T, and got from it.
type Access[T any] struct {
	Set func(*T, Value) error
	Get func(*T) any
}

// Kinds of values, as they are called in the reference page.
const (
	KindAddress  = "address"
	KindText     = "text"
	KindFile     = "file"
	KindFolder   = "directory"
	KindBool     = "true or false"
	KindNumber   = "number"
	KindSize     = "size"
	KindDuration = "duration"
	KindPath     = "path"
)

// Flag is the name of the setting's flag, without dashes in front.
func (s Setting[T]) Flag() string { return Flag(s.Name) }

// Flag is the name of the flag for a setting with that name.
func Flag(name string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(name) }

// Names are its name and then those that it had before.
func (s Setting[T]) Names() []string { return append([]string{s.Name}, s.former...) }

// TextFlag is the value of a flag whose text is read later, together with all
// else.
func (s Setting[T]) TextFlag() *TextFlag { return &TextFlag{kind: s.flagKind()} }

// A TextFlag keeps the text of a flag. It is a value for package pflag.
type TextFlag struct{ text, kind string }

func (f *TextFlag) String() string     { return f.text }
func (f *TextFlag) Set(s string) error { f.text = s; return nil }

// Type is one word for what the flag takes.
func (f *TextFlag) Type() string { return f.kind }

// flagKind is one word for what the setting's flag takes.
func (s Setting[T]) flagKind() string {
	switch s.Kind {
	case KindAddress, KindText, KindFile, KindFolder, KindNumber, KindSize, KindDuration, KindPath:
		return s.Kind
	case KindBool:
		return "bool"
	}
	if rest, ok := strings.CutPrefix(s.Kind, "list of "); ok {
		return rest[strings.LastIndex(rest, " ")+1:]
	}
	return "choice"
}

// IsList reports whether the setting holds a list.
func (s Setting[T]) IsList() bool { return strings.HasPrefix(s.Kind, "list of") }

// Plain is the doc without the marks of Markdown.
func (s Setting[T]) Plain() string { return strings.ReplaceAll(s.Doc, "`", "") }

// Summary is the first sentence of the plain doc.
func (s Setting[T]) Summary() string {
	first, _, more := strings.Cut(s.Plain(), ". ")
	if more {
		return first + "."
	}
	return first
}

// Default is the default as it would have been written. It panics if the
// table is wrong.
func (s Setting[T]) Default() Value {
	if !strings.HasPrefix(s.Initial, "[") && !strings.HasPrefix(s.Initial, `"`) {
		return Value{Text: s.Initial}
	}
	v, err := FromJSON([]byte(s.Initial))
	if err != nil {
		panic(fmt.Sprintf("setting: default of %s: %v", s.Name, err))
	}
	return v
}

// SetDefault sets t to the default, if there is one. It panics if the table
// is wrong.
func (s Setting[T]) SetDefault(t *T) {
	if s.Initial == "" {
		return
	}
	if err := s.Set(t, s.Default()); err != nil {
		panic(fmt.Sprintf("setting: default of %s: %v", s.Name, err))
	}
}

// Names returns the names of a table.
func Names[T any](table []Setting[T]) []string {
	var list []string
	for _, s := range table {
		list = append(list, s.Name)
	}
	return list
}

// Index is where the setting stands in a table that has that name, or had it
// before; -1 if there is none.
func Index[T any](table []Setting[T], name string) int {
	return slices.IndexFunc(table, func(s Setting[T]) bool { return slices.Contains(s.Names(), name) })
}

// Former returns the present names of a table, by those of before.
func Former[T any](table []Setting[T]) map[string]string {
	now := make(map[string]string)
	for _, s := range table {
		for _, name := range s.former {
			now[name] = s.Name
		}
	}
	return now
}

// A Value is what was written for a setting, before it is read as what the
// setting holds.
type Value struct {
	Text   string
	List   []string // when IsList
	IsList bool
}

// String is the value as it would be written in the file.
func (v Value) String() string {
	switch {
	case v.IsList:
		return "[" + strings.Join(v.List, ", ") + "]"
	case v.Text == "":
		return `""`
	}
	return v.Text
}

var errList = errors.New("is a list, but one value is wanted")

// Scalar is access to a field that is read from text.
func Scalar[T, V any](field func(*T) *V, parse func(string) (V, error)) Access[T] {
	return Access[T]{
		Set: func(t *T, v Value) error {
			if v.IsList {
				return errList
			}
			parsed, err := parse(v.Text)
			if err != nil {
				return err
			}
			*field(t) = parsed
			return nil
		},
		Get: func(t *T) any { return *field(t) },
	}
}

// List is access to a field whose elements are read from text. One text is
// split at commas.
func List[T, V any](field func(*T) *[]V, parse func(string) (V, error)) Access[T] {
	return Access[T]{
		Set: func(t *T, v Value) error {
			texts := v.List
			if !v.IsList {
				texts = splitList(v.Text)
			}
			var parsed []V
			var errs []error
			for _, text := range texts {
				element, err := parse(text)
				errs = append(errs, err)
				parsed = append(parsed, element)
			}
			if err := errors.Join(errs...); err != nil {
				return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
			}
			*field(t) = parsed
			return nil
		},
		Get: func(t *T) any { return *field(t) },
	}
}

func splitList(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// FromJSON reads a JSON value as if it had been written in the file. Null and
// objects are no values.
func FromJSON(text []byte) (Value, error) {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return Value{}, errors.New("is not JSON")
	}
	list, ok := v.([]any)
	if !ok {
		one, ok := scalarText(v, text)
		if !ok {
			return Value{}, errors.New("is an object or null, but one value is wanted")
		}
		return Value{Text: one}, nil
	}
	value := Value{IsList: true, List: []string{}}
	for _, element := range list {
		one, ok := element.(string)
		if !ok {
			return Value{}, errors.New("has an element that is not a string")
		}
		value.List = append(value.List, one)
	}
	return value, nil
}

// scalarText is a decoded value as text. Numbers stay as they were written.
func scalarText(v any, written []byte) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool, float64:
		return strings.TrimSpace(string(written)), true
	}
	return "", false
}

// ToJSON is what a setting holds, as Get returns it, in the form in which
// FromJSON reads it back: durations are text, sizes numbers.
func ToJSON(got any) any {
	switch got := got.(type) {
	case time.Duration:
		return Short(got)
	case []string:
		if got == nil {
			return []string{}
		}
	}
	return got
}
