package config

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write docs/configuration.md and examples/belfry.yaml instead of comparing them")

// TestDocumentsAreMadeFromTheTable keeps the reference page, the example and the schema
// true.
func TestDocumentsAreMadeFromTheTable(t *testing.T) {
	var reference, example bytes.Buffer
	writeReference(&reference)
	WriteExample(&example)
	for name, want := range map[string][]byte{
		"../../docs/configuration.md":       reference.Bytes(),
		"../../examples/belfry.yaml":        example.Bytes(),
		"../../examples/belfry.schema.json": Schema(),
	} {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the table says; run go test ./internal/config -update (-want +got):\n%s", name, diff)
		}
	}
}

// TestSchema validates files with the schema: the example, what is read, and what is not.
func TestSchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("belfry.json", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("belfry.json")
	if err != nil {
		t.Fatal(err)
	}
	var example strings.Builder
	WriteExample(&example)
	packaged, err := os.ReadFile("../../packaging/linux/belfry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	apps := strings.Index(example.String(), "\n# apps:\n")
	for text, right := range map[string]bool{
		example.String(): true,
		example.String()[:apps] + strings.ReplaceAll(example.String()[apps:], "\n# ", "\n"): true,
		string(packaged): true,
		"apps:\n- {id: \"1\", keys: [{key: a, secret: b}], limits: {event_data: 100KiB}, webhooks: [{url: https://x.example, events: [presence]}]}": true,
		"tls.listen: 0.0.0.0:443\njoin: a:1,b:2\nlog:\n":           true,
		"websocket: {send_buffer: 1048576, pong_timeout: 1m30s}\n": true,
		"listn: 0.0.0.0:1\n":     false,
		"apps:\n- {id: \"1\"}\n": false,
		"apps:\n- {id: \"1\", keys: [{key: a, secret: b}], limts: {}}\n": false,
		"log: {level: loud}\n":                  false,
		"websocket: {pong_timeout: 30}\n":       false,
		"websocket: {send_buffer: 1MB}\n":       false,
		"websocket: {compression: sometimes}\n": false,
		"max_connections: many\n":               false,
		"webhooks: {concurency: 1}\n":           false,
	} {
		var file any
		if err := yaml.Unmarshal([]byte(text), &file); err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(file); (err == nil) != right {
			t.Errorf("the schema says %v of a file that is right: %t\n%.200s", err, right, text)
		}
	}
}

// TestExample reads the example as it is, and with its apps.
func TestExample(t *testing.T) {
	var example strings.Builder
	WriteExample(&example)
	if diff := cmp.Diff(load(t, Source{}).Server, load(t, inFile(t, example.String())).Server, prefixes); diff != "" {
		t.Errorf("the example differs from the defaults:\n%s", diff)
	}
	apps := strings.Index(example.String(), "\n# apps:\n")
	text := example.String()[:apps] + strings.ReplaceAll(example.String()[apps:], "\n# ", "\n")
	_, err := Load(inFile(t, text))
	if err == nil || strings.Count(err.Error(), "\n") != 1 || strings.Count(err.Error(), "is empty") != 2 {
		t.Errorf("Load of the example with its apps = %v, want two mistakes, the empty key and the empty secret", err)
	}
}

// TestNamesAreUnambiguous is about the three forms of a name.
func TestNamesAreUnambiguous(t *testing.T) {
	seen := map[string]string{envConfig: "", envApps: "", envURL: "", envAdmin: "", "config": ""}
	for _, s := range settings {
		for _, form := range []string{s.Flag(), variable(s.Name)} {
			if other, twice := seen[form]; twice {
				t.Errorf("%s and %s are both %s", s.Name, other, form)
			}
			seen[form] = s.Name
		}
		if kubernetes.MatchString(variable(s.Name) + "=tcp://1") {
			t.Errorf("%s looks like a variable of Kubernetes", variable(s.Name))
		}
		if !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("the text of %s is no sentence: %q", s.Name, s.Doc)
		}
	}
}
