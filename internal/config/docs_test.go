package config

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/configuration.md and examples/belfry.yaml instead of comparing them")

// TestDocumentsAreMadeFromTheTable keeps the reference page and the example
// true.
func TestDocumentsAreMadeFromTheTable(t *testing.T) {
	var reference, example bytes.Buffer
	writeReference(&reference)
	writeExample(&example)
	for name, want := range map[string][]byte{
		"../../docs/configuration.md": reference.Bytes(),
		"../../examples/belfry.yaml":  example.Bytes(),
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

// TestExample reads the example as it is, and with its apps.
func TestExample(t *testing.T) {
	var example strings.Builder
	writeExample(&example)
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
