package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// WriteSummary writes every setting with its value and where it stands, and
// every app, for a person to check. Secrets are left out.
func (c *Config) WriteSummary(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tVALUE\tFROM")
	for _, g := range c.given {
		from := g.value.place.String()
		if from == "" {
			from = "default"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", g.name, shown(g, settings), from)
	}
	for i, app := range c.Server.Apps {
		fmt.Fprintf(table, "\nAPP %s\t%s\t%s\n", app.ID, keysOf(app), c.apps[i].place)
		for _, g := range c.apps[i].given {
			if g.name != "id" {
				fmt.Fprintf(table, "  %s\t%s\t%s\n", g.name, shown(g, apps.Settings), g.value.place)
			}
		}
	}
	return table.Flush()
}

// shown is the value of a setting of a table as it may be seen.
func shown[T any](g given, table []setting.Setting[T]) string {
	if i := setting.Index(table, g.name); table[i].Secret && (g.value.Text != "" || len(g.value.List) > 0) {
		return "(hidden)"
	}
	return g.value.String()
}

// keysOf names the keys of an app, which are public, without their secrets.
func keysOf(app *apps.App) string {
	keys := make([]string, len(app.Keys))
	for i, k := range app.Keys {
		keys[i] = k.Key
	}
	return "key " + strings.Join(keys, ", ") + " (secret hidden)"
}
