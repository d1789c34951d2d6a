// Package client connects Go programs to a realtime service that speaks the
// Pusher Channels protocol: Belfry, the hosted service, or any other. It keeps
// one connection, subscribes to channels over it and hands their events to
// functions.
//
//	c, err := client.New("app-key", client.Config{
//		Endpoint: client.Endpoint{Host: "realtime.example.com"},
//	})
//	if err != nil {
//		return err
//	}
//	prices, err := c.Subscribe("prices")
//	if err != nil {
//		return err
//	}
//	prices.Bind("changed", func(ctx context.Context, e client.Event) {
//		fmt.Println(e.Data)
//	})
//	return c.Run(ctx) // connects, reconnects, and ends with ctx
//
// # Life
//
// [New] starts nothing; [Client.Connect] starts, [Client.Disconnect] pauses and
// [Client.Close] ends everything. A connection that is lost is made again as
// the close code asks, see [ReconnectPolicy]. Channels and what is bound to them
// outlast connections: subscribe before, during or after connecting.
//
// # Events
//
// Functions are bound to names of events on a channel, on the client (which
// sees every channel) and on the [User]. [On] binds to what happens to
// connections, subscriptions and members, by the type of the argument. A
// [Queue] calls the functions, one at a time and in the order in which events
// arrived. The goroutine that reads the connection calls none of them. A
// function that is slow delays its own queue only, which is bounded and
// reports what it had to drop as a [*SlowConsumerError]. Every method may be
// called from them, except those that wait for them: [Client.Shutdown],
// [Client.Run] and [Binding.Wait].
//
// # Promises
//
// In one queue, events are handled in the order in which their frames arrived.
// For one event, functions of the channel come before those of the client.
// Among these, functions for all events come first, then named ones, then
// those of [On]. Otherwise the order is that of binding. A [StateChange] to
// connected precedes every event of that connection. When the connection is
// lost, the change away from connected follows its last event. Then come
// [Disconnected] and, if there is a wait, [ConnectingIn]. [Subscribed]
// precedes every other event of the subscription. Between queues there is no
// order. Getters such as [Client.State] may be ahead of the event that a
// function looks at.
//
// Delivery is at most once: what is published while there is no connection is
// not seen. After [Channel.Unsubscribe] no function of the channel is called,
// and after [Client.Close] none at all. Once [Client.Done] is closed, no
// goroutine is left.
//
// # Goroutines
//
// Each started client has one goroutine for its state machine. Each connection
// has one that reads and one that writes. There is one for each queue that has
// something to deliver, and one for each transport that is being tried.
// Authorization takes up to Config.AuthConcurrency.
//
// # Components and locks
//
// For who works on this package: each component has its own state, its own
// lock and a file of its name, and knows those below it.
//
//	Client           what programs call; makes the others
//	lifecycle        where the client is with its connection, for everybody to see
//	  session        the goroutine that connects, watches and connects again
//	  attempt        one try to connect; belongs to the goroutine of the session
//	subscriptions    what is wanted and what the service was asked; takes its messages
//	  User, Channel  belong to subscriptions, under its lock
//	authorizations   requests to authorizers: a few at a time, and again
//	conn             reads, writes and watches one link
//	agenda           mail and timers for the goroutine of a session
//	delivery         hands events to functions
//	  binder         what is bound; belongs to delivery, under its lock
//	  Queue          what waits for its turn
//	  Binding        one function
//	link             a transport: WebSocket, HTTP
//	goroutines       those of a client, to be waited for
//
// Who holds the lock of a component may take those further down, and no other.
// So a component calls those above it, by a function that it was given, without
// its lock; to a session it writes mail. No lock is held while a function of the program
// is called, but for Config.Logger, or while the network is waited for.
//
// A message is taken as a whole under the lock of subscriptions, until its
// events are in the queues. A connection comes and goes under those of lifecycle
// and subscriptions together. That is what keeps the promises about order.
package client

// Version is the version of this package, as the service is told.
const Version = "0.1.0"
