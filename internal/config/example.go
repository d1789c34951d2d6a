package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

const exampleHead = `# yaml-language-server: $schema=belfry.schema.json
#
# Everything that belfry can be told, with the defaults. Keep what you change.
#
#   belfry check --config belfry.yaml    says whether it is right
#   belfry serve --config belfry.yaml    runs it
#   belfry config schema > belfry.schema.json
#       has editors complete and check this file: the first line says so
#
# Made from the table of settings in internal/config by its tests.
`

const exampleApps = `
# The apps: any number, each with its own credentials and limits. Without any,
# the first start of belfry serve makes one with random credentials; more can
# be made at run time with belfry apps create.
#
# apps:
#   - id: "1"
#     # Credentials. An app may have several pairs at once, so that they can be
#     # exchanged without a pause. Make a secret with: openssl rand -hex 20
#     keys:
#       - key: ""
#         secret: ""
`

// WriteExample writes a file that has every setting, with its default: that in
// examples/belfry.yaml. What could not be written is lost: give it a buffer.
func WriteExample(w io.Writer) {
	io.WriteString(w, exampleHead)
	writeSettings(w, settings, "", "")
	io.WriteString(w, exampleApps)
	isID := func(s setting.Setting[apps.App]) bool { return s.Name == "id" }
	writeSettings(w, slices.DeleteFunc(slices.Clone(apps.Settings), isID), "# ", "    ")
	io.WriteString(w, exampleWebhooks)
	isURL := func(s setting.Setting[apps.Webhook]) bool { return s.Name == "url" }
	writeSettings(w, slices.DeleteFunc(slices.Clone(apps.WebhookSettings), isURL), "# ", "        ")
}

const exampleWebhooks = `#     # Endpoints of the backend that are told what happens in channels; any
#     # number of them, as docs/webhooks.md says.
#     webhooks:
#       - url: https://example.com/hooks
`

// writeSettings writes a table as the inside of one block. mark begins every
// line and indent follows it.
func writeSettings[T any](w io.Writer, table []setting.Setting[T], mark, indent string) {
	var within []string
	for _, s := range table {
		parts := strings.Split(s.Name, ".")
		outer, name := parts[:len(parts)-1], parts[len(parts)-1]
		if mark == "" && (len(outer) == 0 || len(within) == 0 || outer[0] != within[0]) {
			fmt.Fprintln(w)
		}
		deeper := indent
		for i, block := range outer {
			if i >= len(within) || within[i] != block {
				fmt.Fprintf(w, "%s%s%s:\n", mark, deeper, block)
				within = nil
			}
			deeper += "  "
		}
		within = outer
		for _, line := range wrap(s.Plain(), 76-len(mark+deeper)) {
			fmt.Fprintf(w, "%s%s# %s\n", mark, deeper, line)
		}
		fmt.Fprintf(w, "%s%s%s: %s\n", mark, deeper, name, s.Initial)
	}
}

// wrap breaks text into lines of at most width bytes, where it can.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
