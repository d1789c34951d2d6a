package server

import (
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/inspect"
)

// openInspection makes what shows operators the inside of apps.
func (s *Server) openInspection(registry *apps.Registry) {
	s.inspection = inspect.New(inspect.Config{
		Hub:      s.hub,
		Apps:     registry,
		Faults:   s.tracing.faults,
		Webhooks: s.webhooks,
		Node:     s.nodeInfo().Name,
		Peers:    s.peers,
		Log:      s.log,
	})
}
