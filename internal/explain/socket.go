package explain

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/journal"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// slowAfter is how long after an event the end of a slow connection may have to do
// with it.
const slowAfter = time.Minute

// A life is what is known of one socket, on the node where it was.
type life struct {
	report    *Report
	records   []*journal.Record // of this socket, in the order of the clock
	connected *journal.Record
	ended     *journal.Record
}

// life finds the socket, on whichever node.
func (j *judge) life(id protocol.SocketID) *life {
	for _, r := range j.reports {
		l := &life{report: r}
		for _, rec := range r.Lives {
			if rec.Socket != id {
				continue
			}
			l.records = append(l.records, rec)
			switch rec.Kind {
			case trace.Connected:
				l.connected = rec
			case trace.Disconnected:
				l.ended = rec
			}
		}
		if len(l.records) > 0 {
			return l
		}
	}
	return nil
}

// evidence is what happened to the socket, in words.
func (l *life) evidence(channel string) (list []Evidence) {
	for _, rec := range l.records {
		text := ""
		switch {
		case rec.Kind == trace.Connected:
			text = "connected"
			if rec.Transport != "" {
				text += " by " + rec.Transport
			}
		case rec.Kind == trace.SignedIn:
			text = "signed in as " + rec.User
		case rec.Kind == trace.Disconnected:
			text = "connection ended: " + howEnded(rec)
		case rec.Channel != channel:
			continue
		case rec.Kind == trace.Subscribed:
			text = "subscribed to " + channel
		case rec.Kind == trace.Unsubscribed:
			text = "unsubscribed from " + channel
		case rec.Kind == trace.ClientError:
			text = fmt.Sprintf("%s refused: %s", rec.Event, rec.Text)
		}
		list = append(list, Evidence{rec.Time().UTC(), l.report.Name, text})
	}
	return list
}

// howEnded says how a connection ended.
func howEnded(rec *journal.Record) string {
	code := ""
	if rec.Code != 0 {
		code = fmt.Sprintf(" with %d (%s)", rec.Code, trace.Meaning(protocol.CloseCode(rec.Code)))
	}
	switch rec.By {
	case trace.ByService:
		return "closed by the service" + code
	case trace.ByClient:
		return "closed by the client" + code
	}
	return "lost (" + rec.Loss + ")"
}

// period is the subscription in which an event falls, if it falls into one. Without
// an order on the socket's node the clocks decide.
type period struct {
	began, ended *journal.Record // ended is nil while it lasts
}

// periods are the subscriptions of the socket to the event's channel. Events to a
// user come from signing in on.
func (l *life) periods(channel string) (list []period) {
	user, ofUser := protocol.UserOf(channel)
	for _, rec := range l.records {
		begins := rec.Kind == trace.Subscribed && rec.Channel == channel || ofUser && rec.Kind == trace.SignedIn && rec.User == user
		ends := rec.Kind == trace.Unsubscribed && rec.Channel == channel || ofUser && rec.Kind == trace.Disconnected
		switch n := len(list); {
		case begins && (n == 0 || list[n-1].ended != nil):
			list = append(list, period{began: rec})
		case ends && n > 0 && list[n-1].ended == nil:
			list[n-1].ended = rec
		}
	}
	return list
}

// covers reports whether an event falls into the period. Seen is the event on the
// socket's node, or nil if it was not seen there: then the clocks decide.
func (p period) covers(seen *journal.Record, at int64) bool {
	if seen == nil && p.began.At > at || seen != nil && p.began.Order >= seen.Order {
		return false
	}
	switch {
	case p.ended == nil:
		return true
	case seen == nil || p.ended.Kind == trace.Disconnected: // which has no place in the channel
		return at <= p.ended.At
	}
	return seen.Order <= p.ended.Order
}

