package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/journal"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// A cluster of two as its nodes tell of it: an event of a, and a socket of b that was
// subscribed then.
func told(t *testing.T) (q Query, a, b *Report) {
	t.Helper()
	socket, _ := protocol.ParseSocketID("1.2")
	at := time.Date(2026, 1, 31, 15, 0, 0, 0, time.UTC)
	moment := func(seconds int) int64 { return at.Add(time.Duration(seconds) * time.Second).UnixNano() }
	id := trace.ID{Node: "AAAAAAAAAAAAAAAA", Number: 7}
	event := &journal.Record{Kind: trace.APIMessage, At: moment(0), Channel: "news", Event: "e", ID: id, Elsewhere: 1, Peers: []node.ID{"BBBBBBBBBBBBBBBB"}}
	a = &Report{Node: id.Node, Name: "a", Began: moment(-99), Events: []*journal.Record{event}}
	b = &Report{Node: "BBBBBBBBBBBBBBBB", Name: "b", Began: moment(-99), Lives: []*journal.Record{
		{Kind: trace.Connected, At: moment(-20), Socket: socket},
		{Kind: trace.Subscribed, At: moment(-10), Socket: socket, Channel: "news"},
	}}
	return Query{App: "1", Event: id, Socket: socket}, a, b
}

// TestVerdictsBetweenNodes: what is concluded when an event has not come to the node
// of a socket, from what that node and the event's own one tell.
func TestVerdictsBetweenNodes(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(q *Query, a, b *Report) (reports []*Report, missing []string)
		verdict Verdict
		text    string
		unsure  string
	}{
		"sent and not arrived": {func(_ *Query, a, b *Report) ([]*Report, []string) {
			return []*Report{a, b}, nil
		}, LostBetweenNodes, "was sent to node b and has not arrived", ""},
		"not sent": {func(_ *Query, a, b *Report) ([]*Report, []string) {
			a.Events[0].Peers = nil
			return []*Report{a, b}, nil
		}, LostBetweenNodes, "did not know yet that somebody is subscribed on node b", ""},
		"dropped there": {func(_ *Query, a, b *Report) ([]*Report, []string) {
			b.Events = []*journal.Record{{Kind: trace.Error, At: a.Events[0].At, Channel: "news", ID: a.Events[0].ID, Text: "too much to do"}}
			return []*Report{b, a}, nil
		}, LostBetweenNodes, "dropped it", ""},
		"its node does not answer": {func(_ *Query, a, _ *Report) ([]*Report, []string) {
			return []*Report{a}, []string{"b"}
		}, Unknown, "No node knows this socket", "node b has not answered"},
		"the event's node does not answer": {func(_ *Query, _, b *Report) ([]*Report, []string) {
			return []*Report{b}, []string{"a"}
		}, Unknown, "can not be reached", "node a has not answered"},
		"its node is dead, and nobody in particular is asked about": {func(q *Query, a, _ *Report) ([]*Report, []string) {
			q.Socket = protocol.SocketID{}
			return []*Report{a}, nil
		}, Unknown, "it is not known that any socket was handed it", "1 of the nodes that it was sent to have ended"},
	} {
		q, a, b := told(t)
		reports, missing := test.change(&q, a, b)
		_, _, findings := Judge(q, reports, missing)
		if len(findings) != 1 {
			t.Errorf("%s: %d findings, want one", name, len(findings))
			continue
		}
		f := findings[0]
		if f.Verdict != test.verdict || !strings.Contains(f.Text, test.text) || !strings.Contains(strings.Join(f.Unsure, "; "), test.unsure) {
			t.Errorf("%s: %s %q, not known: %q; want %s %q, %q", name, f.Verdict, f.Text, f.Unsure, test.verdict, test.text, test.unsure)
		}
	}
}
