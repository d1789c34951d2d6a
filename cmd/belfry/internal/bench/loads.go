package bench

import "time"

// sends is what all loads use that send events.
const sends = UsesRate | UsesEvents | UsesInflight

// loads is every load.
var loads = []Load{
	{
		Name:  "idle",
		Short: "Connections that are subscribed and silent",
		Long: `Opens connections, subscribes each to a channel, and leaves them alone. What it
shows is the resident memory of a connection, and what holding them costs.`,
		Defaults: Settings{Connections: 1000, Channels: 1, Subscriptions: 1, Duration: 10 * time.Second},
		Uses:     UsesSubscriptions,
		prefix:   "bench-",
		does:     holds,
	},
	{
		Name:  "connect",
		Short: "A connect storm: connections opened and subscribed, as after a restart",
		Long: `Opens connections at the given rate, or as fast as they are answered, and
subscribes each to a channel. The latency is from the moment at which the
schedule wanted a connection to the answer to its subscription. It ends when all
are there, or after the duration.`,
		Defaults: Settings{Connections: 1000, Channels: 1, Subscriptions: 1, Inflight: 64, Duration: 30 * time.Second},
		Uses:     UsesRate | UsesInflight | UsesSubscriptions,
		prefix:   "bench-",
		does:     dials,
	},
	{
		Name:  "fan-out",
		Short: "One channel with many subscribers, events over the HTTP API",
		Long: `Subscribes every connection to one channel and triggers events on it. What it
shows is what one delivery costs, and how late the last subscribers get it.`,
		Defaults: Settings{Connections: 1000, Channels: 1, Subscriptions: 1, Rate: 100, Batch: 1, Inflight: 16, Payload: 100,
			Warmup: 2 * time.Second, Duration: 10 * time.Second},
		Uses:   sends | UsesSlow | UsesBatch | UsesSubscriptions,
		prefix: "bench-",
		does:   triggers,
	},
	{
		Name:  "many-channels",
		Short: "Many channels with few subscribers each, events over the HTTP API",
		Long: `Spreads the connections over the channels and triggers events on one channel
after the other. What it shows is what one event costs, from the request to its
few deliveries.`,
		Defaults: Settings{Connections: 1000, Channels: 1000, Subscriptions: 1, Rate: 1000, Batch: 1, Inflight: 16, Payload: 100,
			Warmup: 2 * time.Second, Duration: 10 * time.Second},
		Uses:   sends | UsesSlow | UsesBatch | UsesSubscriptions,
		prefix: "bench-",
		does:   triggers,
	},
	{
		Name:  "publish",
		Short: "Events over the HTTP API to channels that nobody listens to",
		Long: `Triggers events without subscribers, so that what it shows is the HTTP API
alone; the latency is that of the answer. With --connections there are
subscribers as in many-channels.`,
		Defaults: Settings{Channels: 1000, Subscriptions: 1, Rate: 1000, Batch: 1, Inflight: 16, Payload: 100,
			Warmup: 2 * time.Second, Duration: 10 * time.Second},
		Uses:   sends | UsesBatch | UsesSubscriptions,
		prefix: "bench-",
		does:   triggers,
	},
	{
		Name:  "chat",
		Short: "Client events in rooms",
		Long: `Spreads the connections over private channels and lets everybody send client
events to the others. The app must allow client events, and more of them a
second than the usual ten where the rate asks for it.`,
		Defaults: Settings{Connections: 1000, Channels: 100, Subscriptions: 1, Rate: 1000, Inflight: 16, Payload: 100,
			Warmup: 2 * time.Second, Duration: 10 * time.Second},
		Uses:   sends | UsesSlow,
		prefix: "private-bench-",
		does:   chats,
	},
	{
		Name:  "presence",
		Short: "Members who leave and join presence channels",
		Long: `Spreads the connections over presence channels, each its own member. Every
second one stays and watches; the others leave and come back at the given rate
of changes. The latency is that of the news of a member who came.`,
		Defaults: Settings{Connections: 500, Channels: 10, Subscriptions: 1, Rate: 200, Inflight: 16,
			Warmup: 2 * time.Second, Duration: 10 * time.Second},
		Uses:   UsesRate | UsesInflight,
		prefix: "presence-bench-",
		does:   churns,
	},
}
