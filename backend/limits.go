package backend

import (
	"cmp"

	"github.com/belfryhq/belfry/protocol"
)

// Limits are what calls are checked against before they are sent. A field
// that is zero has the documented limit of the hosted service, which is also
// the default of Belfry; negative means unchecked.
type Limits struct {
	Channels        int // of one trigger; 100
	Batch           int // events of one batch; 10
	NameLength      int // bytes of a channel's name; 200
	EventNameLength int // characters; 200
	DataBytes       int // of an event's data, after encryption; 10240
	UserIDLength    int // characters of a signed-in user's id; 200
	MemberIDLength  int // characters of a presence member's id; 128
	MemberInfoBytes int // of a presence member's info as JSON; 1024
	Watchlist       int // user ids; 100
}

// withDefaults returns the limits with numbers that are compared: those that
// are unchecked stay negative.
func (l Limits) withDefaults() Limits {
	return Limits{
		Channels:        cmp.Or(l.Channels, protocol.MaxEventChannels),
		Batch:           cmp.Or(l.Batch, protocol.MaxBatch),
		NameLength:      cmp.Or(l.NameLength, protocol.MaxChannelName),
		EventNameLength: cmp.Or(l.EventNameLength, protocol.MaxEventName),
		DataBytes:       cmp.Or(l.DataBytes, protocol.MaxEventData),
		UserIDLength:    cmp.Or(l.UserIDLength, protocol.MaxUserID),
		MemberIDLength:  cmp.Or(l.MemberIDLength, protocol.MaxPresenceUserID),
		MemberInfoBytes: cmp.Or(l.MemberInfoBytes, protocol.MaxPresenceUserInfo),
		Watchlist:       cmp.Or(l.Watchlist, protocol.MaxWatchlist),
	}
}

// above reports whether n is too much.
func above(n, limit int) bool { return limit >= 0 && n > limit }
