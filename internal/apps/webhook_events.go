package apps

// WebhookEvents is a set of what can happen in channels.
type WebhookEvents uint16

// What can happen in a channel; see the reference of webhooks.
const (
	ChannelOccupied   WebhookEvents = 1 << iota // the first subscription
	ChannelVacated                              // the last subscription has ended
	MemberAdded                                 // a user's first subscription to a presence channel
	MemberRemoved                               // a user's last has ended
	ClientEvent                                 // a client's event was relayed
	CacheMiss                                   // a subscriber found no cached event
	SubscriptionCount                           // subscribers were told their number

	// EveryEvent is all of them.
	EveryEvent WebhookEvents = 1<<iota - 1

	// ChannelStates and MemberStates are what is decided once for all nodes.
	ChannelStates = ChannelOccupied | ChannelVacated
	MemberStates  = MemberAdded | MemberRemoved
	States        = ChannelStates | MemberStates
)

// webhookEvents has a row for each event: its name in the bodies of webhooks
// and in settings, and the name in settings of the group that it belongs to.
var webhookEvents = []struct {
	event       WebhookEvents
	name, group string
}{
	{ChannelOccupied, "channel_occupied", "channel_existence"},
	{ChannelVacated, "channel_vacated", "channel_existence"},
	{MemberAdded, "member_added", "presence"},
	{MemberRemoved, "member_removed", "presence"},
	{ClientEvent, "client_event", "client_events"},
	{CacheMiss, "cache_miss", "cache_channels"},
	{SubscriptionCount, "subscription_count", ""},
}

// Names returns the names of the events in the set, as they stand in the
// bodies of webhooks.
func (e WebhookEvents) Names() []string {
	list := []string{}
	for i := range webhookEvents {
		if row := &webhookEvents[i]; e&row.event != 0 {
			list = append(list, row.name)
		}
	}
	return list
}

// Name returns the name of a single event, or nothing.
func (e WebhookEvents) Name() string {
	for i := range webhookEvents {
		if row := &webhookEvents[i]; e == row.event {
			return row.name
		}
	}
	return ""
}

// WebhookEvent returns the event of that name, or zero.
func WebhookEvent(name string) WebhookEvents {
	for i := range webhookEvents {
		if row := &webhookEvents[i]; name == row.name {
			return row.event
		}
	}
	return 0
}

// eventNames returns what settings may name: events, and groups of them.
func eventNames() (list []string) {
	for i := range webhookEvents {
		list = append(list, webhookEvents[i].name)
	}
	for i := range webhookEvents {
		if group := webhookEvents[i].group; group != "" && group != list[len(list)-1] {
			list = append(list, group)
		}
	}
	return list
}

// eventsNamed returns the event or the group of that name, or zero.
func eventsNamed(name string) (set WebhookEvents) {
	for i := range webhookEvents {
		if row := &webhookEvents[i]; name != "" && (name == row.name || name == row.group) {
			set |= row.event
		}
	}
	return set
}
