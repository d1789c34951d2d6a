package explain

import (
	"net/http"
	"net/url"
	"time"

	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// Parameters are the words of a question, as they stand in a query.
var Parameters = []string{"event", "channel", "name", "from", "to", "socket", "user"}

// defaultPeriod is how far a question without from looks back.
const defaultPeriod = 10 * time.Minute

// A Query is a question: what became of an event, for a socket or for a user if
// one is named.
type Query struct {
	App string

	Event   trace.ID // or else:
	Channel string
	Name    string // of the event; empty: any
	From    time.Time
	To      time.Time

	Socket protocol.SocketID // or
	User   string
}

// ParseQuery reads a question. Its errors are refusals.
func ParseQuery(app string, q url.Values, now time.Time) (Query, error) {
	out := Query{App: app, Channel: trace.Short(q.Get("channel")), Name: trace.Short(q.Get("name")), User: trace.Short(q.Get("user")), To: now, From: now.Add(-defaultPeriod)}
	refuse := func(text string) (Query, error) { return Query{}, jsonhttp.Refuse(http.StatusBadRequest, "%s", text) }
	if text := q.Get("event"); text != "" {
		id, ok := trace.ParseID(text)
		if !ok {
			return refuse("event is not the id of an event, as X-Belfry-Event-Id has it. To ask by name, give channel and name.")
		}
		out.Event = id
	}
	if text := q.Get("socket"); text != "" {
		id, ok := protocol.ParseSocketID(text)
		if !ok {
			return refuse("socket is not a socket id such as 1234.5678.")
		}
		out.Socket = id
	}
	for name, at := range map[string]*time.Time{"from": &out.From, "to": &out.To} {
		if text := q.Get(name); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return refuse(name + " is not a time such as 2026-01-31T15:00:00Z.")
			}
			*at = t
		}
	}
	switch {
	case out.Event.IsZero() && out.Channel == "":
		return refuse("Which event? Give event, its id, or channel and, if you like, name, from and to.")
	case !out.Event.IsZero() && (out.Channel != "" || out.Name != "" || q.Has("from") || q.Has("to")):
		return refuse("Give either event, or channel, name, from and to.")
	case !out.Socket.IsZero() && out.User != "":
		return refuse("Give either socket or user.")
	case out.From.After(out.To):
		return refuse("from is after to.")
	}
	return out, nil
}

// Values are the question as ParseQuery reads it.
func (q Query) Values() url.Values {
	v := url.Values{}
	set := func(name, text string) {
		if text != "" {
			v.Set(name, text)
		}
	}
	set("event", q.Event.String())
	set("channel", q.Channel)
	set("name", q.Name)
	set("user", q.User)
	if !q.Socket.IsZero() {
		set("socket", q.Socket.String())
	}
	if q.Event.IsZero() {
		set("from", q.From.UTC().Format(time.RFC3339Nano))
		set("to", q.To.UTC().Format(time.RFC3339Nano))
	}
	return v
}

// during reports whether a moment is within the time of the question.
func (q Query) during(at int64) bool { return q.From.UnixNano() <= at && at <= q.To.UnixNano() }
