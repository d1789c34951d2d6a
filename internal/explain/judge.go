package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/journal"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// A Verdict is why somebody did not get an event, or that he did.
type Verdict string

// The verdicts.
const (
	NeverPublished   Verdict = "never_published"
	OtherName        Verdict = "other_name"
	NobodySubscribed Verdict = "nobody_subscribed"
	NotSubscribed    Verdict = "not_subscribed"
	OtherApp         Verdict = "other_app"
	Excluded         Verdict = "excluded"
	Disconnected     Verdict = "disconnected"
	TooSlow          Verdict = "too_slow"
	LostBetweenNodes Verdict = "lost_between_nodes"
	EventRefused     Verdict = "client_event_refused"
	HandedOver       Verdict = "handed_over"
	Waits            Verdict = "waiting"
	Unknown          Verdict = "unknown"
)

// A Conclusion is the answer for one socket, or for an event as such.
type Conclusion struct {
	Verdict  Verdict    `json:"verdict"`
	Socket   string     `json:"socket,omitempty"`
	User     string     `json:"user,omitempty"`
	Text     string     `json:"text"`              // one sentence
	Evidence []Evidence `json:"evidence"`          // in the order of the clocks
	Unsure   []string   `json:"unknown,omitempty"` // what is not known
	Advice   string     `json:"advice,omitempty"`
}

// Evidence is one thing that was found.
type Evidence struct {
	Time time.Time `json:"time"`
	Node string    `json:"node,omitempty"`
	Text string    `json:"text"`
}

