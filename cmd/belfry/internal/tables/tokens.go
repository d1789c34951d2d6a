package tables

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// A token is what is shown of a named token.
type token struct {
	Name, Role string
	Apps       []string
	By         string    `json:"created_by"`
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
	Expired    bool      `json:"expired"`
	Used       time.Time `json:"last_used"`
}

// apps says for which apps it is.
func (t token) apps() string {
	if len(t.Apps) == 1 && t.Apps[0] == "*" {
		return "all"
	}
	return visible(strings.Join(t.Apps, " "))
}

// ends says until when it is valid.
func (t token) ends() string {
	switch {
	case t.Expired:
		return "expired " + clock(t.Expires)
	case t.Expires.IsZero():
		return "never"
	}
	return clock(t.Expires)
}

// Tokens writes a table of named tokens.
func Tokens(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "there are no named tokens; belfry tokens create makes one")
		return err
	}
	return columns(out, list, "NAME\tROLE\tAPPS\tCREATED\tBY\tEXPIRES\tLAST USED", func(t token) string {
		used := "never"
		if !t.Used.IsZero() {
			used = clock(t.Used)
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", t.Name, t.Role, t.apps(), clock(t.Created), visible(t.By), t.ends(), used)
	})
}
