package tables

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// A channel is what is shown of a channel.
type channel struct {
	Name, Kind    string
	Subscriptions int
	Users         *int
	Cached        *struct {
		Bytes   int64
		Expires time.Time
	}
}

func (c channel) users() string {
	if c.Users == nil {
		return "-"
	}
	return fmt.Sprint(*c.Users)
}

func (c channel) cached() string {
	if c.Cached == nil {
		return "-"
	}
	return fmt.Sprintf("%s until %s", bytesText(c.Cached.Bytes), clock(c.Cached.Expires))
}

// clock is a moment for people who look at what happens now.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// Channels writes a table of channels.
func Channels(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "nobody is subscribed to such a channel; belfry subscribe news would be")
		return err
	}
	return columns(out, list, "CHANNEL\tKIND\tSUBSCRIPTIONS\tUSERS\tCACHED", func(c channel) string {
		return fmt.Sprintf("%s\t%s\t%d\t%s\t%s", visible(c.Name), c.Kind, c.Subscriptions, c.users(), c.cached())
	})
}

// Channel writes one channel with its members and subscribers.
func Channel(out io.Writer, reply []byte) error {
	var c struct {
		channel
		Members []struct {
			User  string
			Nodes int
		}
		Subscribers []json.RawMessage
		Next        string
	}
	if err := adminclient.Read(reply, &c); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s, subscriptions: %d, users: %s, cached event: %s\n", visible(c.Name), c.Kind, c.Subscriptions, c.users(), c.cached())
	var names []string
	for _, m := range c.Members {
		names = append(names, visible(m.User))
	}
	if len(names) > 0 {
		fmt.Fprintf(out, "members: %s\n", strings.Join(names, ", "))
	}
	fmt.Fprintln(out)
	if err := Connections(out, c.Subscribers); err != nil {
		return err
	}
	if c.Next != "" {
		fmt.Fprintf(out, "there are more; belfry connections --channel %s lists them\n", visible(c.Name))
	}
	return nil
}

// A connection is what is shown of a connection.
type connection struct {
	Socket, Node, User, Transport, Origin, Library, Version, Address, Member string
	Since                                                                    time.Time
	TLS                                                                      bool
	Subscriptions                                                            int
	WaitingBytes                                                             int64   `json:"waiting_bytes"`
	SilentSeconds                                                            float64 `json:"silent_seconds"`
}

func (c connection) user() string { return cmp.Or(visible(cmp.Or(c.Member, c.User)), "-") }

func (c connection) library() string {
	return cmp.Or(strings.TrimSpace(visible(c.Library)+" "+visible(c.Version)), "-")
}

// Connections writes a table of connections.
func Connections(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "there is no such connection")
		return err
	}
	const header = "SOCKET\tSINCE\tUSER\tTRANSPORT\tADDRESS\tLIBRARY\tORIGIN\tCHANNELS\tWAITING\tNODE"
	return columns(out, list, header, func(c connection) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s", c.Socket, clock(c.Since), c.user(), cmp.Or(c.Transport, "-"),
			cmp.Or(c.Address, "-"), c.library(), cmp.Or(visible(c.Origin), "-"), c.Subscriptions, bytesText(c.WaitingBytes), visible(c.Node))
	})
}

// Connection writes one connection and its channels.
func Connection(out io.Writer, reply []byte) error {
	var c struct {
		connection
		Channels []struct {
			Channel, Member string
			Joined          time.Time
		}
	}
	if err := adminclient.Read(reply, &c); err != nil {
		return err
	}
	transport := c.Transport
	if c.TLS {
		transport += ", TLS"
	}
	silent := time.Duration(c.SilentSeconds * float64(time.Second)).Round(100 * time.Millisecond)
	for _, line := range [][2]string{
		{"socket", c.Socket}, {"node", visible(c.Node)}, {"since", clock(c.Since)}, {"user", c.user()}, {"transport", transport},
		{"address", cmp.Or(c.Address, "-")}, {"library", c.library()}, {"origin", cmp.Or(visible(c.Origin), "-")},
		{"silent for", silent.String()}, {"waiting", bytesText(c.WaitingBytes)}, {"channels", fmt.Sprint(c.Subscriptions)},
	} {
		fmt.Fprintf(out, "%-11s %s\n", line[0], line[1])
	}
	for _, s := range c.Channels {
		as := ""
		if s.Member != "" {
			as = " as " + visible(s.Member)
		}
		fmt.Fprintf(out, "  %s since %s%s\n", visible(s.Channel), clock(s.Joined), as)
	}
	if rest := c.Subscriptions - len(c.Channels); rest > 0 {
		fmt.Fprintf(out, "  and %d others\n", rest)
	}
	return nil
}

// Groups writes how many connections have what in common.
func Groups(out io.Writer, reply []byte) error {
	var g struct {
		Groups []struct {
			Value       string
			Connections int
		}
		Others, Total int
	}
	if err := adminclient.Read(reply, &g); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, group := range g.Groups {
		fmt.Fprintf(table, "%d\t  %s\n", group.Connections, cmp.Or(visible(group.Value), "(none)"))
	}
	if g.Others > 0 {
		fmt.Fprintf(table, "%d\t  in smaller groups\n", g.Others)
	}
	fmt.Fprintf(table, "%d\t  in all\n", g.Total)
	return table.Flush()
}
