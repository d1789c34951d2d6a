package broker

import (
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// A Kind is what a message says.
type Kind uint8

// The kinds of messages, and the fields of [Message] that each has. App is in
// all of them but Relay and those of a resync.
const (
	// Event is for the subscribers of a channel: Name, Text, Except, Number, and
	// Serial and Before if the channel has a history.
	Event Kind = iota + 1
	// UserEvent is for the connections of a user: Name, Text, Except, Number.
	UserEvent
	// Terminate closes the connections of a user: Name.
	Terminate
	// Cached is what a cache channel remembers: Name, Text, Data, Stamp, TTL.
	// If On is true it has just been triggered, and is for the subscribers as
	// well: Except, Number, Serial, Before.
	Cached

	// Subscribers is how many subscriptions the sender has on a channel:
	// Name, Count. A channel is held as long as On is true, even with none.
	Subscribers
	// Member is whether a user is present on a channel at the sender: Name,
	// User, On, and Info if On.
	Member
	// SignedIn is whether a user is signed in at the sender: Name, On.
	SignedIn
	// Load is how many connections the sender has that count towards the
	// app's quota (Count), and what it has admitted of each rate since it
	// said so last (Used).
	Load

	// Resync asks for everything that the sender holds.
	Resync
	// Begin and End enclose that: what was held and not said again in between
	// is not held any more. Other messages may come in between too.
	Begin
	End

	// Recall asks for what is kept of a channel's events: Name, User (the
	// publisher; empty: the peer itself), Text (the position from which on), Count
	// (a number for the answer).
	Recall
	// Recalled is an event that was asked for, or is handed over by a node that
	// ends: Name, User (its publisher), Text, Except, Serial, Before, and how many
	// milliseconds ago it was published (Count). When all have come, On is true:
	// Serial is the last, Before the one from which on all are there, and Count
	// the number of the question.
	Recalled

	// Relay is what the relays of two nodes tell each other: Name, Text, Count,
	// On. The hub never sees it; see package relay.
	Relay

	endOfKinds
)

// A Message is what one node tells another. Which fields it has depends on its
// kind.
type Message struct {
	Kind   Kind
	On     bool
	App    string // app id
	Name   string // of a channel, or id of a user
	User   string // id of a member
	Info   []byte // raw JSON of a member, or nil
	Text   []byte // of a frame, as clients get it
	Data   []byte // JSON string literal; a part of Text
	Except protocol.SocketID
	Count  uint64
	Used   [apps.Rates]uint64
	Stamp  uint64 // the higher one is the newer one; see package hub
	TTL    uint64 // milliseconds
	// Number is the sender's of an event, for those who look for its way. Zero is
	// none.
	Number uint64
	// Serial is the publisher's number of an event in the history of its channel, and
	// Before that of the event before it there. Zero is none; see package history.
	Serial, Before uint64
}
