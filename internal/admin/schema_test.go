package admin

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

var update = flag.Bool("update", false, "write the schemas of apps in openapi.yaml instead of comparing them")

const madeFromHere = "    # What follows is made from the table of settings: go test ./internal/admin -update\n"

// TestSchemasAreMadeFromTheTable keeps the description of apps true.
func TestSchemasAreMadeFromTheTable(t *testing.T) {
	head, _, ok := strings.Cut(string(OpenAPI), madeFromHere)
	if !ok {
		t.Fatalf("openapi.yaml has no line %q", madeFromHere)
	}
	want := head + madeFromHere + appSchemas()
	if *update {
		if err := os.WriteFile("openapi.yaml", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		OpenAPI = []byte(want)
	}
	if diff := cmp.Diff(want, string(OpenAPI)); diff != "" {
		t.Errorf("openapi.yaml is not what the table says; run go test ./internal/admin -update (-want +got):\n%s", diff)
	}
}

// appSchemas are those of an app as it is told, made and changed.
func appSchemas() string {
	var b bytes.Buffer
	object := func(name, description string, nullable bool, required string, more ...string) {
		fmt.Fprintf(&b, "    %s:\n      description: %s\n      type: object\n      additionalProperties: false\n", name, description)
		if required != "" {
			fmt.Fprintf(&b, "      required: [%s]\n", required)
		}
		fmt.Fprintln(&b, "      properties:")
		appProperties(&b, nullable)
		for _, line := range more {
			fmt.Fprintln(&b, "        "+line)
		}
	}
	webhooks := `webhooks: {type: array, description: "The endpoints that are told what happens. The values of their headers are hidden: \"…\".", items: {$ref: "#/components/schemas/Webhook"}}`
	object("App", "An app as it is", false, "id, name, disabled, allowed_origins, limits, webhooks, keys, source", webhooks,
		`keys: {type: array, description: "Every pair is valid, the oldest first", items: {$ref: "#/components/schemas/Key"}}`,
		`source: {type: string, enum: [configuration, store], description: "Where the app stands. One of the configuration can not be changed here."}`,
		`revision: {type: integer, description: "Changes with every change. Absent for an app of the configuration, like the times."}`,
		`created: {type: string, format: date-time}`,
		`updated: {type: string, format: date-time}`)
	object("NewApp", "An app that is to be made. Everything is optional.", false, "", webhooks,
		`keys: {type: array, maxItems: 10, description: "Without any, a random pair is made", items: {$ref: "#/components/schemas/NewKey"}}`)
	object("AppChange", "What is to change; null gives a setting its default", true, "",
		strings.Replace(webhooks, "type: array", "type: array, nullable: true", 1))
	fmt.Fprint(&b, "    Webhook:\n      type: object\n      additionalProperties: false\n      required: [url]\n      properties:\n")
	for _, s := range apps.WebhookSettings {
		property(&b, "        ", s.Name, s, false)
	}
	return b.String()
}

func appProperties(b *bytes.Buffer, nullable bool) {
	inside := ""
	for _, s := range apps.Settings {
		block, name, nested := strings.Cut(s.Name, ".")
		if !nested {
			property(b, "        ", s.Name, s, nullable && s.Initial != "")
			continue
		}
		if block != inside {
			inside = block
			fmt.Fprintf(b, "        %s:\n          type: object\n          additionalProperties: false\n", block)
			if nullable {
				fmt.Fprintln(b, "          nullable: true")
			}
			fmt.Fprintln(b, "          properties:")
		}
		property(b, "            ", name, s, nullable)
	}
}

func property[T any](b *bytes.Buffer, indent, name string, s setting.Setting[T], nullable bool) {
	kind := "type: string"
	switch {
	case s.IsList():
		kind = "type: array, items: {type: string}"
	case s.Kind == setting.KindBool:
		kind = "type: boolean"
	case s.Kind == setting.KindNumber:
		kind = "type: integer, minimum: 0"
	case s.Kind == setting.KindSize:
		kind = "type: integer, minimum: 0"
	case s.Kind == setting.KindDuration:
		kind = `type: string, pattern: "^([0-9.]+(h|m|s|ms|us|µs|ns))+$"`
	}
	if nullable {
		kind += ", nullable: true"
	}
	doc := s.Plain()
	if s.Initial != "" && s.Initial != "[]" && s.Initial != `""` {
		doc += " By default " + s.Initial + "."
	}
	fmt.Fprintf(b, "%s%s: {%s, description: %q}\n", indent, name, kind, doc)
}
