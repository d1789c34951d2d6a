package server

import (
	"net/netip"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/webhook"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
)

// Webhooks says how backends are told what happens. Which of them are is a
// matter of their apps. Zero fields mean the defaults of package webhook.
type Webhooks struct {
	// Grace is how long a channel may be empty, or a member absent, before it
	// is news. Negative: not at all.
	Grace         time.Duration
	VacateOnStop  bool // report the channels that a stop has emptied
	BatchInterval time.Duration
	Timeout       time.Duration // of one attempt
	RetryFirst    time.Duration
	RetryWindow   time.Duration
	Concurrency   int // requests to one endpoint at once
	// AllowedNetworks may be reached although they are not public.
	AllowedNetworks []netip.Prefix
}

// defaultGrace is that of Webhooks.Grace.
const defaultGrace = 3 * time.Second

// openWebhooks begins to deliver what is queued, and to hear what happens.
func (s *Server) openWebhooks(registry *apps.Registry) (err error) {
	ctx, cancel := s.starting()
	defer cancel()
	c := s.cfg.Webhooks
	s.webhooks, err = webhook.New(ctx, webhook.Config{
		Apps:      registry,
		Engine:    s.engine,
		Roster:    s.roster,
		Node:      s.name,
		Clustered: s.cfg.Clustered(),
		Known:     s.cluster.known(),
		Holdings:  s.holdings,
		Gate:      s.loops,
		Delivery: delivery.Policy{
			BatchInterval:   c.BatchInterval,
			Timeout:         c.Timeout,
			RetryFirst:      c.RetryFirst,
			RetryWindow:     c.RetryWindow,
			Concurrency:     c.Concurrency,
			AllowedNetworks: c.AllowedNetworks,
			Attempted:       s.tracing.attempted,
		},
		Registerer: s.metrics,
		Log:        s.log,
	})
	if err != nil {
		return err
	}
	s.onStop("webhooks", s.webhooks.Stop)
	return nil
}

// holdings are what holds in the channels of an app on this node.
func (s *Server) holdings(appID string, each func(roster.Subject)) {
	s.hub.Holdings(appID, func(channel, user string, member bool) {
		each(roster.Subject{App: appID, Channel: channel, User: user, Member: member})
	})
}
