package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/natsbroker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/relay"
	"github.com/belfryhq/belfry/internal/cluster/roster/local"
	"github.com/belfryhq/belfry/internal/cluster/roster/natsroster"
	"github.com/belfryhq/belfry/internal/fallback"
)

// cluster is what joins a node to others. It is nil for a node that is alone.
type cluster struct {
	log    *natsroster.Roster // the node's roster
	broker *natsbroker.Broker
	relay  *relay.Relay
	joined atomic.Pointer[time.Time] // when broker and relay have started; nil: they have not
}

// bus is the broker as the hub knows it.
func (c *cluster) bus() broker.Broker {
	if c == nil {
		return nil // and not an interface that holds nothing
	}
	return c.broker
}

// elsewhere is the relay as the fallback knows it.
func (c *cluster) elsewhere() fallback.Elsewhere {
	if c == nil {
		return nil
	}
	return c.relay
}

// openRoster makes what decides what backends are told. It ends after those
// whom it tells.
func (s *Server) openRoster() {
	grace := cmp.Or(s.cfg.Webhooks.Grace, defaultGrace)
	if !s.cfg.Clustered() {
		s.roster = local.New(local.Config{
			Grace: grace, TellOnClose: s.cfg.Webhooks.VacateOnStop, ID: s.id, Registerer: s.metrics,
		})
		return
	}
	c := &cluster{}
	c.log = natsroster.New(natsroster.Config{
		JetStream:    s.engine.JetStream(),
		Stream:       s.engine.Stream,
		ID:           s.id,
		Name:         s.name,
		Lease:        s.lease(),
		Grace:        s.grace(),
		WebhookGrace: grace,
		Gone:         func(name string) bool { return c.gone(name, s.lease()+s.grace()) },
		Log:          s.log,
		Registerer:   s.metrics,
	})
	s.cluster, s.roster = c, c.log
}

// openBus makes the ways to peers, if there are any. They are closed after the
// sockets, whose end is for peers to hear of.
func (s *Server) openBus() (err error) {
	c := s.cluster
	if c == nil {
		return nil
	}
	c.broker, err = natsbroker.New(natsbroker.Config{
		Conn:       s.engine.Conn(),
		ID:         s.id,
		Name:       s.name,
		Info:       s.info(),
		Alike:      alike,
		Lease:      s.lease(),
		Grace:      s.grace(),
		Suspended:  s.renew,
		Registerer: s.metrics,
		Log:        s.log,
	})
	if err != nil {
		return err
	}
	c.relay = relay.New(relay.Config{Log: s.log, Registerer: s.metrics})
	return nil
}

// infoVersion is under what peers are told the version of the node.
const infoVersion = "version"

// alike are the settings that all nodes must have in common, because each works
// out for itself what all decide. Peers are told them under their names.
var alike = []string{"cluster.lease", "cluster.grace", "webhooks.grace"}

// info is what peers are told of the node.
func (s *Server) info() map[string]string {
	return map[string]string{
		infoVersion:      s.cfg.Version,
		"cluster.lease":  s.lease().String(),
		"cluster.grace":  max(cmp.Or(s.cfg.Cluster.Grace, DefaultGrace), 0).String(),
		"webhooks.grace": max(cmp.Or(s.cfg.Webhooks.Grace, defaultGrace), 0).String(),
	}
}

func (p *process) lease() time.Duration { return cmp.Or(p.cfg.Cluster.Lease, DefaultLease) }

// grace is never zero, which is a default to those who get it.
func (p *process) grace() time.Duration {
	return max(cmp.Or(p.cfg.Cluster.Grace, DefaultGrace), time.Millisecond)
}

const (
	// settleTimeout bounds how long a node that starts waits for what its
	// peers hold. What has not come by then comes while it serves.
	settleTimeout = 10 * time.Second
	settlePoll    = 20 * time.Millisecond
	// listenFor is how long it waits for peers that it has not heard of yet.
	listenFor = time.Second
)

// join makes the node one of the cluster. When it returns, the node knows what
// its peers hold, and has its part in decisions.
func (s *Server) join() error {
	ctx, cancel := s.starting()
	defer cancel()
	if s.cluster != nil {
		if err := s.cluster.start(s.hub.Receiver(), relay.Host{
			Has: s.fallbacks.Has, Handler: s.fallbacks.Relayed(), Peer: s.answers(),
		}); err != nil {
			return fmt.Errorf("server: %w", err)
		}
		s.settle(ctx)
	}
	if err := s.roster.Start(ctx, s.webhooks); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// start makes the node known to its peers.
func (c *cluster) start(r broker.Receiver, host relay.Host) error {
	// Whoever hears of the node may pass requests on to it.
	c.relay.Start(host)
	if err := c.broker.Start(c.relay.Receiver(r)); err != nil {
		return errors.Join(err, c.relay.Close(context.Background()))
	}
	now := time.Now()
	c.joined.Store(&now)
	return nil
}

// gone reports whether a node is not heard of on the bus although this one has
// listened for so long.
func (c *cluster) gone(name string, long time.Duration) bool {
	joined := c.joined.Load()
	if joined == nil || time.Since(*joined) < long {
		return false
	}
	return !slices.ContainsFunc(c.broker.Peers(), func(p natsbroker.PeerStatus) bool { return p.Name == name })
}

// handOverTimeout bounds how long a node that ends gives its peers what it has kept.
const handOverTimeout = 3 * time.Second

// leave gives the peers what the node has kept for its clients, and tells them that it
// ends.
func (s *Server) leave(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, handOverTimeout)
	defer cancel()
	s.hub.HandOver(bounded)
	return s.cluster.leave(ctx)
}

// leave tells the peers that the node ends.
func (c *cluster) leave(ctx context.Context) error {
	if c.joined.Load() == nil {
		return nil
	}
	err := c.relay.Close(ctx)
	c.broker.Leave(ctx)
	return errors.Join(err, c.broker.Close(ctx))
}

// known reports whether the roster will still say what becomes of the jobs of
// an incarnation. It is nil if nobody knows.
func (c *cluster) known() func(node.ID) bool {
	if c == nil {
		return nil
	}
	return c.log.Known
}

// settle waits until the peers have said what they hold.
func (s *Server) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	poll := time.NewTicker(settlePoll)
	defer poll.Stop()
	for began := time.Now(); time.Since(began) < listenFor || !s.hub.Settled(); {
		select {
		case <-poll.C:
		case <-ctx.Done():
			s.log.Warn("peers have not said what they hold; what they have not said is missing for now", "peers", s.hub.Peers())
			return
		}
	}
	s.log.Info("joined the cluster", "peers", s.hub.Peers(), "id", s.id)
}

// renew makes all clients connect anew, because the process did not run for so
// long that nobody knows what they have missed.
func (s *Server) renew(stopped time.Duration) {
	s.log.Error("this process did not run; its clients connect anew", "for", stopped.Round(time.Millisecond), "connections", s.loops.Sockets())
	s.sendAway(s.window())
}
