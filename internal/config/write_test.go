package config

import (
	"fmt"
	"io"

	"github.com/belfryhq/belfry/internal/apps"
)

const referenceHead = `# Configuration

<!-- Made from the table of settings in internal/config by its tests: go test ./internal/config -update -->

` + "`belfry serve`" + ` reads, from the weakest to the strongest: its defaults, a file (` + "`--config belfry.yaml`" + ` or
` + "`BELFRY_CONFIG`" + `), environment variables, and flags. ` + "`belfry check`" + ` reads the same, says what would run and where every
value comes from, and starts nothing. [belfry.yaml](../examples/belfry.yaml) is an example with everything in it.

A mistake anywhere keeps the service from starting, and every mistake is told at once, with where it stands:

` + "```" + `
belfry.yaml:12: websocket.pong_timeout: 30 has no unit; write 30s for seconds
belfry.yaml:19: apps[0].limts: unknown setting; did you mean limits?
BELFRY_LOG_LEVL: unknown setting; did you mean BELFRY_LOG_LEVEL?
` + "```" + `

* **Environment.** The name of a setting in capitals, with ` + "`BELFRY_`" + ` in front and ` + "`_`" + ` for every dot. A variable that
  is empty counts as not given; ` + "`off`" + ` turns a listener off. Lists are separated by commas. An unknown variable that begins with
  ` + "`BELFRY_`" + ` is a mistake. Exceptions are ` + "`BELFRY_URL`" + ` (read by ` + "`belfry trigger`, `belfry subscribe` and `belfry doctor`" + `), ` + "`BELFRY_ADMIN_URL`" + ` (` + "`belfry apps`" + `), ` + "`BELFRY_TEST_…`" + `,
  and those that Kubernetes makes for a service of that name. What containers commonly have, such as ` + "`BELFRY_VERSION`" + ` and ` + "`BELFRY_IMAGE`" + `, is warned of.
* **Durations** are written ` + "`500ms`, `30s`, `2m`, `24h`" + `. **Sizes** are bytes, or have a unit: ` + "`128KiB`, `1MiB`" + `.
* **Reloading.** The file is read again when it changes, and on a SIGHUP. Apps and the settings called live below then are as it says,
  without a connection being closed, but for those of apps that are gone (4001) or disabled (4003). A file with a mistake changes
  nothing; the log says every one. What needs a restart is named in a warning.
* **Files** that are named relatively are looked for in the directory in which the service is started.

## The service

| Setting | Default | Flag and variable | Meaning |
| --- | --- | --- | --- |
`

const referenceApps = `
## Apps

` + "`apps`" + ` is a list. An app has an ` + "`id`" + `, one or more pairs under ` + "`keys`" + `, and whatever of the rest should not be as it is by
default. The defaults of the limits are those of the hosted service.

` + "```yaml" + `
apps:
  - id: "1"
    name: shop
    keys:
      - {key: 278d425bdf160c739803, secret: …}
    client_events: true
    limits:
      presence_members: 500
` + "```" + `

Apps have no flags, because every user of a machine can read the flags of a process. The variable ` + "`BELFRY_APPS`" + ` may have the
whole list instead, written in the same way: ` + "`BELFRY_APPS='[{id: \"1\", keys: [{key: …, secret: …}]}]'`" + `.

Apps of the file can not be changed by the admin API or ` + "`belfry apps`" + `; those that are [made at run time](apps.md) can. Both are served. If
both have an app of one id, or a key, it is the file's, and the log says so.

Where no apps are configured, the first start of ` + "`belfry serve`" + ` makes one with random credentials, as if by
` + "`belfry apps create`" + `. It shows the credentials once: on the terminal or, where the log is no terminal,
in ` + "`first-app.env`" + ` in data_dir, readable by its user only.

| Setting | Default | Meaning |
| --- | --- | --- |
`

// writeReference writes docs/configuration.md.
func writeReference(w io.Writer) {
	io.WriteString(w, referenceHead)
	for _, s := range settings {
		form, kind := "`--"+s.Flag()+"` `"+variable(s.Name)+"`", s.Kind
		if !hasFlag(s) {
			form = "`" + variable(s.Name) + "`"
		}
		if isLive(s.Name) {
			kind += ", live"
		}
		fmt.Fprintf(w, "| `%s` | `%s` | %s | %s (%s) |\n", s.Name, s.Initial, form, s.Doc, kind)
	}
	io.WriteString(w, referenceApps)
	for _, s := range apps.Settings {
		initial := "required"
		if s.Initial != "" {
			initial = "`" + s.Initial + "`"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s (%s) |\n", s.Name, initial, s.Doc, s.Kind)
	}
	for _, s := range apps.KeySettings {
		fmt.Fprintf(w, "| `keys[].%s` | required | %s (%s) |\n", s.Name, s.Doc, s.Kind)
	}
	for _, s := range apps.WebhookSettings {
		initial := "required"
		if s.Initial != "" {
			initial = "`" + s.Initial + "`"
		}
		fmt.Fprintf(w, "| `webhooks[].%s` | %s | %s (%s) |\n", s.Name, initial, s.Doc, s.Kind)
	}
}
