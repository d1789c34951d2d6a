// Package webhook tells the backends of apps what happens in channels.
//
// It observes the hub, and puts what some endpoint wants to hear into the queue.
// The rest it leaves to three packages, of which the last two do not know each
// other:
//
//   - queue keeps records of events and dead letters, and says who owns which
//     queue;
//   - delivery brings records to endpoints, tries again, and gives up;
//   - handover decides what of dead nodes is this node's, and when the roster
//     may forget a decision.
//
// Data goes one way:
//
//	hub ─► Sender.Observe ─► recorder ─► queue ─► delivery ─► HTTP
//	          │      ▲          ▲                    ▲
//	          ▼      │ Decide   └──── handover ──────┘
//	         roster ─┘          pause, skip       deliver
//
// The [Sender] hears news under a lock of the hub. What is news as such (a
// client's event, a cache miss) goes into the outbox of each endpoint that
// wants it. What concerns the presence of anybody goes by way of the roster,
// whose host the sender is. The roster decides whether it is news (a page
// reload is not) and, in a cluster, which node tells of it. The recorder cuts
// outboxes into records and publishes them. What the queue has acknowledged
// survives the process. docs/design has the reasons.
//
// # Locks
//
// Those of handover.Decisions and handover.Takeover are taken before the
// recorder's, and that before those of package delivery. The recorder's guards
// outboxes, what counts for backpressure, and recent cache misses. With it two
// things are called: the gate of the loops, which takes the locks of mailboxes,
// and delivery.Dispatcher.Begin, so that a term begins for both at the same
// moment. The registry of apps tells of changes with its own lock held, which
// comes before all of them; to find an app takes none.
//
// # Goroutines
//
// Three of the recorder: one publishes, one hears what became of it, one forgets
// cache misses. Stop waits for them, and for those of the three packages.
//
// # Bounds
//
// Of events that the queue does not have, one app may have a quarter of
// Config.MaxPending and of 64 MiB; then its clients are not read. When four apps
// have their share, the node takes no new work. At most queue.MaxInFlight records
// are under way, one for each endpoint.
package webhook
