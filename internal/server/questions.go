package server

import (
	"context"
	"net/http"
	"net/url"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/inspect"
	"github.com/belfryhq/belfry/internal/survey"
	"github.com/belfryhq/belfry/internal/tap"
)

// Operators ask one node, which asks its peers. Their questions go by the relay, as
// requests for sessions do.

// peers are the other nodes, as whoever asks on behalf of an operator knows them;
// nil if there are none.
func (s *Server) peers() survey.Peers {
	if s.cluster == nil {
		return nil // and not an interface that holds nothing
	}
	return &questions{s.cluster}
}

// questions are asked over a cluster's relay.
type questions struct{ cluster *cluster }

// List implements [survey.Peers].
func (q *questions) List() (list []survey.Peer) {
	for _, p := range q.cluster.broker.Peers() {
		list = append(list, survey.Peer{ID: p.ID, Name: p.Name})
	}
	return list
}

// Ask implements [survey.Peers].
func (q *questions) Ask(ctx context.Context, peer node.ID, path string, query url.Values) (*http.Response, error) {
	return q.cluster.relay.Ask(ctx, peer, path, query)
}

// answers answers what peers ask.
func (s *Server) answers() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(tap.PeerPath, s.tracing.taps.ServePeer)
	mux.HandleFunc(explain.PeerPath, s.tracing.explainer.ServePeer)
	mux.HandleFunc(explain.TimelinePeerPath, s.tracing.explainer.ServeTimelineToPeer)
	mux.Handle(inspect.PeerPath+"/", s.inspection.PeerHandler())
	return mux
}
