package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// An adminCommand is a command that speaks to the admin API.
type adminCommand struct {
	cli.Streams
	where adminclient.Where
	json  bool // print answers as they came
}

// adminHelp is the same in the help of every command that speaks to the admin
// API.
const adminHelp = `Which service: --admin or BELFRY_ADMIN_URL, by default http://` + adminclient.DefaultListen + `. Its token
is BELFRY_ADMIN_TOKEN, or stands in the file --token-file names, or in the data
directory of the service (--data-dir or BELFRY_DATA_DIR, by default belfry-data).
Without any of it, a service of this machine is taken for belfry dev.`

// group completes a command that only has others below it.
func group(c *cobra.Command, below ...*cobra.Command) *cobra.Command {
	c.Long += "\n\n" + adminHelp
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return cli.Usagef("there is no %s %s", c.CommandPath(), args[0])
		}
		return c.Help()
	}
	c.AddCommand(below...)
	return c
}

// command completes a command with the flags that all have and what it does.
func (a *adminCommand) command(c *cobra.Command, run func(context.Context, adminclient.Client, []string) error) *cobra.Command {
	c.Long += "\n\n" + adminHelp
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.where.Find(os.Getenv)
		if err == nil {
			err = run(c.Context(), client, args)
		}
		if e, ok := errors.AsType[*adminclient.UsageError](err); ok {
			return cli.Usagef("%v", e)
		}
		return err
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&a.where.URL, "admin", "", "the administration port of the service, as `http://host:port` (BELFRY_ADMIN_URL)")
	flags.StringVar(&a.where.TokenFile, "token-file", "", "a `file` that has the token")
	flags.StringVar(&a.where.DataDir, "data-dir", "", "the data `directory` of the service, which has the token (BELFRY_DATA_DIR)")
	flags.BoolVar(&a.json, "json", false, "print the answer of the service as it is")
	return c
}

// ask prints the answer of the service, for a person or as it came.
func (a *adminCommand) ask(ctx context.Context, client adminclient.Client, q adminclient.Request, forPeople func(io.Writer, []byte) error) error {
	reply, err := client.Call(ctx, q)
	if err != nil {
		return err
	}
	if a.json {
		_, err = fmt.Fprintf(a.Out, "%s\n", reply)
		return err
	}
	return forPeople(a.Out, reply)
}

// listSome prints a list of the service, for a person or with each element on a line
// as it came, and names the nodes that have no part in it. It reports whether the
// list goes on behind its limit.
func (a *adminCommand) listSome(ctx context.Context, client adminclient.Client, l adminclient.List, forPeople func(io.Writer, []json.RawMessage) error) (more bool, err error) {
	var all []json.RawMessage
	more, err = client.Pages(ctx, l, func(reply []byte, elements []json.RawMessage) error {
		tables.Missing(a.Err, reply)
		if a.json {
			return tables.Lines(a.Out, elements)
		}
		all = append(all, elements...)
		return nil
	})
	if err != nil || a.json {
		return more, err
	}
	return more, forPeople(a.Out, all)
}

// list is listSome for all that there is.
func (a *adminCommand) list(ctx context.Context, client adminclient.Client, path, member string, query url.Values, forPeople func(io.Writer, []json.RawMessage) error) error {
	_, err := a.listSome(ctx, client, adminclient.List{Path: path, Member: member, Query: query}, forPeople)
	return err
}

// say tells a person what was done, unless the answer is printed as it came.
func (a *adminCommand) say(format string, args ...any) func(io.Writer, []byte) error {
	return func(io.Writer, []byte) error {
		_, err := fmt.Fprintf(a.Err, format, args...)
		return err
	}
}
