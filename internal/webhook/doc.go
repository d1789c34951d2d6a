// Package webhook tells the backends of apps what happens in channels: signed
// HTTP requests, at least once, in order per channel.
//
// An event passes these stations:
//
//	hub → Sender.Observe → recorder → queue → endpoint → HTTP
//	         ↓      ↑
//	          roster
//
// The [Sender] hears news under a lock of the hub, and appends it to the outbox
// of each endpoint that wants it. What concerns the presence of anybody takes
// the way by the roster, which decides whether it is news (a page reload is
// not) and, in a cluster, which node tells of it: the sender is its host
// (host.go, heritage.go, limbo.go). The recorder cuts outboxes into records and
// publishes them to the queue, a JetStream stream with a subject for each
// endpoint; what the queue has acknowledged survives the process. An endpoint
// takes its records from memory or, when there are too many, from the queue,
// forms requests of them, and removes a record once all of its events are
// delivered or buried. Events that could not be delivered in time are buried:
// kept in a second stream, from where they can be listed and replayed.
//
// # Order
//
// Events of one channel are delivered to one endpoint in order: while a
// request is under way or waits to be retried, no later event of its channels
// is sent. Other channels go on. Endpoints share nothing but memory bounds, so
// none waits for another.
//
// # Locks
//
// ledger.mu and heritage.mu are taken before recorder.mu, that before
// endpoint.mu, and that before endpoints.mu and remover.mu. The registry of apps
// tells of changes with its own lock held, which comes before all of them; to
// find an app takes none. Nothing is called while they are held but the gate of
// the loops, which takes the locks of mailboxes, and, with ledger.mu, the roster to say what is told and to ask
// whether the node is cut off; neither blocks. A goroutine per endpoint that has
// work owns the rest of the endpoint's state.
package webhook
