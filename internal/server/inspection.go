package server

import (
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/inspect"
	"github.com/belfryhq/belfry/internal/signing"
	"github.com/belfryhq/belfry/internal/usage"
)

// openInspection makes what shows operators the inside of apps, and helps them to
// test clients.
func (s *Server) openInspection(registry *apps.Registry, used *usage.Recorder) {
	s.signing = signing.New(registry, s.log)
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
