package tables

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// An app is what is shown of an app.
type app struct {
	ID       string
	Name     string
	Disabled bool
	Source   string
	Revision uint64
	Created  time.Time
	Updated  time.Time
	Keys     []key
	Webhooks []struct{ URL string }
}

type key struct {
	Key, Secret string
	Created     time.Time
}

const onceOnly = "The secret will not be shown again."

// Made writes the credentials of an app that was made.
func Made(w io.Writer, reply []byte) error {
	var a app
	if err := adminclient.Read(reply, &a); err != nil {
		return err
	}
	if len(a.Keys) == 0 {
		return fmt.Errorf("the answer of the service has no credentials: %s", reply)
	}
	_, err := fmt.Fprintf(w, "  app id   %s\n  key      %s\n  secret   %s\n\n%s\n", a.ID, a.Keys[0].Key, a.Keys[0].Secret, onceOnly)
	return err
}

// Pair writes a pair of credentials of an app.
func Pair(id string) func(io.Writer, []byte) error {
	return func(w io.Writer, reply []byte) error {
		var pair key
		if err := adminclient.Read(reply, &pair); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "  app id   %s\n  key      %s\n  secret   %s\n\n%s The other pairs of the app stay valid; see belfry apps revoke.\n",
			id, pair.Key, pair.Secret, onceOnly)
		return err
	}
}

// App writes everything about an app. Settings that are not as they are by
// default are marked.
func App(w io.Writer, reply []byte) error {
	var about app
	if err := adminclient.Read(reply, &about); err != nil {
		return err
	}
	now, initial := apps.New(), apps.New()
	if err := now.Set(reply, func(string, []byte) bool { return true }); err != nil {
		return fmt.Errorf("the answer of the service can not be read: %w", err)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range apps.Settings {
		value := text(s, now)
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
func text(s setting.Setting[apps.App], a *apps.App) string {
	switch v := setting.ToJSON(s.Get(a)).(type) {
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

// Apps writes a line for each app.
func Apps(w io.Writer, list []json.RawMessage) error {
	return columns(w, list, "APP\tNAME\tSTATE\tSOURCE\tKEYS", func(a app) string {
		state := "enabled"
		if a.Disabled {
			state = "disabled"
		}
		var keys []string
		for _, k := range a.Keys {
			keys = append(keys, k.Key)
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", a.ID, oneLine(a.Name), state, a.Source, strings.Join(keys, ","))
	})
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
