package server

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/roster/local"
	"github.com/belfryhq/belfry/internal/webhook"
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
func (s *Server) openWebhooks(registry *apps.Registry) error {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	c := s.cfg.Webhooks
	name, err := s.nodeName()
	if err != nil {
		return err
	}
	s.roster = local.New(local.Config{
		Grace:       cmp.Or(c.Grace, defaultGrace),
		TellOnClose: c.VacateOnStop,
		Registerer:  s.metrics,
	})
	s.webhooks, err = webhook.New(ctx, webhook.Config{
		Apps:            registry,
		Engine:          s.state.engine,
		Roster:          s.roster,
		Node:            name,
		Gate:            s.loops,
		BatchInterval:   c.BatchInterval,
		Timeout:         c.Timeout,
		RetryFirst:      c.RetryFirst,
		RetryWindow:     c.RetryWindow,
		Concurrency:     c.Concurrency,
		AllowedNetworks: c.AllowedNetworks,
		Registerer:      s.metrics,
		Log:             s.log,
	})
	if err != nil {
		return err
	}
	s.onStop("webhooks", s.webhooks.Stop)
	if err := s.roster.Start(ctx, s.webhooks); err != nil {
		return err
	}
	s.onStop("roster", s.roster.Close) // before webhooks, which it may tell something
	return nil
}
