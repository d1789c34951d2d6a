package tables

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// An explanation is what became of an event, as the admin API tells it.
type explanation struct {
	Event *struct {
		ID, Node, Channel, Name       string
		Time                          time.Time
		Size, Here, Elsewhere, Handed int
	}
	Others   []string
	Findings []struct {
		Verdict, Socket, User, Text, Advice string
		Unknown                             []string
		Evidence                            []struct {
			Time       time.Time
			Node, Text string
		}
	}
	Nodes []struct {
		Name, Detail string
		Answered     bool
		Events       *time.Time `json:"events_since"`
		Lives        *time.Time `json:"lives_since"`
	}
}

const momentFormat = "2006-01-02 15:04:05.000"

// Explanation writes what became of an event.
func Explanation(out io.Writer, reply []byte) error {
	var e explanation
	if err := adminclient.Read(reply, &e); err != nil {
		return err
	}
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, visible(fmt.Sprintf(format, args...))) }
	if ev := e.Event; ev != nil {
		say("event %s  %s on %s, %s%s", ev.ID, ev.Name, ev.Channel, ev.Time.Local().Format(momentFormat), at(ev.Node))
		say("  %d subscriptions there, %d on other nodes; handed to %d sockets", ev.Here, ev.Elsewhere, ev.Handed)
	}
	for _, f := range e.Findings {
		say("")
		if f.Socket != "" {
			say("socket %s", f.Socket)
		}
		say("%s: %s", strings.ToUpper(strings.ReplaceAll(f.Verdict, "_", " ")), f.Text)
		for _, line := range f.Evidence {
			say("  %s  %s%s", line.Time.Local().Format(momentFormat), line.Text, at(line.Node))
		}
		for _, doubt := range f.Unknown {
			say("  not known: %s", doubt)
		}
		if f.Advice != "" {
			say("  what to do: %s", f.Advice)
		}
	}
	if len(e.Others) > 0 {
		say("")
		say("other events that fit: %s", strings.Join(e.Others, ", "))
	}
	say("")
	for _, n := range e.Nodes {
		name := n.Name
		if name == "" {
			name = "this node"
		}
		if n.Events == nil || n.Lives == nil {
			say("%s: %s", name, n.Detail)
			continue
		}
		say("%s knows of events since %s, of connections since %s", name, n.Events.Local().Format(momentFormat), n.Lives.Local().Format(momentFormat))
	}
	_, err := fmt.Fprintln(out, strings.TrimLeft(strings.Join(lines, "\n"), "\n"))
	return err
}

func at(node string) string {
	if node == "" {
		return ""
	}
	return ", node " + node
}