// An Event is one that the question is about.
type Event struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`
	Node      string    `json:"node,omitempty"`
	Channel   string    `json:"channel"`
	Name      string    `json:"name"`
	Size      int       `json:"size"`
	Here      int       `json:"here"`      // subscriptions at its node
	Elsewhere int       `json:"elsewhere"` // on others, as far as that node knew
	Handed    int       `json:"handed"`    // to sockets, on all nodes that have answered
}

// A Node is one that was asked.
type Node struct {
	Name     string `json:"name"`
	Answered bool   `json:"answered"`
	Detail   string `json:"detail,omitempty"` // why it has not
	// From when on the node knows what became of events, and of connections.
	Events *time.Time `json:"events_since,omitempty"`
	Lives  *time.Time `json:"lives_since,omitempty"`
}

// An Explanation is what is known about a question.
type Explanation struct {
	Event    *Event       `json:"event,omitempty"`  // the newest that fits
	Others   []string     `json:"others,omitempty"` // ids of others that fit, the newest first
	Findings []Conclusion `json:"findings"`
	Nodes    []Node       `json:"nodes"`
}

// maxOthers is how many other events are named.
const maxOthers = 20

// A judge finds the verdict of one question.
type judge struct {
	query   Query
	reports []*Report
	missing []string // names of nodes that have not answered

	event  *journal.Record // as its origin tells it, or as it has arrived somewhere
	origin *Report         // nil: the origin is not among those who answered
	others []string
}

// Judge says what became of an event, from what the nodes know that have answered.
func Judge(q Query, reports []*Report, missing []string) (*Event, []string, []Conclusion) {
	j := &judge{query: q, reports: reports, missing: missing}
	j.findEvent()
	var about *Event
	if j.event != nil {
		about = j.about()
	}
	findings := j.findings(about)
	for i := range findings {
		f := &findings[i]
		slices.SortStableFunc(f.Evidence, func(a, b Evidence) int { return a.Time.Compare(b.Time) })
		if f.Evidence == nil {
			f.Evidence = []Evidence{}
		}
	}
	return about, j.others, findings
}

// findings are one for the event as such, or one for each socket.
func (j *judge) findings(about *Event) (list []Conclusion) {
	q := j.query
	sockets := []protocol.SocketID{q.Socket}
	switch {
	case about == nil:
		return []Conclusion{j.notFound()}
	case q.Socket.IsZero() && q.User == "":
		return []Conclusion{j.overall(about)}
	case q.User != "":
		if sockets = j.socketsOf(); len(sockets) == 0 {
			return []Conclusion{j.noSocket()}
		}
	}
	for _, id := range sockets {
		f := j.explain(id)
		f.Socket, f.User = id.String(), q.User
		list = append(list, f)
	}
	return list
}

// findEvent finds the newest event that fits.
func (j *judge) findEvent() {
	type found struct {
		record *journal.Record
		report *Report
	}
	var triggered, arrived []found
	for _, r := range j.reports {
		for _, e := range r.Events {
			switch e.Kind {
			case trace.APIMessage, trace.ClientEvent:
				triggered = append(triggered, found{e, r})
			case trace.Arrived:
				arrived = append(arrived, found{e, r})
			}
		}
	}
	if len(triggered) == 0 && !j.query.Event.IsZero() {
		triggered = arrived // the node where it was triggered has not answered, or has forgotten it
	}
	slices.SortStableFunc(triggered, func(a, b found) int { return int(min(max(b.record.At-a.record.At, -1), 1)) })
	for i, f := range triggered {
		if i == 0 {
			j.event = f.record
			if f.record.Kind != trace.Arrived {
				j.origin = f.report
			}
		} else if id := f.record.ID.String(); len(j.others) < maxOthers && f.record.ID != j.event.ID && !slices.Contains(j.others, id) {
			j.others = append(j.others, id)
		}
	}
	// An event on several channels: the one that was asked for, or the first.
	if j.origin != nil && j.query.Channel != "" {
		for _, f := range triggered {
			if f.record.ID == j.event.ID && f.record.Channel == j.query.Channel {
				j.event = f.record
			}
		}
	}
}

// about is the event for who asks.
func (j *judge) about() *Event {
	e := &Event{ID: j.event.ID.String(), Time: j.event.Time().UTC(), Channel: j.event.Channel, Name: j.event.Event,
		Size: j.event.Size, Here: j.event.Here, Elsewhere: j.event.Elsewhere}
	if j.origin != nil {
		e.Node = j.origin.Name
	}
	for _, r := range j.reports {
		for _, rec := range r.Events {
			if rec.ID == j.event.ID && rec.Channel == j.event.Channel && rec.Kind != trace.Error {
				e.Handed += rec.Handed
			}
		}
	}
	return e
}

// published is the evidence that there was the event.
func (j *judge) published() Evidence {
	e := j.event
	if j.origin == nil {
		return Evidence{e.Time().UTC(), "", fmt.Sprintf("event %s came from another node", e.ID)}
	}
	return Evidence{e.Time().UTC(), j.origin.Name, fmt.Sprintf("event %s %q on %s: %d subscriptions on this node, %d on others; handed to %d sockets here",
		e.ID, e.Event, e.Channel, e.Here, e.Elsewhere, e.Handed)}
}

// complete reports whether all nodes have answered and know all that happened
// since that time.
func (j *judge) complete(since int64) bool {
	for _, r := range j.reports {
		if r.Off || r.Cut || r.Horizon.Events >= since || r.Horizon.Lives >= since || r.Began > since {
			return false
		}
	}
	return len(j.missing) == 0
}

// doubts are what is not known about a time.
func (j *judge) doubts(since int64) (list []string) {
	for _, name := range j.missing {
		list = append(list, "node "+name+" has not answered")
	}
	for _, r := range j.reports {
		switch {
		case r.Off:
			list = append(list, called(r.Name)+" keeps no journal (console.journal is 0)")
		case r.Cut:
			list = append(list, called(r.Name)+" has more records than are looked at")
		case r.Began > since:
			list = append(list, called(r.Name)+" was started at "+clock(r.Began))
		case max(r.Horizon.Events, r.Horizon.Lives) >= since:
			list = append(list, called(r.Name)+" has forgotten what was before "+clock(max(r.Horizon.Events, r.Horizon.Lives)))
		}
	}
	return list
}

func called(name string) string {
	if name == "" {
		return "this node"
	}
	return "node " + name
}

func clock(at int64) string { return time.Unix(0, at).UTC().Format("2006-01-02T15:04:05.000Z") }

// unknown is the verdict where something is missing.
func (j *judge) unknown(text string, since int64, evidence ...Evidence) Conclusion {
	return Conclusion{Verdict: Unknown, Text: text, Evidence: evidence, Unsure: j.doubts(since),
		Advice: "Ask soon after it happened; console.journal is how much the nodes remember."}
}

// notFound is the verdict where no node knows of such an event.
func (j *judge) notFound() Conclusion {
	q := j.query
	if !q.Event.IsZero() {
		return j.noSuchID()
	}
	if f, ok := j.refused(); ok {
		return f
	}
	if f, ok := j.otherName(); ok {
		return f
	}
	what := fmt.Sprintf("an event %q on %s", q.Name, q.Channel)
	if q.Name == "" {
		what = "an event on " + q.Channel
	}
	if !j.complete(q.From.UnixNano()) {
		return j.unknown("Whether "+what+" was triggered is not known.", q.From.UnixNano())
	}
	return Conclusion{Verdict: NeverPublished, Text: fmt.Sprintf("Nobody has triggered %s between %s and %s.", what, clock(q.From.UnixNano()), clock(q.To.UnixNano())),
		Advice: "Look at the backend: does it get to the call, to this host, and with this app's id? belfry tail --type api_message,api_error shows what arrives."}
}

// noSuchID is the verdict for the id of an event that no node knows.
func (j *judge) noSuchID() Conclusion {
	id := j.query.Event
	for _, r := range j.reports {
		if r.Node != id.Node || r.Off {
			continue
		}
		if id.Number > r.Last && r.Horizon.Events == 0 {
			return Conclusion{Verdict: NeverPublished, Text: "The node that this id is of has triggered no such event for this app.", Evidence: []Evidence{},
				Advice: "Is it the id of an event of this app?"}
		}
		return j.unknown("The node that this id is of does not know the event any more, or it is one of another app.", r.Began)
	}
	f := j.unknown("The node that this id is of is not here: it has ended, was started anew, or can not be reached.", 0)
	f.Unsure = slices.DeleteFunc(f.Unsure, func(text string) bool { return strings.Contains(text, "was started") })
	return f
}

// refused is the verdict where a request of the backend or a message of a client
// was refused that may have been the event.
func (j *judge) refused() (f Conclusion, ok bool) {
	q := j.query
	var best *journal.Record
	var at *Report
	for _, r := range j.reports {
		for _, rec := range slices.Concat(r.Refused, r.Lives) {
			switch {
			case rec.Kind != trace.APIError && rec.Kind != trace.ClientError, !q.during(rec.At):
				continue
			case rec.Kind == trace.ClientError && (rec.Event != q.Name || q.Name == ""):
				continue
			case rec.Channel != "" && rec.Channel != q.Channel, rec.Event != "" && q.Name != "" && rec.Event != q.Name:
				continue
			}
			if best == nil || rec.At > best.At {
				best, at = rec, r
			}
		}
	}
	if best == nil {
		return f, false
	}
	f.Evidence = []Evidence{{best.Time().UTC(), at.Name, best.Text}}
	if best.Kind == trace.ClientError {
		f.Verdict = EventRefused
		f.Text = fmt.Sprintf("The client event %q of socket %s was refused: %s", best.Event, best.Socket, best.Text)
		f.Advice = "Client events need client_events: true for the app, a private or presence channel that the sender is subscribed to, and keep to limits.client_events_per_second."
		return f, true
	}
	f.Verdict = NeverPublished
	f.Text = fmt.Sprintf("A request of the backend was refused with %d: %s", best.Code, best.Text)
	if best.Channel == "" {
		f.Unsure = []string{"whether the refused request was this event: it was not read so far"}
	}
	return f, true
}

// otherName is the verdict where an event was triggered under nearly the name.
func (j *judge) otherName() (f Conclusion, ok bool) {
	for _, r := range j.reports {
		for _, rec := range r.Near {
			if !similar(rec.Channel, j.query.Channel) || j.query.Name != "" && !similar(rec.Event, j.query.Name) {
				continue
			}
			f.Verdict, ok = OtherName, true
			f.Text = fmt.Sprintf("An event %q was triggered on %s, which is another name than %q on %s.", rec.Event, rec.Channel, j.query.Name, j.query.Channel)
			f.Advice = "Names are compared letter by letter, with private- and presence- in front."
			f.Evidence = append(f.Evidence, Evidence{rec.Time().UTC(), r.Name, fmt.Sprintf("event %s %q on %s", rec.ID, rec.Event, rec.Channel)})
		}
	}
	return f, ok
}

// overall is the verdict for an event when nobody in particular is asked about.
func (j *judge) overall(about *Event) Conclusion {
	evidence := []Evidence{j.published()}
	for _, r := range j.reports {
		for _, rec := range r.Events {
			if rec.ID == j.event.ID && rec.Kind == trace.Arrived && rec.Channel == j.event.Channel {
				evidence = append(evidence, Evidence{rec.Time().UTC(), r.Name, fmt.Sprintf("arrived: %d subscriptions on this node; handed to %d sockets", rec.Here, rec.Handed)})
			}
		}
	}
	switch {
	case about.Here == 0 && about.Elsewhere == 0 && about.Handed == 0 && j.origin != nil:
		return Conclusion{Verdict: NobodySubscribed, Text: "Nobody was subscribed to " + about.Channel + " then, on any node that the event's node knew of.", Evidence: evidence,
			Advice: "Compare the name with what the client subscribes to, letter by letter, and the app's key with that of the client."}
	case about.Handed > 0:
		return Conclusion{Verdict: HandedOver, Text: fmt.Sprintf("The event was handed to %d sockets.", about.Handed), Evidence: evidence,
			Unsure: j.doubts(j.event.At), Advice: "Name a socket or a user to see what became of it there."}
	}
	f := j.unknown("The event had subscribers, and it is not known that any socket was handed it.", j.event.At, evidence...)
	if n := j.deadPeers(); n > 0 {
		f.Unsure = append(f.Unsure, fmt.Sprintf("%d of the nodes that it was sent to have ended since, or are taken for dead", n))
	}
	return f
}

// deadPeers is how many nodes the event was sent to that do not belong to the cluster any
// more: nobody has asked them.
func (j *judge) deadPeers() int {
	n := len(j.event.Peers)
	for _, r := range j.reports {
		if j.sentTo(r.Node) {
			n--
		}
	}
	return max(n-len(j.missing), 0)
}

// socketsOf are the user's sockets that nodes know of.
func (j *judge) socketsOf() (list []protocol.SocketID) {
	for _, r := range j.reports {
		for _, rec := range r.Lives {
			if rec.User == j.query.User && !slices.Contains(list, rec.Socket) {
				list = append(list, rec.Socket)
			}
		}
	}
	return list
}

// noSocket is the verdict for a user of whom no connection is known.
func (j *judge) noSocket() Conclusion {
	if !j.complete(j.event.At) {
		return j.unknown("No connection of this user is known.", j.event.At, j.published())
	}
	return Conclusion{Verdict: Disconnected, User: j.query.User, Text: "The user had no connection: nobody has signed in or joined a presence channel under this id.", Evidence: []Evidence{j.published()},
		Advice: "A client is known as a user when it has signed in (pusher.signin) or is subscribed to a presence channel."}
}

// arrival is the event as it was seen on a node.
func (j *judge) arrival(r *Report) *journal.Record {
	for _, rec := range r.Events {
		if rec.ID == j.event.ID && rec.Channel == j.event.Channel && rec.Kind != trace.Error {
			return rec
		}
	}
	return nil
}

// dropped is the record that the event was dropped on a node, or nil.
func (j *judge) dropped(r *Report) *journal.Record {
	for _, rec := range r.Events {
		if rec.ID == j.event.ID && rec.Kind == trace.Error {
			return rec
		}
	}
	return nil
}

// sentTo reports whether the event was sent to a node.
func (j *judge) sentTo(id node.ID) bool { return slices.Contains(j.event.Peers, id) }

// similar reports whether two names may have been confused.
func similar(a, b string) bool {
	plain := func(name string) string {
		name = strings.ToLower(name)
		for _, prefix := range []string{"private-encrypted-cache-", "private-encrypted-", "private-cache-", "presence-cache-", "cache-", "private-", "presence-", "client-"} {
			if rest, ok := strings.CutPrefix(name, prefix); ok {
				name = rest
				break
			}
		}
		return strings.Map(func(c rune) rune {
			if strings.ContainsRune("-_.:;=@, \\/", c) {
				return -1
			}
			return c
		}, name)
	}
	a, b = plain(a), plain(b)
	return a == b || distanceIsOne(a, b)
}

// distanceIsOne reports whether one letter is another, missing or too much.
func distanceIsOne(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 3 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i < len(a) && a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}
