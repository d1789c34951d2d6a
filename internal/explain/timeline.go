package explain

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/journal"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/survey"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// TimelinePath is where the admin API tells what the nodes remember, TimelinePeerPath
// where peers are asked for it.
const (
	TimelinePath     = "/api/v1/apps/{id}/timeline"
	TimelinePeerPath = "/journal/timeline"
)

// A Moment is one thing that happened, as operators are told of it.
type Moment struct {
	Time      time.Time  `json:"time"`
	Node      string     `json:"node,omitempty"`
	Type      trace.Kind `json:"type"`
	Socket    string     `json:"socket,omitempty"`
	User      string     `json:"user,omitempty"`
	Channel   string     `json:"channel,omitempty"`
	Event     string     `json:"event,omitempty"`
	EventID   string     `json:"event_id,omitempty"`
	Size      int        `json:"size,omitempty"`
	Here      *int       `json:"here,omitempty"` // of events: subscriptions on that node
	Elsewhere *int       `json:"elsewhere,omitempty"`
	Handed    *int       `json:"handed,omitempty"` // of events: to sockets, on all nodes
	Code      int        `json:"code,omitempty"`
	Detail    string     `json:"detail,omitempty"`
}

// A Timeline is what one node remembers, or all of them, the newest first.
type Timeline struct {
	Rows []Moment `json:"rows"`
	Node Node     `json:"node"` // whose it is
}

// A glance says what of an app is to be told.
type glance struct {
	app           string
	socket        protocol.SocketID
	channel, user string
	limit         int
}

func parseGlance(app string, r *http.Request) (g glance, err error) {
	values := r.URL.Query()
	g = glance{app: app, channel: values.Get("channel"), user: values.Get("user")}
	if text := values.Get("socket"); text != "" {
		id, ok := protocol.ParseSocketID(text)
		if !ok {
			return g, jsonhttp.Refuse(http.StatusBadRequest, "socket is not a socket id such as 1234.5678.")
		}
		g.socket = id
	}
	_, g.limit, err = jsonhttp.Page(r)
	return g, err
}

// wants reports whether a record is about what is asked for.
func (g glance) wants(r *journal.Record) bool {
	return (g.socket.IsZero() || r.Socket == g.socket) && (g.channel == "" || r.Channel == g.channel) && (g.user == "" || r.User == g.user)
}

// timeline returns the newest of what the node remembers.
func (s *Memory) timeline(g glance) Timeline {
	t := Timeline{Rows: []Moment{}}
	if s.Journal == nil {
		t.Node = nodeOf(&Report{Name: s.Name, Off: true})
		return t
	}
	var newest []*journal.Record // of events and of lives, each in their order
	s.Journal.Each(g.app, func(r *journal.Record) bool {
		if g.wants(r) {
			newest = append(newest, r)
		}
		if len(newest) > 4*g.limit {
			newest = latest(newest, g.limit)
		}
		return true
	})
	for _, r := range latest(newest, g.limit) {
		t.Rows = append(t.Rows, s.moment(r))
	}
	t.Node = nodeOf(&Report{Name: s.Name, Began: s.Began.UnixNano(), Horizon: s.Journal.Horizon(g.app)})
	return t
}

// latest are the newest records, the newest first.
func latest(list []*journal.Record, limit int) []*journal.Record {
	slices.SortStableFunc(list, func(a, b *journal.Record) int { return cmp.Compare(b.At, a.At) })
	return list[:min(len(list), limit)]
}

func (s *Memory) moment(r *journal.Record) Moment {
	m := Moment{Time: r.Time().UTC(), Node: s.Name, Type: r.Kind, User: r.User, Channel: r.Channel, Event: r.Event, EventID: r.ID.String(), Size: r.Size, Code: r.Code}
	if !r.Socket.IsZero() {
		m.Socket = r.Socket.String()
	}
	switch r.Kind {
	case trace.APIMessage, trace.ClientEvent, trace.Arrived:
		m.Here, m.Elsewhere, m.Handed = &r.Here, &r.Elsewhere, &r.Handed
	case trace.Connected:
		if r.Transport != "" {
			m.Detail = "by " + r.Transport
		}
	case trace.Disconnected:
		m.Detail = howEnded(r)
		if r.Waiting > 0 {
			m.Detail += fmt.Sprintf("; %d bytes waited for it", r.Waiting)
		}
	default:
		m.Detail = r.Text
	}
	return m
}

