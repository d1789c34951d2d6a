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
