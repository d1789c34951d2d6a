package protocol

import "time"

// The numbers of the protocol. Those of the hosted service that an app may
// have otherwise are defaults. Their sources are in docs/protocol.md, "Names
// and sizes".
const (
	MaxChannelName      = 200       // bytes
	MaxEventName        = 200       // characters
	MaxEventData        = 10 << 10  // bytes of an event's data
	MaxEventChannels    = 100       // channels of one publish
	MaxBatch            = 10        // events of one batch
	MaxPresenceMembers  = 100       // users on one presence channel
	MaxPresenceUserID   = 128       // characters
	MaxPresenceUserInfo = 1 << 10   // bytes of JSON
	MaxUserID           = 200       // characters of a signed-in user's id
	MaxWatchlist        = 100       // user ids
	MaxNumericUserID    = 1 << 53   // magnitude of a presence user id that is a number
	MaxCloseReason      = 123       // bytes; RFC 6455, section 5.5.1
	MaxMessage          = 128 << 10 // bytes of an inbound message
	MinMessageLimit     = 16 << 10  // the smallest limit on inbound messages that works

	ClientEventsPerSecond = 10 // of one connection

	// CountThrottleAbove is how many subscribers a channel may have and still
	// get each of its subscription counts; above, one every CountInterval.
	CountThrottleAbove = 100
	CountInterval      = 5 * time.Second

	CacheTTL             = 30 * time.Minute  // how long a cache channel remembers
	ActivityTimeout      = 120 * time.Second // silence before a ping
	PongTimeout          = 30 * time.Second  // silence after a ping
	AuthorizationTimeout = 30 * time.Second  // of authorized connections
	SignatureWindow      = 600 * time.Second // age of a signed request that is too much
)

// What is cut when an error repeats what the client sent.
const (
	maxEcho       = 200  // characters
	maxEchoSigned = 1024 // bytes of a string to sign
)