// merge makes one list of those of all nodes. An event stands in it once, where it
// was triggered, with all sockets that were handed it.
func merge(lists []Timeline, limit int) []Moment {
	type key struct{ id, channel string }
	arrived := make(map[key]int)
	origin := make(map[key]bool)
	for _, l := range lists {
		for _, m := range l.Rows {
			switch m.Type {
			case trace.Arrived:
				arrived[key{m.EventID, m.Channel}] += *m.Handed
			case trace.APIMessage, trace.ClientEvent:
				origin[key{m.EventID, m.Channel}] = true
			}
		}
	}
	rows := []Moment{}
	for _, l := range lists {
		for _, m := range l.Rows {
			k := key{m.EventID, m.Channel}
			if m.Type == trace.Arrived && origin[k] {
				continue
			}
			if m.Handed != nil && m.Type != trace.Arrived {
				sum := *m.Handed + arrived[k]
				m.Handed = &sum
			}
			rows = append(rows, m)
		}
	}
	slices.SortStableFunc(rows, func(a, b Moment) int { return b.Time.Compare(a.Time) })
	return rows[:min(len(rows), limit)]
}

// TimelineHandler answers at [TimelinePath], where the id of the app is the path's
// value id.
func (x *Explainer) TimelineHandler() http.Handler {
	return jsonhttp.Handler(x.cfg.Log, func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked GET.")
		}
		if err := jsonhttp.Query(r, "socket", "channel", "user", "limit"); err != nil {
			return err
		}
		app := r.PathValue("id")
		if !x.cfg.Known(app) {
			return jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")
		}
		g, err := parseGlance(app, r)
		if err != nil {
			return err
		}
		if !enter(x.asked) {
			return tooMany()
		}
		defer leave(x.asked)
		lists, nodes := x.timelines(r.Context(), g, r.URL.Query())
		return jsonhttp.Write(w, http.StatusOK, struct {
			At    time.Time `json:"at"`
			Rows  []Moment  `json:"rows"`
			Nodes []Node    `json:"nodes"`
		}{time.Now().UTC(), merge(lists, g.limit), nodes})
	})
}

// timelines are those of all nodes that have answered, and which have.
func (x *Explainer) timelines(ctx context.Context, g glance, values url.Values) (lists []Timeline, nodes []Node) {
	own := make(chan Timeline, 1)
	go func() { own <- x.cfg.Memory.timeline(g) }()
	values.Set(parameterApp, g.app)
	answers := survey.Ask(ctx, x.cfg.Peers(), TimelinePeerPath, values)
	lists = []Timeline{<-own}
	nodes = []Node{lists[0].Node}
	for _, a := range answers {
		var l Timeline
		if a.Err == nil {
			a.Err = json.Unmarshal(a.Body, &l)
		}
		if a.Err != nil {
			nodes = append(nodes, Node{Name: a.Peer.Name, Detail: a.Err.Error()})
			continue
		}
		lists, nodes = append(lists, l), append(nodes, l.Node)
	}
	return lists, nodes
}

// ServeTimelineToPeer answers at [TimelinePeerPath].
func (x *Explainer) ServeTimelineToPeer(w http.ResponseWriter, r *http.Request) {
	jsonhttp.Handler(x.cfg.Log, func(w http.ResponseWriter, r *http.Request) error {
		g, err := parseGlance(r.URL.Query().Get(parameterApp), r)
		if err != nil {
			return err
		}
		if !enter(x.told) {
			return tooMany()
		}
		defer leave(x.told)
		return jsonhttp.Write(w, http.StatusOK, x.cfg.Memory.timeline(g))
	}).ServeHTTP(w, r)
}
