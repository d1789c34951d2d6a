package hub

import (
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// News is something that happened in a channel and that its backend may want
// to hear of.
type News struct {
	Kind    NewsKind
	Channel string
	UserID  string // MemberAdded, MemberRemoved, and ClientEvent on presence channels

	// ClientEvent only.
	Event  string
	Data   []byte // a JSON string literal; the observer must not keep it
	Socket protocol.SocketID

	Subscriptions int // SubscriptionCount only
}

// A NewsKind is what happened.
type NewsKind uint8

// What can happen in a channel. Channels of users make no news.
const (
	ChannelOccupied   NewsKind = iota // the first subscription
	ChannelVacated                    // the last subscription has ended
	MemberAdded                       // a user's first subscription to a presence channel
	MemberRemoved                     // a user's last has ended
	ClientEvent                       // a client's event was relayed
	CacheMiss                         // a subscriber found no cached event
	SubscriptionCount                 // subscribers were told their number
	CacheFilled                       // there is a cached event where CacheMiss may have been told
)

// An Observer hears the news of channels. Those of one channel come one at a
// time and in the order in which they happened, under a lock of the hub: an
// observer must not block and not call the hub.
type Observer interface {
	Observe(app *apps.App, n News)
}

// tell passes news on, if anybody listens.
func (t *tenant) tell(n News) {
	if o := t.hub.cfg.Observer; o != nil {
		o.Observe(t.app(), n)
	}
}
