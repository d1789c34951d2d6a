package admin

import (
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A ClusterStatus is what one node knows of its cluster at one moment. Whoever
// fills it leaves Problems and Notes to the handler, which also adds nodes that
// only the engine knows.
type ClusterStatus struct {
	Node ThisNode `json:"node"` // the one that was asked
	// Quorum is whether decisions can be made and things be written. Events and
	// what clients are told do not need it.
	Quorum bool `json:"quorum"`
	// Settled is whether all peers that are there have said what they hold.
	Settled bool `json:"settled"`

	LeaseMS int64 `json:"lease_ms"` // how long a node may be silent
	GraceMS int64 `json:"grace_ms"` // how long then until it is given up

	// PendingLimit is how many bytes may be on their way to one node; what is
	// more is lost. Zero means that it is not known.
	PendingLimit int64 `json:"pending_limit_bytes,omitempty"`

	Engine EngineStatus `json:"engine"`
	Nodes  []NodeStatus `json:"nodes"` // this one is among them
	// OtherReleases are nodes that are not heard because they speak to nodes in
	// another way, one line for each.
	OtherReleases []string `json:"other_releases,omitempty"`

	Log      *LogStatus    `json:"log,omitempty"`
	Counters ClusterCounts `json:"counters"`

	// Problems are what is wrong, the worst first. Notes are what an operator
	// should know although nothing is wrong.
	Problems []Finding `json:"problems"`
	Notes    []Finding `json:"notes"`
}

// A NodeState is how a node is.
type NodeState string

// The states of nodes. The first four are those of the node that is asked.
const (
	StateStarting NodeState = "starting"
	StateReady    NodeState = "ready"
	StateDraining NodeState = "draining" // it sends its clients elsewhere
	// StateCutOff is that the others may have given the node up. It serves its
	// clients, and tells backends nothing.
	StateCutOff NodeState = "cut_off"

	StateSuspect NodeState = "suspect" // silent for longer than the lease
	StateLeaving NodeState = "leaving" // it has said that it ends
	// StateAbsent is a member of the engine that does not run, or can not be
	// reached. It counts for the quorum until it is removed.
	StateAbsent NodeState = "absent"
	// StateUnheard is a member of the engine that runs and from which this node
	// hears nothing, and which is not known to be a witness.
	StateUnheard NodeState = "unheard"
)

// here reports whether a node in that state surely runs.
func (s NodeState) here() bool {
	return s == StateReady || s == StateDraining || s == StateStarting || s == StateCutOff
}

// ThisNode is who answers.
type ThisNode struct {
	ID      node.ID   `json:"id"` // changes with each start
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	State   NodeState `json:"state"`
}

// EngineStatus is how the engine is.
type EngineStatus struct {
	Embedded bool `json:"embedded"` // in the nodes; otherwise an external NATS
	// Err is why nothing can be written: one of the errors of package engine.
	Err   error       `json:"-"`
	State EngineState `json:"state"` // set by the handler, of Err
	// Peers are the members of an embedded engine. More than half of them must
	// be there.
	Peers []EnginePeer `json:"peers"`
	// Lost are the stores that were lost with everything in them since the
	// node was started, by name.
	Lost []LostStore `json:"lost,omitempty"`
}

// A LostStore is a stream of the engine that was gone with everything in it.
type LostStore struct {
	Stream  string    `json:"stream"`
	Held    string    `json:"held"`    // what was in it, in words
	At      time.Time `json:"at"`      // when that was noticed
	Missing bool      `json:"missing"` // it could not be made again yet
}

// An EngineState says whether the engine takes what is written.
type EngineState string

// The states of the engine.
const (
	EngineOK          EngineState = "ok"
	EngineUnavailable EngineState = "unavailable"
	EngineDiskFull    EngineState = "disk_full"
	EngineNoQuorum    EngineState = "no_quorum"
	EngineRemoved     EngineState = "removed" // this node is no member any more
)

// An EnginePeer is one member of an embedded engine.
type EnginePeer struct {
	Name    string `json:"name"`
	Witness bool   `json:"witness"` // known to have no clients
	Leader  bool   `json:"leader"`  // of the members
	Current bool   `json:"current"` // it has all that the leader has
	// Offline is what the engine says; the handler knows it sooner.
	Offline     bool   `json:"offline"`
	Lag         uint64 `json:"lag"` // decisions about streams that it has not got
	LastHeardMS int64  `json:"last_heard_ms"`
}

// NodeStatus is one incarnation of a node, seen from the one that is asked.
type NodeStatus struct {
	Name        string    `json:"name"`
	ID          node.ID   `json:"id,omitempty"` // empty: nothing was heard from it
	Version     string    `json:"version,omitempty"`
	Self        bool      `json:"self"`
	Witness     bool      `json:"witness"`
	State       NodeState `json:"state"`
	LastHeardMS int64     `json:"last_heard_ms"` // 0 for the node itself
	Sockets     int       `json:"sockets"`       // connections of clients
	Leader      bool      `json:"leader"`        // its engine leads the log of decisions

	// The way between the asked node and this one, since it was heard first.
	PendingBytes int64   `json:"pending_bytes"` // that it has not taken yet
	Sent         uint64  `json:"sent"`          // packets to it
	Received     uint64  `json:"received"`      // packets from it
	Lost         uint64  `json:"lost"`          // packets from it that have not come
	Dropped      uint64  `json:"dropped"`       // messages to it for which there was no room
	RoundTripMS  float64 `json:"round_trip_ms"` // what waits there included; 0: not known

	// Differs are the settings that it must have in common with the asked node
	// and has not, in words.
	Differs []string `json:"differs,omitempty"`

	Lease *LeaseStatus `json:"lease,omitempty"` // nil: the log does not know it
}

// LeaseStatus is what the log of decisions says of a node.
type LeaseStatus struct {
	LastBatchMS   int64 `json:"last_batch_ms"` // how long ago it wrote into the log
	Suspect       bool  `json:"suspect"`       // it has not written for a lease
	Contributions int   `json:"contributions"` // channels and members that it holds
	Untold        int   `json:"untold"`        // decisions that backends may not have been told of
	Pending       int   `json:"pending"`       // channels and members in their grace
}

// LogStatus is the log of decisions.
type LogStatus struct {
	Stream   string `json:"stream"`
	Leader   string `json:"leader"` // name of a node, or of an external server; empty: there is none
	Position uint64 `json:"position"`
	Lag      uint64 `json:"lag"` // entries that the node has not read
	// Current is whether the node is surely not given up by the others.
	Current bool `json:"current"`
	// GivenUp is how often the others have given the node up since its start, so
	// that it began again, and GivenUpAt when they did last.
	GivenUp   int        `json:"given_up"`
	GivenUpAt *time.Time `json:"given_up_at,omitempty"`
}

// ClusterCounts are since the start of the asked node.
type ClusterCounts struct {
	Decisions     uint64 `json:"decisions"`
	Repairs       uint64 `json:"repairs"` // how often a peer has finished a resync
	Drops         uint64 `json:"drops"`   // events of peers that were not delivered
	SlowConsumers uint64 `json:"slow_consumers"`
}

// A Finding is something that an operator should know.
type Finding struct {
	Code   FindingCode `json:"code"`
	Node   string      `json:"node,omitempty"`
	Text   string      `json:"text"`             // what is so, and what it means
	Advice string      `json:"advice,omitempty"` // what to do
}

// A FindingCode is what programs know a finding by.
type FindingCode string

// The codes of findings.
const (
	FindRemoved       FindingCode = "removed"
	FindNoQuorum      FindingCode = "no_quorum"
	FindCutOff        FindingCode = "cut_off"
	FindDiskFull      FindingCode = "disk_full"
	FindEngine        FindingCode = "engine_unavailable"
	FindStoreMissing  FindingCode = "store_missing"
	FindNoLogLeader   FindingCode = "no_log_leader"
	FindNotMember     FindingCode = "not_member"
	FindSettings      FindingCode = "different_settings"
	FindOtherRelease  FindingCode = "other_release"
	FindDuplicateName FindingCode = "duplicate_name"
	FindAbsent        FindingCode = "node_absent"
	FindSuspect       FindingCode = "node_suspect"
	FindUnheard       FindingCode = "node_unheard"
	FindLeaseSuspect  FindingCode = "lease_suspect"
	FindLinkFull      FindingCode = "link_full"
	FindCatchingUp    FindingCode = "catching_up"
	FindLogLag        FindingCode = "log_lag"
	FindNotSettled    FindingCode = "not_settled"

	FindTwoNodes FindingCode = "two_nodes"
	FindStore    FindingCode = "store_lost"
	FindGivenUp  FindingCode = "given_up"
	FindLost     FindingCode = "messages_lost"
	FindDrops    FindingCode = "events_dropped"
	FindVersions FindingCode = "versions"
	FindGoing    FindingCode = "node_going"
	FindUntold   FindingCode = "untold"
)
