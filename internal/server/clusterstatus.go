package server

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/broker/mesh"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/usage"
)

// clusterStatus is what an operator sees of the cluster from this node.
func (s *Server) clusterStatus(ctx context.Context) (admin.ClusterStatus, error) {
	err := cmp.Or(s.state.engine.Err(), s.state.engine.Writable())
	status := admin.ClusterStatus{
		Node: admin.ThisNode{
			ID: s.cluster.id, Name: s.state.name, Version: s.cfg.Version, Since: s.cluster.since, State: s.nodeState(),
		},
		Quorum:  err == nil || errors.Is(err, engine.ErrDiskFull),
		Settled: s.hub == nil || s.hub.Settled(),
		LeaseMS: s.lease().Milliseconds(),
		GraceMS: s.grace().Milliseconds(),
		Engine:  admin.EngineStatus{Embedded: s.cfg.EngineURL == "", Err: err},
	}
	if s.state.engine.Clustered() {
		peers, err := s.state.engine.Peers(ctx)
		if err != nil {
			s.log.Debug("the members of the engine are not known", "err", err)
			status.Quorum = false
		}
		for _, p := range peers {
			status.Engine.Peers = append(status.Engine.Peers, admin.EnginePeer{
				Name: p.Name, Leader: p.Leader, Current: p.Current, Offline: p.Offline, Lag: p.Lag, LastHeardMS: p.Seen.Milliseconds(),
			})
		}
	}
	for _, lost := range s.state.engine.Losses() {
		status.Engine.Lost = append(status.Engine.Lost, admin.LostStore{
			Stream: lost.Stream, Held: held(lost.Stream), At: lost.At, Missing: lost.Missing,
		})
	}
	self := admin.NodeStatus{
		Name: s.state.name, ID: s.cluster.id, Version: s.cfg.Version, Self: true, Witness: s.cfg.Cluster.Witness, State: s.nodeState(),
	}
	if s.hub != nil {
		self.Sockets = s.hub.Connections()
	}
	status.Nodes = append(status.Nodes, self)
	s.addPeers(&status)
	s.markWitnesses(ctx, &status)
	s.addLog(ctx, &status)
	if s.cluster.broker != nil {
		status.PendingLimit = mesh.DefaultMaxPending
	}
	return status, nil
}

// held says in words what is in a stream of the engine.
func held(stream string) string {
	switch stream {
	case engine.BucketStream(appstore.Bucket):
		return "the apps that were made at run time; nodes that know them write them again"
	case engine.BucketStream(usage.Bucket):
		return "the usage of earlier hours"
	case "belfry-roster", "belfry-roster-images":
		return "the decisions about channels and members; nodes write again what holds"
	case "belfry-webhooks":
		return "the webhooks that waited to be sent"
	case "belfry-webhooks-buried":
		return "the webhooks that were given up"
	}
	return "what the nodes tell each other of their webhooks"
}

// markWitnesses asks those members of the engine that are not on the bus
// whether they are witnesses.
func (s *Server) markWitnesses(ctx context.Context, status *admin.ClusterStatus) {
	heard := make(map[string]bool)
	for _, n := range status.Nodes {
		heard[n.Name] = true
	}
	var silent []string
	for _, p := range status.Engine.Peers {
		if !heard[p.Name] && !p.Offline {
			silent = append(silent, p.Name)
		}
	}
	witnesses := s.witnesses(ctx, silent)
	for i := range status.Engine.Peers {
		p := &status.Engine.Peers[i]
		p.Witness = witnesses[p.Name] || s.cfg.Cluster.Witness && p.Name == s.state.name
	}
}

// addLog adds what the log of decisions says.
func (s *Server) addLog(ctx context.Context, status *admin.ClusterStatus) {
	log := s.cluster.log
	if log == nil {
		return
	}
	now := log.Status()
	status.Counters.Decisions = now.Decisions
	status.Log = &admin.LogStatus{
		Stream: log.Stream(), Leader: s.state.engine.Leader(ctx, log.Stream()),
		Position: now.Position, Lag: now.Lag, Current: now.Current,
	}
	for i := range status.Nodes {
		n := &status.Nodes[i]
		n.Leader = n.Name == status.Log.Leader
		for _, x := range now.Incarnations {
			// After it was given up, a node goes on under another id there.
			if x.ID == n.ID || n.Self && x.ID == now.ID {
				n.Lease = &admin.LeaseStatus{
					LastBatchMS: int64(x.Silent * 1000), Suspect: x.Suspect,
					Contributions: x.Contributions, Untold: x.Untold, Pending: x.Pending,
				}
			}
		}
	}
}

// addPeers adds the nodes that this one hears.
func (s *Server) addPeers(status *admin.ClusterStatus) {
	if s.cluster.broker == nil {
		return
	}
	counts := s.hub.PeerCounts()
	status.Counters.Repairs, status.Counters.Drops = counts.Restatements, counts.EventsDropped
	status.Counters.SlowConsumers = s.cluster.broker.Slow()
	for _, p := range s.cluster.broker.Peers() {
		n := admin.NodeStatus{
			Name: p.Name, ID: p.ID, Version: p.Info[infoVersion], State: admin.StateReady,
			LastHeardMS: p.LastHeard.Milliseconds(), Sockets: s.hub.ConnectionsOf(p.ID),
			PendingBytes: p.PendingBytes, Sent: p.SentPackets, Received: p.ReceivedPackets,
			Lost: p.LostPackets, Dropped: p.DroppedMessages,
			RoundTripMS: float64(p.RoundTrip) / float64(time.Millisecond),
		}
		switch {
		case p.Leaving:
			n.State = admin.StateLeaving
		case p.Suspect:
			n.State = admin.StateSuspect
		}
		status.Nodes = append(status.Nodes, n)
	}
}

func (s *Server) nodeState() admin.NodeState {
	switch {
	case s.leaving.Load():
		return admin.StateDraining
	case s.cluster.roster != nil && !s.cluster.roster.Current():
		return admin.StateCutOff
	}
	return admin.StateReady
}
