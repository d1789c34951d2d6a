package operator

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/terminal"
)

// consoleHost is a name of this machine that no other service has, so that the
// cookie of a session goes to no other either: cookies do not know ports.
const consoleHost = "belfry.localhost"

// A consoleCommand is belfry console.
type consoleCommand struct {
	adminCommand
	open bool
}

func newConsole(s cli.Streams) *cobra.Command {
	c := &consoleCommand{adminCommand: adminCommand{Streams: s}}
	command := &cobra.Command{
		Use:   "console",
		Short: "Open the console in a browser, without typing the token",
		Long: `Prints the address of the console. Whoever opens it first, within a minute, is
logged in, so it is worth as much as the token: give it to nobody.

For a service on another machine, where its administration port is not
encrypted, forward the port and use the address there:

  ssh -L 6002:127.0.0.1:6002 HOST belfry console`,
		Example: `  belfry console --open
  belfry console --admin https://ops.example:6002 --token-file token`,
		Args: cli.NoArguments,
	}
	command.Flags().BoolVar(&c.open, "open", false, "open it in the browser of this machine")
	return c.command(command, c.run)
}

func (c *consoleCommand) run(ctx context.Context, client adminclient.Client, _ []string) error {
	reply, err := client.Call(ctx, adminclient.Request{Method: http.MethodPost, Path: adminclient.CodePath, Body: struct{}{}})
	if err != nil {
		return err
	}
	if c.json {
		fmt.Fprintf(c.Out, "%s\n", reply)
		return nil
	}
	var made struct{ Code string }
	if err := adminclient.Read(reply, &made); err != nil {
		return err
	}
	address, other := consoleAddress(client.URL("console/"), made.Code)
	fmt.Fprintln(c.Out, address)
	fmt.Fprint(c.Err, "it logs in once, within a minute\n")
	if other != "" {
		fmt.Fprintf(c.Err, "if the browser does not find %s:\n%s\n", consoleHost, other)
	}
	if !c.open {
		return nil
	}
	if err := terminal.OpenBrowser(ctx, address); err != nil {
		return fmt.Errorf("no browser could be opened (%w); open the address yourself", err)
	}
	return nil
}

// consoleAddress returns the address that logs in. The code is behind the #,
// which browsers send to nobody. For this machine there are two: one under a
// name that only Belfry has, and one that every browser finds.
func consoleAddress(u *url.URL, code string) (address, other string) {
	u.Fragment = "code=" + code
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		host, port = u.Hostname(), ""
	}
	if addr, err := netip.ParseAddr(host); err != nil || addr.Unmap() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) || u.Scheme != "http" {
		return u.String(), ""
	}
	other = u.String()
	u.Host = consoleHost
	if port != "" {
		u.Host = net.JoinHostPort(consoleHost, port)
	}
	return u.String(), other
}
