// Package queue keeps the events of webhooks until they are delivered: what an
// event and a record of several are, how they are written, and where.
//
// It knows no endpoints, no apps beside their names, and no HTTP. Who may
// publish and deliver when is decided above: by package handover, and by the
// recorder in package webhook. Package delivery reads and removes.
//
// # What is stored
//
// A [Store] has three parts, each with a contract of its own, which queuetest
// keeps in memory for tests.
//
//   - [Queue]: records, in one JetStream stream. A subject is an owner, an app
//     and an endpoint. An owner is an incarnation of a node, so that the next
//     life of a node does not deliver what another one has taken over.
//   - [Claims]: which owner has taken over the queue of which other one, in a
//     bucket that is written by comparing revisions. Only clusters have it.
//   - [DeadLetters]: events that were given up, in a second stream. It forgets
//     the oldest after a week, or when it is full.
//
// A record is JSON that can be read with any tool, and so is a dead letter. An
// event in it says what type it is, so that nobody has to guess from its body.
// Streams, subjects and records of earlier revisions must still be read: what
// is on disk is not renamed.
//
// # Numbers
//
// A stream that was lost and made again counts from one. A [Number] therefore
// says of which stream it is, and the identity notices a new one. Requests that
// carry a number of a lost stream do nothing.
//
// # Terms
//
// A [Term] is how long an owner may use its queue. What somebody has in memory
// is of one term, and is dropped when that is over. Package handover ends terms.
//
// # Locks and goroutines
//
// The lock of the identity guards what is known of the stream, and is not held
// during requests. There are no goroutines but those of NATS.
//
// # Bounds
//
// [Config] bounds both streams in bytes: a full queue refuses, full dead
// letters forget. At most twice [MaxInFlight] records wait for an answer.
package queue
