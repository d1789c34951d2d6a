package bench

import (
	"slices"
	"time"
)

// A Load is one kind of work that is put on a service.
type Load struct {
	Name     string
	Short    string // one line for lists
	Long     string // what it does and what to read off its results
	Defaults Settings
	Uses     Uses

	prefix string // of the channels' names
	does   work
}

// Settings are how much of a load there is. What a load does not use is zero.
type Settings struct {
	Connections   int           `json:"connections"`
	Channels      int           `json:"channels"`
	Subscriptions int           `json:"subscriptions"` // of every connection
	Rate          float64       `json:"rate"`          // a second, in all; 0: as fast as the service answers
	Batch         int           `json:"batch"`         // events in one request
	Inflight      int           `json:"inflight"`      // requests or dials at once
	Payload       int           `json:"payload"`       // bytes of an event's data
	Slow          int           `json:"slow"`          // of the connections, so many never read
	Backlog       int           `json:"backlog"`       // deliveries on their way at most, without a rate
	Warmup        time.Duration `json:"-"`
	Duration      time.Duration `json:"-"`
}

// Uses is a set of settings that mean something to a load, beside
// Connections, Channels and Duration.
type Uses uint

// What a load uses.
const (
	UsesRate Uses = 1 << iota
	UsesEvents
	UsesBatch
	UsesSubscriptions
	UsesSlow
	UsesInflight
)

// Has reports whether all of some are in u.
func (u Uses) Has(some Uses) bool { return u&some == some }

// work is what happens once the connections are there.
type work int

const (
	holds    work = iota // nothing
	dials                // nothing: connecting is the load
	triggers             // events over the HTTP API
	chats                // client events
	churns               // members leave and join
)

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

// Loads returns every load, in the order in which [Set] runs them.
func Loads() []Load { return slices.Clone(loads) }

// Set returns the loads of a first impression: small ones of every kind that
// together take less than a minute. A duration of zero is 3 s each.
func Set(duration time.Duration) []Load {
	if duration == 0 {
		duration = 3 * time.Second
	}
	var set []Load
	for _, l := range loads {
		l.Defaults.Duration = duration
		if l.Defaults.Warmup > 0 {
			l.Defaults.Warmup = min(duration, time.Second)
		}
		if l.Defaults.Connections > 0 {
			l.Defaults.Connections = 500
		}
		l.Defaults.Channels = min(l.Defaults.Channels, 500)
		set = append(set, l)
		if l.Name == "fan-out" || l.Name == "many-channels" {
			l.Defaults.Rate = 0
			set = append(set, l)
		}
	}
	return set
}
