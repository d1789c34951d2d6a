package operator

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// An auditCommand is belfry audit.
type auditCommand struct {
	adminCommand
	app, who, after string
	limit           int
}

func newAudit(s cli.Streams) *cobra.Command {
	a := &auditCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "audit",
		Short: "Tell who changed what, when and from where",
		Long: `Tells what was changed by the admin API, the console and these commands, who logged
in, what was refused, and who looked at what an app sends. The newest comes first.
Entries are kept for 90 days. Only operators may ask.`,
		Example: `  belfry audit
  belfry audit --app 1234567 --limit 20
  belfry audit --who ada --json`,
		Args: cli.NoArguments,
	}
	c.Flags().StringVar(&a.app, "app", "", "only what was done to the app of this `id`")
	c.Flags().StringVar(&a.who, "who", "", "only what was done with the token of this `name`, or by operator")
	c.Flags().IntVar(&a.limit, "limit", 100, "how `many` entries, up to 1000")
	c.Flags().StringVar(&a.after, "after", "", "go on where another answer ended, which said so")
	return a.command(c, a.run)
}

func (a *auditCommand) run(ctx context.Context, client adminclient.Client, _ []string) error {
	query := url.Values{"limit": {strconv.Itoa(a.limit)}}
	for name, value := range map[string]string{"app": a.app, "who": a.who, "after": a.after} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return a.ask(ctx, client, adminclient.Request{Method: http.MethodGet, Path: adminclient.AuditPath, Query: query}, tables.Audit)
}
