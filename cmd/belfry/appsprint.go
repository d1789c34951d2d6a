package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// A shownApp is what the commands read of an app.
type shownApp struct {
	ID       string
	Name     string
	Disabled bool
	Source   string
	Revision uint64
	Created  time.Time
	Updated  time.Time
	Keys     []shownKey
	Webhooks []struct{ URL string }
}

type shownKey struct {
	Key, Secret string
	Created     time.Time
}

// print writes an answer for a person, or as it is.
func (a *appsCommand) print(reply []byte, forPeople func(io.Writer, []byte) error) error {
	if a.admin.json || forPeople == nil {
		_, err := fmt.Fprintf(a.out, "%s\n", reply)
		return err
	}
	return forPeople(a.out, reply)
}

const onceOnly = "The secret will not be shown again."

// printMade writes the credentials of an app that was made.
func printMade(w io.Writer, reply []byte) error {
	var app shownApp
	if err := json.Unmarshal(reply, &app); err != nil || len(app.Keys) == 0 {
		return fmt.Errorf("the answer of the service can not be read: %s", reply)
	}
	_, err := fmt.Fprintf(w, "  app id   %s\n  key      %s\n  secret   %s\n\n%s\n", app.ID, app.Keys[0].Key, app.Keys[0].Secret, onceOnly)
	return err
}

// printPair writes a pair of credentials of an app.
func printPair(id string) func(io.Writer, []byte) error {
	return func(w io.Writer, reply []byte) error {
		var pair shownKey
		if err := json.Unmarshal(reply, &pair); err != nil {
			return fmt.Errorf("the answer of the service can not be read: %w", err)
		}
		_, err := fmt.Fprintf(w, "  app id   %s\n  key      %s\n  secret   %s\n\n%s The other pairs of the app stay valid; see belfry apps revoke.\n",
			id, pair.Key, pair.Secret, onceOnly)
		return err
	}
}

// printApp writes everything about an app. Settings that are not as they are by
// default are marked.
func printApp(w io.Writer, reply []byte) error {
	var about shownApp
	if err := json.Unmarshal(reply, &about); err != nil {
		return fmt.Errorf("the answer of the service can not be read: %w", err)
	}
	app, initial := apps.New(), apps.New()
	if err := app.Set(reply, func(string, []byte) bool { return true }); err != nil {
		return fmt.Errorf("the answer of the service can not be read: %w", err)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range apps.Settings {
		value := text(s, app)
		if value != text(s, initial) && s.Name != "id" {
			value += "\t(default: " + text(s, initial) + ")"
		}
		fmt.Fprintf(table, "%s\t%s\n", s.Name, value)
	}
	for i, hook := range about.Webhooks {
		fmt.Fprintf(table, "webhooks[%d]\t%s\n", i, hook.URL)
	}
	for i, k := range about.Keys {
		fmt.Fprintf(table, "keys[%d]\t%s%s\n", i, k.Key, since(k.Created))
	}
	switch about.Source {
	case "configuration":
		fmt.Fprintf(table, "source\tthe configuration of the service\n")
	default:
		fmt.Fprintf(table, "created\t%s\nupdated\t%s\nrevision\t%d\n", about.Created.Format(time.RFC3339), about.Updated.Format(time.RFC3339), about.Revision)
	}
	return table.Flush()
}

// since says when something was made, if that is known.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "\tsince " + t.Format(time.RFC3339)
}

// text is a setting as a person writes it.
func text(s setting.Setting[apps.App], app *apps.App) string {
	switch v := setting.ToJSON(s.Get(app)).(type) {
	case []string:
		return strings.Join(v, ",")
	case string:
		if v == "" {
			return `""`
		}
		return v
	default:
		return fmt.Sprint(v)
	}
}

// printList writes a line for each app.
func printList(w io.Writer, list []shownApp) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "APP\tNAME\tSTATE\tSOURCE\tKEYS")
	for _, app := range list {
		state := "enabled"
		if app.Disabled {
			state = "disabled"
		}
		var keys []string
		for _, k := range app.Keys {
			keys = append(keys, k.Key)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", app.ID, oneLine(app.Name), state, app.Source, strings.Join(keys, ","))
	}
	return table.Flush()
}

// oneLine keeps a name from breaking a table.
func oneLine(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if r := []rune(clean); len(r) > 40 {
		return string(slices.Concat(r[:39], []rune("…")))
	}
	return clean
}
