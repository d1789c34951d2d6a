package tables

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// A user is what is shown of a user.
type user struct {
	ID                string
	Online            bool
	Sockets, Watchers int
}

func (u user) state() string {
	if u.Online {
		return "signed in"
	}
	return "offline"
}

// Users writes a table of users.
func Users(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "nobody is signed in; clients do so with pusher.signin()")
		return err
	}
	return columns(out, list, "USER\tSTATE\tCONNECTIONS\tWATCHED BY", func(u user) string {
		return fmt.Sprintf("%s\t%s\t%d\t%d", visible(u.ID), u.state(), u.Sockets, u.Watchers)
	})
}

// User writes one user with the presence channels that the user is a member of.
func User(out io.Writer, reply []byte) error {
	var u struct {
		user
		Channels []string
	}
	if err := adminclient.Read(reply, &u); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s, connections: %d, watched by: %d\n", visible(u.ID), u.state(), u.Sockets, u.Watchers)
	for _, name := range u.Channels {
		fmt.Fprintf(out, "  member of %s\n", visible(name))
	}
	return nil
}
