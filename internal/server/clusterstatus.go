package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/cluster/broker/mesh"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/usage"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// clusterStatus is what an operator sees of the cluster from this node.
func (s *Server) clusterStatus(ctx context.Context) (admin.ClusterStatus, error) {
	status := s.status(ctx, admin.NodeStatus{State: s.nodeState(), Sockets: s.hub.Connections()})
	status.Settled = s.hub.Settled()
	status.PendingLimit = mesh.DefaultMaxPending
	s.addPeers(&status)
	s.markWitnesses(ctx, &status)
	s.addLog(ctx, &status)
	return status, nil
}

// status is what every node knows: how it is itself, and what the engine says.
func (p *process) status(ctx context.Context, self admin.NodeStatus) admin.ClusterStatus {
	self.Name, self.ID, self.Version, self.Self = p.name, p.id, p.cfg.Version, true
	err := cmp.Or(p.engine.Err(), p.engine.Writable())
	status := admin.ClusterStatus{
		Node:    admin.ThisNode{ID: p.id, Name: p.name, Version: p.cfg.Version, Since: p.since, State: self.State},
		Quorum:  err == nil || errors.Is(err, engine.ErrDiskFull),
		LeaseMS: p.lease().Milliseconds(),
		GraceMS: p.grace().Milliseconds(),
		Engine:  admin.EngineStatus{Embedded: p.cfg.EngineURL == "", Err: err},
		Nodes:   []admin.NodeStatus{self},
	}
	if p.engine.Clustered() {
		peers, err := p.engine.Peers(ctx)
		if err != nil {
			p.log.Debug("the members of the engine are not known", "err", err)
			status.Quorum = false
		}
		for _, peer := range peers {
			status.Engine.Peers = append(status.Engine.Peers, admin.EnginePeer{
				Name: peer.Name, Leader: peer.Leader, Current: peer.Current, Offline: peer.Offline, Lag: peer.Lag, LastHeardMS: peer.Seen.Milliseconds(),
			})
		}
	}
	for _, lost := range p.engine.Losses() {
		status.Engine.Lost = append(status.Engine.Lost, admin.LostStore{
			Stream: lost.Stream, Held: held(lost.Stream), At: lost.At, Missing: lost.Missing,
		})
	}
	return status
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
	case queue.StreamName:
		return "the webhooks that waited to be sent"
	case queue.DeadLetterStreamName:
		return "the webhooks that were given up"
	}
	return "what the nodes tell each other of their webhooks"
}

// markWitnesses asks those members of the engine that are not on the bus
// whether they are witnesses.
func (p *process) markWitnesses(ctx context.Context, status *admin.ClusterStatus) {
	witness := make(map[string]bool) // of the nodes that are heard
	for _, n := range status.Nodes {
		witness[n.Name] = n.Witness
	}
	var silent []string
	for _, peer := range status.Engine.Peers {
		if _, heard := witness[peer.Name]; !heard && !peer.Offline {
			silent = append(silent, peer.Name)
		}
	}
	maps.Copy(witness, p.witnesses(ctx, silent))
	for i := range status.Engine.Peers {
		peer := &status.Engine.Peers[i]
		peer.Witness = witness[peer.Name]
	}
}

// addLog adds what the log of decisions says.
func (s *Server) addLog(ctx context.Context, status *admin.ClusterStatus) {
	log := s.cluster.log
	now := log.Status()
	status.Counters.Decisions = now.Decisions
	status.Log = &admin.LogStatus{
		Stream: log.Stream(), Leader: s.engine.Leader(ctx, log.Stream()),
		Position: now.Position, Lag: now.Lag, Current: now.Current, GivenUp: now.GivenUp,
	}
	if !now.GivenUpAt.IsZero() {
		status.Log.GivenUpAt = &now.GivenUpAt
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
	counts := s.hub.PeerCounts()
	status.Counters.Repairs, status.Counters.Drops = counts.Resyncs, counts.EventsDropped
	status.Counters.SlowConsumers = s.cluster.broker.Slow()
	for _, n := range s.cluster.broker.Foreign() {
		status.OtherReleases = append(status.OtherReleases, fmt.Sprintf("%s speaks version %d, and this node %d", n.ID, n.Version, mesh.Version))
	}
	here := s.info()
	for _, p := range s.cluster.broker.Peers() {
		n := admin.NodeStatus{
			Name: p.Name, ID: p.ID, Version: p.Info[infoVersion], State: admin.StateReady,
			LastHeardMS: p.LastHeard.Milliseconds(), Sockets: s.hub.ConnectionsOf(p.ID),
			PendingBytes: p.PendingBytes, Sent: p.SentPackets, Received: p.ReceivedPackets,
			Lost: p.LostPackets, Dropped: p.DroppedMessages,
			RoundTripMS: float64(p.RoundTrip) / float64(time.Millisecond),
		}
		for _, key := range alike {
			if there := p.Info[key]; there != here[key] {
				n.Differs = append(n.Differs, fmt.Sprintf("%s is %s there and %s here", key, cmp.Or(there, "unknown"), here[key]))
			}
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
	case !s.roster.Current():
		return admin.StateCutOff
	}
	return admin.StateReady
}
