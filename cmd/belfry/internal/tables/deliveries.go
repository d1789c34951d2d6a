package tables

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// delivery is a request that an endpoint was sent.
type delivery struct {
	ID, Node, Endpoint, URL, State string
	Began                          time.Time
	Attempts                       int
	Count                          int `json:"event_count"`
	Events                         []struct{ ID, Name, Channel string }
	Last                           *attempt
}

// attempt is one at a request.
type attempt struct {
	Number, Status int
	At             time.Time
	Manual         bool
	Error          string
	Took           int64         `json:"took_ms"`
	Headers        []headerField // of the answer
	Answer         *string
	Cut            bool `json:"answer_cut"`
}

type headerField struct {
	Name, Value string
	Hidden      bool
}

// outcome is what became of an attempt, in a few words.
func (a *attempt) outcome() string {
	switch {
	case a == nil:
		return "under way"
	case a.Error != "":
		return visible(a.Error)
	}
	return fmt.Sprint(a.Status)
}

func (d *delivery) events() string {
	if len(d.Events) == 0 {
		return "-"
	}
	text := visible(strings.TrimSpace(d.Events[0].Name + " " + d.Events[0].Channel))
	if n := d.Count - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// Deliveries writes a table of requests to endpoints.
func Deliveries(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no node remembers such a request")
		return err
	}
	return columns(out, list, "ID\tSENT\tENDPOINT\tSTATE\tATTEMPTS\tLAST\tTOOK\tEVENTS\tNODE", func(d delivery) string {
		took := "-"
		if d.Last != nil {
			took = fmt.Sprintf("%d ms", d.Last.Took)
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s", d.ID, clock(d.Began), visible(d.Endpoint), words(d.State), d.Attempts,
			d.Last.outcome(), took, d.events(), visible(d.Node))
	})
}

// Delivery writes one request and what was answered.
func Delivery(out io.Writer, reply []byte) error {
	var d struct {
		delivery
		Headers []headerField
		Body    *string
		Tries   []attempt
	}
	if err := adminclient.Read(reply, &d); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s to %s (%s), %s, by %s\n", d.ID, visible(d.Endpoint), visible(d.URL), words(d.State), visible(d.Node))
	for _, e := range d.Events {
		fmt.Fprintf(out, "  %s %s, id %s\n", visible(e.Name), visible(e.Channel), e.ID)
	}
	fmt.Fprintln(out, "\nrequest")
	writeMessage(out, d.Headers, d.Body, false)
	for i := range d.Tries {
		t := &d.Tries[i]
		by := ""
		if t.Manual {
			by = ", asked for by an operator"
		}
		fmt.Fprintf(out, "\nattempt %d at %s: %s, after %d ms%s\n", t.Number, clock(t.At), t.outcome(), t.Took, by)
		writeMessage(out, t.Headers, t.Answer, t.Cut)
	}
	return nil
}

// writeMessage writes a header and a body.
func writeMessage(out io.Writer, header []headerField, body *string, more bool) {
	for _, f := range header {
		value := f.Value
		if f.Hidden {
			value = "(hidden)"
		}
		fmt.Fprintf(out, "  %s: %s\n", visible(f.Name), visible(value))
	}
	if body == nil || *body == "" {
		return
	}
	for line := range strings.Lines(*body) {
		fmt.Fprintf(out, "  | %s\n", visible(strings.TrimRight(line, "\r\n")))
	}
	if more {
		fmt.Fprintln(out, "  | (there was more)")
	}
}
