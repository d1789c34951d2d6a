// Package handover keeps it right who tells of what when nodes come and go: an
// event of a dead node is told by its successor, and by nobody else.
//
// It knows owners of queues, and the decisions of package roster. It does not
// publish, which the recorder in package webhook does, nor deliver, which package
// delivery does: it says to both what is theirs. To it they are the interfaces
// [Recorder] and [Deliverer].
//
// # Decisions
//
// [Decisions] has what this node was to tell and no queue has yet. It
// acknowledges to the roster up to where all is queued; what is not is told by
// the successor if this node dies. A decision that no endpoint here wants is
// kept pending for a while, since this node may hear later of the app. What is
// decided of the same channel waits behind it.
//
// # Takeover
//
// [Takeover] makes the queue of a dead node, its predecessor, this node's, in
// three steps:
//
//  1. claim it, and those that the predecessor had claimed, by comparing
//     revisions;
//  2. read which decisions are in it ([Known]), so that none is queued twice;
//  3. have it delivered.
//
// Until the second step is done the recorder publishes nothing. A node looks
// once a minute for queues that nobody delivers, and into those that it has
// taken over. An owner may have died in the moment before it had claimed. Or
// it may have published in the moment in which it was given up.
//
// # Fencing
//
// While Suspended returns a channel, the others may have given this node up, and
// nothing is taken over. When they have, the parent begins a new term: it calls
// [Decisions.Drop], and a takeover of the old term has no effect any more.
//
// # Locks
//
// Decisions.mu guards what is open and what is pending. It is held while a
// decision is put into outboxes (the locks of the recorder come after it) and
// while the roster is called, which does not block. Takeover.mu guards which
// queues are delivered, and nothing is called with it but Recorder.Pause.
//
// # Goroutines
//
// One for each takeover that is under way, one that looks for queues, and one
// while a decision is pending. Stop waits for them.
//
// # Bounds
//
// 10,000 decisions are pending at most; past that, what nobody wants is told to
// nobody at once. [Known] remembers 262,144 events for ten minutes. A scan reads
// the last 32,768 records of the stream.
package handover
