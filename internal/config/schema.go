package config

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// A schema is one of JSON Schema, as editors read it. Its fields stand in the order
// in which people read them.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        any                `json:"type,omitempty"` // a name, or several
	Enum        []any              `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Maximum     *int               `json:"maximum,omitempty"` // of a number
	Default     json.RawMessage    `json:"default,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	MinItems    int                `json:"minItems,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	// Dotted are names such as tls.listen, which the file may have as well.
	Dotted     map[string]*schema `json:"patternProperties,omitempty"`
	Additional *bool              `json:"additionalProperties,omitempty"`
	Deprecated bool               `json:"deprecated,omitempty"`
}

// Schema returns a JSON Schema (draft 2020-12) of belfry.yaml, for editors. It says
// less than belfry check does: not which numbers are too large, and not what is wrong
// with settings beside each other.
func Schema() []byte {
	top := newBlock("")
	top.Schema, top.Title = "https://json-schema.org/draft/2020-12/schema", "Configuration of Belfry"
	top.Description = "The file that belfry serve and belfry check read. docs/configuration.md says more."
	addSettings(top, settings)
	app := newBlock("One app: its credentials, what it may do, and who is told of it.")
	addSettings(app, apps.Settings)
	key := newBlock("A pair of credentials.")
	addSettings(key, apps.KeySettings)
	hook := newBlock("An endpoint of the backend that is told what happens in channels.")
	addSettings(hook, apps.WebhookSettings)
	key.Required, hook.Required, app.Required = []string{"key", "secret"}, []string{"url"}, []string{"id", "keys"}
	app.Properties["keys"] = &schema{Type: "array", Items: key, MinItems: 1, Description: "Credentials. Several pairs are valid at once, so that they can be exchanged without a pause."}
	app.Properties["webhooks"] = &schema{Type: "array", Items: hook, Description: "Endpoints that are told what happens in channels."}
	top.Properties["apps"] = &schema{Type: []string{"array", "null"}, Items: app, Description: "The apps of this file. More can be made at run time."}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(top); err != nil {
		panic(err) // there is nothing in it that can not be written
	}
	return b.Bytes()
}

func newBlock(doc string) *schema {
	return &schema{Type: "object", Description: doc, Properties: map[string]*schema{}, Additional: new(bool)}
}

// addSettings puts a table into a block, and what has dots in its name into blocks of it.
func addSettings[T any](top *schema, table []setting.Setting[T]) {
	for _, s := range table {
		for i, name := range s.Names() {
			within := top
			parts := strings.Split(name, ".")
			for _, part := range parts[:len(parts)-1] {
				within.Dotted = map[string]*schema{`^[a-z_]+\.`: {}}
				if within.Properties[part] == nil {
					within.Properties[part] = newBlock("")
					within.Properties[part].Type = []string{"object", "null"}
				}
				within = within.Properties[part]
			}
			p := ofKind(s.Kind)
			p.Description, p.Deprecated = s.Plain(), i > 0
			if s.Initial != "" {
				p.Default = asJSON(s.Initial)
			}
			within.Properties[parts[len(parts)-1]] = p
		}
	}
}

// number is a default that is written without quotes.
var number = regexp.MustCompile(`^(\d+|true|false|\[.*\]|".*")$`)

// asJSON is a default as JSON has it.
func asJSON(initial string) json.RawMessage {
	if number.MatchString(initial) {
		return json.RawMessage(initial)
	}
	text, err := json.Marshal(initial)
	if err != nil {
		panic(err) // it is a text
	}
	return text
}

// ofKind is what may be written for a setting of that kind. Nothing, which is null,
// is the default.
func ofKind(kind string) *schema {
	switch kind {
	case setting.KindBool:
		return &schema{Type: []string{"boolean", "null"}}
	case setting.KindNumber:
		return &schema{Type: []string{"integer", "null"}}
	case setting.KindSize:
		return &schema{Type: []string{"integer", "string", "null"}, Pattern: `^[0-9]+ *([KMG]iB)?$`}
	case setting.KindDuration:
		return &schema{Type: []string{"string", "integer", "null"}, Maximum: new(int), Pattern: `^(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`}
	}
	if strings.HasPrefix(kind, "list of ") { // one alone may be written without brackets
		return &schema{Type: []string{"array", "string", "null"}, Items: &schema{Type: []string{"string", "number"}}}
	}
	if rest, last, ok := strings.Cut(kind, " or "); ok {
		p := &schema{Enum: []any{nil}}
		for _, text := range append(strings.Split(rest, ", "), last) {
			p.Enum = append(p.Enum, asJSON(text))
		}
		return p
	}
	return &schema{Type: []string{"string", "number", "boolean", "null"}} // a text may look like one
}