// explain is the verdict for one socket.
func (j *judge) explain(id protocol.SocketID) Conclusion {
	e := j.event
	l := j.life(id)
	if e.Except == id {
		text := "The event was triggered with this socket_id, so it was left out."
		if e.Kind == trace.ClientEvent {
			text = "The socket has sent the event itself; a client event does not go back to its sender."
		}
		return Conclusion{Verdict: Excluded, Text: text, Evidence: []Evidence{j.published()},
			Advice: "Leave socket_id out, or give the one of the client that has caused the event."}
	}
	if l == nil {
		return j.nowhere()
	}
	seen := j.arrival(l.report)
	at := e.At
	if seen != nil {
		at = seen.At
	}
	f := j.onNode(l, seen, at)
	f.Evidence = append(f.Evidence, j.published())
	if seen != nil && seen != e {
		f.Evidence = append(f.Evidence, Evidence{seen.Time().UTC(), l.report.Name, fmt.Sprintf("the event arrived here: %d subscriptions; handed to %d sockets", seen.Here, seen.Handed)})
	}
	f.Evidence = append(f.Evidence, l.evidence(e.Channel)...)
	return f
}

// nowhere is the verdict for a socket that no node knows under this app.
func (j *judge) nowhere() Conclusion {
	for _, r := range j.reports {
		if r.Elsewhere != "" && r.Elsewhere != j.query.App {
			return Conclusion{Verdict: OtherApp, Text: "The socket is connected to the app " + r.Elsewhere + ", and not to this one.", Evidence: []Evidence{j.published()},
				Advice: "Give the client the key of the app that the backend triggers on."}
		}
	}
	if !j.complete(j.event.At) {
		return j.unknown("No node knows this socket.", j.event.At, j.published())
	}
	return Conclusion{Verdict: OtherApp, Text: "No node of this cluster has had a connection with this socket id: it is one of another service or of another cluster.", Evidence: []Evidence{j.published()},
		Advice: "Compare host, port and key of the client with where the backend triggers."}
}

// onNode is the verdict for a socket whose node is known.
func (j *judge) onNode(l *life, seen *journal.Record, at int64) Conclusion {
	periods := l.periods(j.event.Channel)
	i := slices.IndexFunc(periods, func(p period) bool { return p.covers(seen, at) })
	switch {
	case l.ended != nil && l.ended.At < at:
		return j.gone(l, at)
	case i >= 0 && seen == nil && j.origin != l.report:
		return j.lost(l)
	case i >= 0:
		return j.delivered(l, seen)
	case l.connected != nil && l.connected.At > at:
		return Conclusion{Verdict: Disconnected, Text: fmt.Sprintf("The socket has connected %s after the event.", apart(at, l.connected.At)),
			Advice: "Events are not kept for those who come later; a cache channel remembers the last one."}
	case l.connected == nil && l.report.Horizon.Lives > 0:
		return j.unknown("The beginning of this connection is forgotten, and with it perhaps its subscription.", at)
	}
	return j.notSubscribed(l, periods, at)
}

// gone is the verdict for a socket that had ended before.
func (j *judge) gone(l *life, at int64) Conclusion {
	verdict, advice := Disconnected, "Clients connect anew by themselves, with another socket id; what comes meanwhile is not kept. Ask for the user to see all of his sockets."
	if l.ended.Slow {
		verdict, advice = TooSlow, "The client takes too little, or its network does: send it less, or raise websocket.send_buffer."
	}
	text := fmt.Sprintf("The connection had ended %s before the event: %s.", apart(l.ended.At, at), howEnded(l.ended))
	if l.ended.Slow {
		text = fmt.Sprintf("The client took too little, and %d bytes waited for it; its connection was given up %s before the event.", l.ended.Waiting, apart(l.ended.At, at))
	}
	return Conclusion{Verdict: verdict, Text: text, Advice: advice}
}

// notSubscribed is the verdict for a socket that was there and not subscribed.
func (j *judge) notSubscribed(l *life, periods []period, at int64) Conclusion {
	f := Conclusion{Verdict: NotSubscribed, Advice: "Subscribe before the event is triggered, and wait for pusher:subscription_succeeded."}
	channel := j.event.Channel
	for _, rec := range slices.Backward(l.records) {
		if rec.Kind == trace.ClientError && rec.Event == protocol.EventSubscribe && rec.Channel == channel && rec.At <= at {
			f.Text = "The socket has asked for " + channel + " and was refused: " + rec.Text
			f.Advice = "Look at the authorization endpoint of the application: key, secret, and the text that it signs."
			return f
		}
	}
	for _, p := range slices.Backward(periods) {
		if p.ended != nil && p.ended.At <= at {
			f.Text = fmt.Sprintf("The socket had left %s %s before the event.", channel, apart(p.ended.At, at))
			return f
		}
	}
	for _, p := range periods {
		if p.began.At >= at {
			f.Text = fmt.Sprintf("The socket has subscribed to %s %s after the event.", channel, apart(at, p.began.At))
			return f
		}
	}
	if user, ok := protocol.UserOf(channel); ok {
		f.Text, f.Advice = "The socket was not signed in as "+user+".", "Events to a user reach connections that have signed in (pusher.signin)."
		return f
	}
	f.Text = "The socket has never subscribed to " + channel + "."
	return f
}

