// Package delivery brings queued events to the endpoints of apps: signed HTTP
// requests, at least once, in order per channel.
//
// It knows endpoints, requests and answers. It does not know where events come
// from, nor why a queue is this node's: package queue stores them, and whoever
// hands a queue over ([Dispatcher.Deliver]) says in which term.
//
// # The way of a record
//
//	Accepted, Deliver ─► inbox ─► lanes ─► request ─► post ─► endpoint
//	                       ▲                  │ retries          │
//	                     queue ◄── remover ◄──┴── delivered, or a dead letter
//
// An inbox has what is in memory of the queues of one endpoint, and reads on
// when there is room. A lane has the events of one channel. Lanes that are not
// busy give their first events to the next request. A request that fails is
// tried again with the same body until its time is over. Then its events
// become a dead letter. The remover takes records out of the queue when all of
// their events are done.
//
// # Order
//
// While a request is under way or waits to be tried again, no later event of its
// channels is sent. Other channels go on. Endpoints share nothing but bounds on
// memory, so none waits for another. Several queues of one endpoint are read in
// the order of their numbers.
//
// # Fencing
//
// While Config.Suspended returns a channel, another node may deliver the same
// queues: no attempt starts and nothing is given up. [Dispatcher.Begin] drops
// all that is in memory, because its term is over.
//
// # Locks
//
// Dispatcher.mu guards which endpoints there are, inbox.mu what is in memory of
// one, health.mu what is known of it, and remover.mu what is to be removed. None
// is held while another one is taken, nor during calls to the queue. Callers may
// hold locks of their own during all methods but Stop and Try.
//
// # Goroutines
//
// One for each endpoint that has something to deliver, which owns its lanes and
// retries; one for each request that is under way; and the remover. Stop waits
// for all of them.
//
// # Bounds
//
// An inbox has 4 MiB, and all together 64 MiB, but each may have one record. An
// endpoint has [Policy].Concurrency requests under way, or one while it is down.
// What is queued for it beyond [Policy].MaxEndpoint becomes dead letters, the
// oldest first.
package delivery
