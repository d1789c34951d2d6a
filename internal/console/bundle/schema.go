package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// schemaFile is what writeSchema makes.
const schemaFile = "src/api/schema.ts"

// writeSchema writes the types of the admin API and the table of settings, so
// that a name that is not there any more fails the check of types.
func writeSchema(dir string) error {
	text, err := schema(filepath.Join(dir, "../../internal/admin/openapi.yaml"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, schemaFile), text, 0o644)
}

func schema(description string) ([]byte, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(description)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, "// Made from internal/admin/openapi.yaml and the table of settings by go generate ./web/console.")
	fmt.Fprintln(&b)
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		fmt.Fprintf(&b, "export type %s = %s\n\n", name, typeOf(&openapi3.SchemaRef{Value: doc.Components.Schemas[name].Value}, ""))
	}
	fmt.Fprintln(&b, "// Calls are what the API can be asked.")
	fmt.Fprintln(&b, "export interface Calls {")
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		item := doc.Paths.Value(path)
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			writeCall(&b, method+" "+path, item, item.Operations()[method])
		}
	}
	fmt.Fprintln(&b, "}")
	fmt.Fprintln(&b)
	fmt.Fprint(&b, "export interface Setting { name: string; kind: string; initial: string }\n\n")
	writeSettings(&b, "appSettings", apps.Settings)
	writeSettings(&b, "webhookSettings", apps.WebhookSettings)
	return b.Bytes(), nil
}

func writeCall(b *bytes.Buffer, name string, item *openapi3.PathItem, o *openapi3.Operation) {
	parameters := map[string][]string{}
	for _, p := range append(slices.Clone(item.Parameters), o.Parameters...) {
		mark := "?"
		if p.Value.Required {
			mark = ""
		}
		parameters[p.Value.In] = append(parameters[p.Value.In], fmt.Sprintf("%s%s: %s", p.Value.Name, mark, typeOf(p.Value.Schema, "")))
	}
	body, answer := "undefined", "undefined"
	if o.RequestBody != nil {
		body = typeOf(o.RequestBody.Value.Content.Get("application/json").Schema, "    ")
	}
	for status, response := range o.Responses.Map() {
		if content := response.Value.Content.Get("application/json"); strings.HasPrefix(status, "2") && content != nil {
			answer = typeOf(content.Schema, "    ")
		}
	}
	fmt.Fprintf(b, "  %q: {\n    path: { %s }\n    query: { %s }\n    body: %s\n    answer: %s\n  }\n",
		name, strings.Join(parameters["path"], "; "), strings.Join(parameters["query"], "; "), body, answer)
}

// typeOf writes a schema as a type of TypeScript.
func typeOf(ref *openapi3.SchemaRef, indent string) string {
	if name, ok := strings.CutPrefix(ref.Ref, "#/components/schemas/"); ok {
		return name
	}
	s, text := ref.Value, "unknown"
	switch {
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprintf("%q", v))
		}
		text = strings.Join(values, " | ")
	case s.Type.Is("string"):
		text = "string"
	case s.Type.Is("integer"), s.Type.Is("number"):
		text = "number"
	case s.Type.Is("boolean"):
		text = "boolean"
	case s.Type.Is("array"):
		text = "Array<" + typeOf(s.Items, indent) + ">"
	case s.Type.Is("object") && len(s.Properties) > 0:
		text = "{\n"
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			mark := "?"
			if slices.Contains(s.Required, name) {
				mark = ""
			}
			text += fmt.Sprintf("%s  %s%s: %s\n", indent, name, mark, typeOf(s.Properties[name], indent+"  "))
		}
		text += indent + "}"
	case s.Type.Is("object"):
		text = "Record<string, unknown>"
	}
	if s.Nullable {
		text += " | null"
	}
	return text
}

// writeSettings writes a table of settings in its order.
func writeSettings[T any](b *bytes.Buffer, name string, table []setting.Setting[T]) {
	fmt.Fprintf(b, "export const %s: Setting[] = [\n", name)
	for _, s := range table {
		kind := s.Kind
		switch {
		case s.IsList():
			kind = "list"
		case kind == setting.KindBool:
			kind = "switch"
		}
		fmt.Fprintf(b, "  { name: %s, kind: %s, initial: %s },\n", quote(s.Name), quote(kind), quote(s.Initial))
	}
	fmt.Fprintln(b, "]")
	fmt.Fprintln(b)
}

// quote writes a text as TypeScript has it.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // a string can be written
	}
	return strings.TrimSpace(b.String())
}
