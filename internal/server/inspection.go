package server

import (
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/inspect"
	"github.com/belfryhq/belfry/internal/usage"
)

// openInspection makes what shows operators the inside of apps.
func (s *Server) openInspection(registry *apps.Registry, used *usage.Recorder) {
	s.inspection = inspect.New(inspect.Config{
		Hub:      s.hub,
		Apps:     registry,
		Faults:   s.tracing.faults,
		Webhooks: s.webhooks,
		KeyUses:  s.keyUses,
		Usage:    used,
		Node:     s.nodeInfo().Name,
		Peers:    s.peers,
		Log:      s.log,
	})
}
