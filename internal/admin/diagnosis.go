package admin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/engine"
)

// complete adds to a status what follows from it.
func (s *ClusterStatus) complete() {
	s.Engine.State = engineState(s.Engine.Err)
	s.judgeMembers()
	s.addMembers()
	slices.SortFunc(s.Nodes, func(a, b NodeStatus) int {
		if byName := strings.Compare(a.Name, b.Name); byName != 0 {
			return byName
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	s.Problems, s.Notes = []Finding{}, []Finding{}
	s.judgeEngine()
	s.judgeNodes()
	s.judgeLog()
	s.note()
}

func engineState(err error) EngineState {
	switch {
	case err == nil:
		return EngineOK
	case errors.Is(err, engine.ErrDiskFull):
		return EngineDiskFull
	case errors.Is(err, engine.ErrNoQuorum):
		return EngineNoQuorum
	case errors.Is(err, engine.ErrRemoved):
		return EngineRemoved
	}
	return EngineUnavailable
}

// judgeMembers finds out which members of the engine are not there: the engine
// itself takes half a minute to say so.
func (s *ClusterStatus) judgeMembers() {
	peers := append([]EnginePeer{}, s.Engine.Peers...) // none is no null in JSON
	led := slices.ContainsFunc(peers, func(p EnginePeer) bool { return p.Leader })
	for i := range peers {
		p := &peers[i]
		switch {
		case s.hears(p.Name):
			p.Offline = false
		case led:
			never := p.LastHeardMS == 0 && !p.Current // by this leader
			p.Offline = p.Offline || !p.Leader && (never || p.LastHeardMS > s.LeaseMS)
		case !p.Witness && !s.deaf():
			p.Offline = true // without a leader nobody knows when it was heard
		}
	}
	s.Engine.Peers = peers
}

// hears reports whether a node of that name surely runs.
func (s *ClusterStatus) hears(name string) bool {
	return slices.ContainsFunc(s.Nodes, func(n NodeStatus) bool { return n.Name == name && (n.Self || n.State.here()) })
}

// deaf reports whether the node hears of nobody but by the engine.
func (s *ClusterStatus) deaf() bool {
	return slices.ContainsFunc(s.Nodes, func(n NodeStatus) bool { return n.Self && n.Witness })
}

// addMembers adds the members of the engine from which nothing was heard.
func (s *ClusterStatus) addMembers() {
	s.Nodes = append([]NodeStatus{}, s.Nodes...)
	deaf := s.deaf()
	for _, p := range s.Engine.Peers {
		if slices.ContainsFunc(s.Nodes, func(n NodeStatus) bool { return n.Name == p.Name }) {
			continue
		}
		n := NodeStatus{Name: p.Name, Witness: p.Witness, State: StateUnheard, LastHeardMS: p.LastHeardMS}
		switch {
		case p.Offline && 0 < p.LastHeardMS && p.LastHeardMS <= s.LeaseMS+s.GraceMS:
			n.State = StateSuspect
		case p.Offline:
			n.State = StateAbsent
		case p.Witness || deaf:
			n.State = StateReady
		}
		s.Nodes = append(s.Nodes, n)
	}
}

func (s *ClusterStatus) problem(code FindingCode, node, advice, format string, args ...any) {
	s.Problems = append(s.Problems, Finding{code, node, fmt.Sprintf(format, args...), advice})
}

func (s *ClusterStatus) noteThat(code FindingCode, node, format string, args ...any) {
	s.Notes = append(s.Notes, Finding{Code: code, Node: node, Text: fmt.Sprintf(format, args...)})
}

// missing are the members of the engine that are not there.
func (s *ClusterStatus) missing() (names []string) {
	for _, p := range s.Engine.Peers {
		if p.Offline {
			names = append(names, p.Name)
		}
	}
	return names
}

const withoutQuorum = "Clients are served and events reach them, but webhooks wait, and apps and usage can not be written."

func (s *ClusterStatus) judgeEngine() {
	if s.Engine.State == EngineRemoved {
		s.problem(FindRemoved, s.Node.Name, "Stop it. To use it again, give it an empty data directory, or the same name no sooner than five minutes after the removal.",
			"%s was removed from the cluster. It can not write anything.", s.Node.Name)
		return
	}
	switch {
	case s.Engine.State == EngineUnavailable:
		s.problem(FindEngine, s.Node.Name, "Look at the log of the node, and at the external NATS if there is one.",
			"The engine of %s does not answer. %s", s.Node.Name, withoutQuorum)
	case !s.Quorum && s.Engine.Embedded:
		s.problem(FindNoQuorum, "", "Start the missing nodes, or mend the network to them.", "%s %s", s.gathered(), withoutQuorum)
	case !s.Quorum:
		s.problem(FindNoQuorum, "", "Look at the external NATS.", "The external NATS has no quorum. %s", withoutQuorum)
	}
	if s.Engine.State == EngineDiskFull {
		s.problem(FindDiskFull, s.Node.Name, "Make room where its data directory is; it goes on by itself.",
			"The disk of %s is full. Its webhooks wait in memory, and then it takes no new work.", s.Node.Name)
	}
	for _, name := range s.strangers() {
		s.problem(FindNotMember, name, "Wait: a name that was removed can be a member again after five minutes. If it is none then, start it again.",
			"%s runs, and is no member of the engine: its name was removed a short time ago, or it is just joining. It keeps no copies, and does not count for the quorum.", name)
	}
	if len(s.OtherReleases) > 0 {
		s.problem(FindOtherRelease, "", "Give all nodes the same release. Until then stop those of one of the two.",
			"Nodes of another release run, and do not share events and members with %s: %s.", s.Node.Name, strings.Join(s.OtherReleases, "; "))
	}
	for _, lost := range s.Engine.Lost {
		if lost.Missing {
			s.problem(FindStoreMissing, "", "Look at the external NATS: whether it has its storage, and room. The nodes try again by themselves.",
				"The store %s is gone and can not be made again. In it were %s.", lost.Stream, lost.Held)
		}
	}
	if s.Node.State == StateCutOff {
		s.problem(FindCutOff, s.Node.Name, "Look at the network between it and the others, and at its disk. It comes back by itself.",
			"%s could not write into the log, and the others may have given it up. It serves its clients, and sends no webhooks.", s.Node.Name)
	}
}

// strangers are the nodes that run and that the leader of the members does not
// count.
func (s *ClusterStatus) strangers() (names []string) {
	if !slices.ContainsFunc(s.Engine.Peers, func(p EnginePeer) bool { return p.Leader }) {
		return nil // nobody knows
	}
	for _, n := range s.Nodes {
		if n.State.here() && !slices.ContainsFunc(s.Engine.Peers, func(p EnginePeer) bool { return p.Name == n.Name }) && !slices.Contains(names, n.Name) {
			names = append(names, n.Name)
		}
	}
	return names
}

// gathered says how many members are there.
func (s *ClusterStatus) gathered() string {
	missing, size := s.missing(), len(s.Engine.Peers)
	if size == 0 {
		return "Too few nodes are here."
	}
	text := fmt.Sprintf("%d of %d nodes are here, and %d are needed.", size-len(missing), size, size/2+1)
	if len(missing) > 0 {
		text += " Missing: " + strings.Join(missing, ", ") + "."
	}
	return text
}

func (s *ClusterStatus) judgeNodes() {
	seen := make(map[string]bool)
	for _, n := range s.Nodes {
		if n.State.here() {
			if seen[n.Name] {
				s.problem(FindDuplicateName, n.Name, "Give each node a data directory of its own, and cluster.name if you set it.", "Two nodes are called %s.", n.Name)
			}
			seen[n.Name] = true
		}
		s.judgeNode(n)
	}
	for _, p := range s.Engine.Peers {
		if !p.Offline && !p.Current && s.Quorum {
			s.problem(FindCatchingUp, p.Name, "Wait before you stop another node.", "%s has not got everything that the others have (%d behind).", p.Name, p.Lag)
		}
	}
	if !s.Settled {
		s.problem(FindNotSettled, s.Node.Name, "Wait a moment before you stop another node.", "%s has not heard yet all that the others hold.", s.Node.Name)
	}
}

func (s *ClusterStatus) judgeNode(n NodeStatus) {
	switch n.State {
	case StateAbsent:
		s.problem(FindAbsent, n.Name, "Start it. If it will not come back: belfry cluster remove "+n.Name,
			"%s is not here (%s). It counts for the quorum until it is removed.", n.Name, silence(n.LastHeardMS))
	case StateSuspect:
		s.problem(FindSuspect, n.Name, "Look at the machine and at the network to it.",
			"%s is silent (%s). After %s its clients count as gone.", n.Name, silence(n.LastHeardMS), milliseconds(s.LeaseMS+s.GraceMS))
	case StateUnheard:
		s.noteThat(FindUnheard, n.Name, "%s runs, and %s hears nothing from it: it is a witness, or starting. If it is neither, they do not share events and members; look at its log.",
			n.Name, s.Node.Name)
	case StateLeaving, StateDraining:
		s.noteThat(FindGoing, n.Name, "%s is %s.", n.Name, n.State)
	}
	if len(n.Differs) > 0 {
		s.problem(FindSettings, n.Name, "Stop all nodes, give them the same settings, and start them.",
			"%s has other settings than %s: %s. The nodes may decide differently.", n.Name, s.Node.Name, strings.Join(n.Differs, ", "))
	}
	if s.PendingLimit > 0 && n.PendingBytes > s.PendingLimit/2 {
		s.problem(FindLinkFull, n.Name, "Look at the load of that node and at the network to it.",
			"%d bytes are on their way to %s; beyond %d messages are lost.", n.PendingBytes, n.Name, s.PendingLimit)
	}
	if n.Lease != nil && n.Lease.Suspect && n.State.here() {
		s.problem(FindLeaseSuspect, n.Name, "Look at its disk and its engine: belfry cluster status on that node.",
			"%s can be heard, but has not written into the log for %s. Others will tell backends what it does not.", n.Name, milliseconds(n.Lease.LastBatchMS))
	}
	if n.Lease != nil && n.Lease.Untold > 0 && !n.State.here() {
		s.noteThat(FindUntold, n.Name, "%d decisions wait until another node takes over those of %s.", n.Lease.Untold, n.Name)
	}
}

// tooFarBehind is how many entries of the log a node may have to read without
// anybody having to know.
const tooFarBehind = 10_000

func (s *ClusterStatus) judgeLog() {
	if s.Log == nil {
		return
	}
	if s.Quorum && s.Log.Leader == "" {
		s.problem(FindNoLogLeader, "", "It should have one within seconds; if not, look at the logs of the nodes.", "The log of decisions has no leader. Webhooks wait.")
	}
	if s.Log.Lag > tooFarBehind {
		s.problem(FindLogLag, s.Node.Name, "Wait; if it grows, the machine is too slow for what happens.", "%s has %d entries of the log to read.", s.Node.Name, s.Log.Lag)
	}
}

func (s *ClusterStatus) note() {
	var versions []string
	for _, n := range s.Nodes {
		if n.Lost+n.Dropped > 0 {
			s.noteThat(FindLost, n.Name, "%d packets from %s were lost, and %d messages to it found no room. State is told again; events are gone.", n.Lost, n.Name, n.Dropped)
		}
		if n.Version != "" && !slices.Contains(versions, n.Version) {
			versions = append(versions, n.Version)
		}
	}
	if s.Log != nil && s.Log.GivenUp > 0 && s.Log.GivenUpAt != nil {
		s.noteThat(FindGivenUp, s.Node.Name, "The others have given %s up, and it began again: %d times since its start, the last time at %s. "+
			"If it was not cut off or stopped then, another node had its name: look for a data directory that was copied.",
			s.Node.Name, s.Log.GivenUp, s.Log.GivenUpAt.UTC().Format(time.RFC3339))
	}
	for _, lost := range s.Engine.Lost {
		if !lost.Missing {
			s.noteThat(FindStore, "", "The store %s was lost, noticed at %s, and made again. In it were %s.", lost.Stream, lost.At.UTC().Format(time.RFC3339), lost.Held)
		}
	}
	if s.Counters.Drops > 0 {
		s.noteThat(FindDrops, s.Node.Name, "%s had too much to do to deliver %d events of other nodes.", s.Node.Name, s.Counters.Drops)
	}
	if len(versions) > 1 {
		s.noteThat(FindVersions, "", "Not all nodes are of one version: %s.", strings.Join(versions, ", "))
	}
	if s.Engine.Embedded && len(s.Engine.Peers) == 2 {
		s.noteThat(FindTwoNodes, "", "With two nodes, neither can write anything while the other is away. A witness (belfry serve --witness) on a third machine helps.")
	}
}

func milliseconds(n int64) string { return (time.Duration(n) * time.Millisecond).String() }

// silence says for how long nothing was heard.
func silence(ms int64) string {
	if ms <= 0 {
		return "not heard yet"
	}
	d := time.Duration(ms) * time.Millisecond
	if d > time.Second {
		d = d.Round(time.Second)
	}
	return "last heard " + d.String() + " ago"
}
