package tables

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// A liveRow is one thing that happened, as the admin API tells it.
type liveRow struct {
	Type     string
	Time     time.Time
	Node     string
	Socket   string
	User     string
	Channel  string
	Event    string
	EventID  string `json:"event_id"`
	Size     *int
	Data     *string
	NoData   string `json:"no_data"`
	Here     *int
	Others   *int `json:"elsewhere"`
	Except   string
	Code     int
	Detail   string
	ClosedBy string `json:"closed_by"`
	Lasted   float64
	Waiting  int
	Count    *int // of a gap
	Channels *int `json:"channel_count"`
	Client   *struct {
		Transport, Library, Origin, Address string
	}
	Reason string
	Nodes  []struct {
		Name     string
		Answered bool
		Detail   string
	}
}

// Live returns the line of one thing that happened, without its end. It has no
// characters that could do something to a terminal.
func Live(data []byte) (string, error) {
	var r liveRow
	if err := adminclient.Read(data, &r); err != nil {
		return "", err
	}
	var line string
	switch r.Type {
	case "gap":
		line = r.gap()
	case "nodes":
		line = r.nodes()
	default:
		line = fmt.Sprintf("%s  %-18s  %s", r.Time.Local().Format("15:04:05.000"), r.Type, strings.Join(r.parts(), "  "))
	}
	return visible(strings.TrimRight(line, " ")), nil
}

// parts are what there is to say of a row.
func (r *liveRow) parts() (list []string) {
	add := func(text string) {
		if text != "" {
			list = append(list, text)
		}
	}
	add(r.Channel)
	add(r.Event)
	if r.Here != nil && r.Others != nil {
		add(fmt.Sprintf("%d here, %d elsewhere", *r.Here, *r.Others))
	}
	add(named("socket", r.Socket))
	add(named("user", r.User))
	add(named("but", r.Except))
	if c := r.Client; c != nil {
		add(c.Transport)
		add(c.Library)
		add(named("origin", c.Origin))
		add(named("from", c.Address))
	}
	if r.Code != 0 {
		add(strconv.Itoa(r.Code))
	}
	add(r.Detail)
	add(named("closed by", r.ClosedBy))
	if r.Lasted > 0 {
		add("after " + time.Duration(r.Lasted*float64(time.Second)).Round(time.Millisecond).String())
	}
	if r.Channels != nil && *r.Channels > 0 {
		add(fmt.Sprintf("%d channels", *r.Channels))
	}
	if r.Waiting > 0 {
		add(fmt.Sprintf("%d bytes waited", r.Waiting))
	}
	add(named("id", r.EventID))
	add(named("node", r.Node))
	if r.Data != nil {
		add(*r.Data)
	} else if r.Size != nil && r.NoData != "" {
		add(fmt.Sprintf("(%d bytes: %s)", *r.Size, r.NoData))
	}
	return list
}

func named(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

// gaps are why rows are left out.
var gaps = map[string]string{
	"rate":        "not shown, to keep the rate",
	"slow_reader": "not shown: this reader is too slow",
	"busy_node":   "not shown: too much happened at once",
	"lost":        "are lost",
}

func (r *liveRow) gap() string {
	many, where := "an unknown number of rows", ""
	if r.Count != nil {
		many = fmt.Sprintf("%d rows", *r.Count)
	}
	if r.Node != "" {
		where = " (node " + r.Node + ")"
	}
	reason := gaps[r.Reason]
	if reason == "" {
		reason = r.Reason
	}
	return "… " + many + " " + reason + where
}

func (r *liveRow) nodes() string {
	var here, missing []string
	for _, n := range r.Nodes {
		if n.Answered {
			here = append(here, n.Name)
		} else {
			missing = append(missing, n.Name+" ("+n.Detail+")")
		}
	}
	line := "… rows of " + strings.Join(here, ", ")
	if missing != nil {
		line += "; not of " + strings.Join(missing, ", ")
	}
	return line
}

// visible makes what does not print visible: it comes from strangers.
func visible(text string) string {
	clean := func(c rune) bool { return unicode.IsPrint(c) }
	if strings.IndexFunc(text, func(c rune) bool { return !clean(c) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, c := range text {
		if clean(c) {
			b.WriteRune(c)
		} else {
			quoted := strconv.QuoteRuneToASCII(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