// lost is the verdict for a socket that was subscribed on another node, which has
// not seen the event.
func (j *judge) lost(l *life) Conclusion {
	name := called(l.report.Name)
	advice := "belfry cluster status says how the nodes reach each other, and counts what was dropped."
	switch rec := j.dropped(l.report); {
	case rec != nil:
		return Conclusion{Verdict: LostBetweenNodes, Text: "The event came to " + name + ", which had too much to do and dropped it.",
			Evidence: []Evidence{{rec.Time().UTC(), l.report.Name, rec.Text}}, Advice: advice}
	case l.report.Horizon.Events >= j.event.At || l.report.Off:
		return j.unknown("Whether the event has come to "+name+" is not known any more.", j.event.At)
	case j.origin == nil:
		return j.unknown("Whether the event was sent to "+name+" is not known: its own node has not answered.", j.event.At)
	case j.sentTo(l.report.Node):
		return Conclusion{Verdict: LostBetweenNodes, Text: "The event was sent to " + name + " and has not arrived there.", Advice: advice}
	}
	return Conclusion{Verdict: LostBetweenNodes, Text: "The node of the event did not know yet that somebody is subscribed on " + name + ". Then the client had not been told either that its subscription has succeeded.",
		Advice: "Wait for pusher:subscription_succeeded before the event is triggered."}
}

// delivered is the verdict for a socket that was subscribed, on a node that has seen
// the event.
func (j *judge) delivered(l *life, seen *journal.Record) Conclusion {
	end := l.ended
	switch w := l.waiting(); {
	case seen != nil && seen.Handed == 0:
		return j.unknown("The socket was subscribed, and its node has handed the event to nobody so far.", j.event.At)
	case end != nil && end.Slow && end.At-j.event.At < int64(slowAfter):
		return Conclusion{Verdict: TooSlow, Text: fmt.Sprintf("The event was handed to the socket; %s later its connection was given up because the client took too little. %d bytes waited for it then, and are lost to it.", apart(j.event.At, end.At), end.Waiting),
			Unsure: []string{"whether the event was among those bytes"}, Advice: "The client takes too little, or its network does: send it less, or raise websocket.send_buffer."}
	case end == nil && w != nil && w.Bytes > 0 && w.Transport != "websocket":
		return Conclusion{Verdict: Waits, Text: fmt.Sprintf("The event was handed to the session, for which %d bytes wait: the client (%s) has not come for them.", w.Bytes, w.Transport),
			Unsure: []string{"whether the event is among those bytes"}, Advice: "A client that polls must ask again; a proxy may hold its requests, or the page sleeps."}
	case end != nil && end.Loss == "gap" && end.Waiting > 0:
		return Conclusion{Verdict: Waits, Text: fmt.Sprintf("The event was handed to the session, whose client did not come for what waited (%d bytes), so the session has ended.", end.Waiting),
			Unsure: []string{"whether the event was among those bytes"}, Advice: "A client that polls must ask again; a proxy may hold its requests, or the page sleeps."}
	}
	return Conclusion{Verdict: HandedOver, Text: "The event was handed to the socket.",
		Unsure: []string{"what proxies and the client's system have done with it", "whether the page ran, and had bound to this name"},
		Advice: "Look at the client: is there a binding for exactly this name, does it decrypt, was the page asleep? Pusher.logToConsole = true shows what arrives."}
}

// waiting is how much waits for the socket now, or nil if it is not here.
func (l *life) waiting() *Waiting {
	for i := range l.report.Waiting {
		if w := &l.report.Waiting[i]; w.Socket == l.records[0].Socket {
			return w
		}
	}
	return nil
}

// apart is how far two moments are from each other.
func apart(from, to int64) string {
	d := time.Duration(to - from)
	if d < time.Second {
		return max(d, 0).Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
