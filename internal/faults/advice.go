package faults

// Advice says what to do about a cause, in a sentence or two.
func Advice(from Party, why Cause) string {
	if text, ok := advice[cause{from, why}]; ok {
		return text
	}
	return advice[cause{"", why}]
}

// advice is by side and cause; without a side it is for all.
var advice = map[cause]string{
	{"", "unknown_key"}:       "No app of this service has that key. Compare it with belfry apps list; it may be of another cluster, or revoked.",
	{"", "app_disabled"}:      "The app is disabled: belfry apps enable.",
	{"", "internal"}:          "This is a fault of the service: look at its log at that time.",
	{"", "path_not_found"}:    "The path is none of the protocol. A prefix belongs into the address and into the setting path.",
	{"", "limit_event_size"}:  "Send less data, or raise limits.event_data of the app.",
	{"", "limit_event_name"}:  "Use a shorter name.",
	{"", "missing_parameter"}: "The client library, or a program of your own, leaves out what the protocol asks for.",

	{Client, "wrong_signature"}:                   "The auth endpoint of the application signs with another secret than the one of the key that it names, or signs another text. The example has the text that should be signed.",
	{Client, "wrong_key"}:                         "The auth endpoint answers with a key that is not of this app. Compare the keys of client and backend.",
	{Client, "auth_format"}:                       "The auth endpoint has to answer {\"auth\":\"KEY:SIGNATURE\"}. Look at what it answers, with curl.",
	{Client, "signed_in_as_another"}:              "A connection is one user for as long as it lasts. Disconnect before another user signs in.",
	{Client, "channel_of_another_user"}:           "Clients get their own user's events when they sign in; they need not subscribe.",
	{Client, "channel_data"}:                      "channel_data of a presence channel is JSON, as text, with a user_id and perhaps a user_info that is an object.",
	{Client, "user_data"}:                         "user_data is JSON, as text, with an id.",
	{Client, "invalid_json"}:                      "What the client sends is no message of the protocol.",
	{Client, "already_subscribed"}:                "The application subscribes twice; one channel object is enough.",
	{Client, "not_subscribed"}:                    "The application leaves a channel that it does not have. It does no harm.",
	{Client, "channel_name"}:                      "Names have letters, digits and _-=@,.; up to the limit of the app, and no spaces or slashes.",
	{Client, "limit_presence_members"}:            "Raise limits.presence_members of the app, or use several channels.",
	{Client, "limit_channels_per_connection"}:     "Raise limits.channels_per_connection of the app, or leave channels that are not needed.",
	{Client, "limit_client_events"}:               "Send fewer client events a second, or raise limits.client_events_per_second of the app.",
	{Client, "limit_watchlist"}:                   "Shorten the watchlist, or raise limits.watchlist of the app.",
	{Client, "client_events_disabled"}:            "Switch client_events on for the app: belfry apps update APP --client-events.",
	{Client, "client_event_on_public_channel"}:    "Client events need a private or presence channel.",
	{Client, "client_event_without_subscription"}: "Wait until the subscription has succeeded before you trigger on it.",
	{Client, "unknown_event"}:                     "Names of client events begin with client-.",
	{Client, "tls_required"}:                      "The app takes TLS only: use wss. Behind a proxy that ends TLS, it must send X-Forwarded-Proto and stand in trusted_proxies.",
	{Client, "limit_connections"}:                 "The app has all the connections that limits.connections allows. Raise it, or see in the list of connections who holds them.",
	{Client, "protocol_version"}:                  "The library speaks a version of the protocol that this service does not; update it.",
	{Client, "origin"}:                            "The page is not of a site in allowed_origins of the app. Add it, if it is yours.",
	{Client, "over_capacity"}:                     "The node is full: raise max_connections and the limit on open files, or add a node.",
	{Client, "no_pong"}:                           "The client is gone without a word, as when a laptop sleeps. Many at once point at a network or a proxy.",
	{Client, "websocket_protocol"}:                "The client sends broken frames. It may be a proxy that changes them.",
	{Client, "binary_message"}:                    "The protocol has text messages only.",
	{Client, "invalid_utf8"}:                      "Messages are text in UTF-8.",
	{Client, "compression_abuse"}:                 "The client sends messages that inflate to far more than they are; it may be an attack.",
	{Client, "message_too_large"}:                 "The client's message is above websocket.max_message_size.",
	{Client, "too_slow"}:                          "The client does not take what it is sent, as over a bad network or in a page that does not run. It may connect again. Send less, or raise websocket.send_buffer.",

	{Backend, "wrong_signature"}: "The backend signs with another secret than the one of its key, or a proxy changes the path. The example has the text that should be signed.",
	{Backend, "clock"}:           "The clock of the backend or of this machine is wrong by more than 10 minutes; synchronize both with NTP.",
	{Backend, "auth_parameters"}: "The request is not signed: use a server library for Pusher Channels, or see docs/protocol.md.",
	{Backend, "unauthorized"}:    "The request is not signed as it should be.",
	{Backend, "body_hash"}:       "The body is another than the one that was signed: something on the way changes it, or it is encoded twice.",
	{Backend, "bad_request"}:     "The request is wrong; the example says what about it.",
	{Backend, "method"}:          "The path is asked with another method than it has.",
	{Backend, "body_size"}:       "Send fewer events in a request, or raise http_api.max_body_size.",
	{Backend, "too_large"}:       "The request or an event is above a limit; the example says which.",
	{Backend, "body_format"}:     "The body is JSON without an encoding such as gzip.",
	{Backend, "rate_limit"}:      "The backend uses more than the limits of the app allow. Raise them, or send batches.",
	{Backend, "overloaded"}:      "The node had too much to do, so that nothing was sent. Libraries may try again; add a node if it lasts.",

	{Webhook, "private_address"}: "The endpoint is at an address that is not public, and the service does not reach into private networks by itself. Add its network to webhooks.allowed_networks, or give it a public address.",
	{Webhook, "not_delivered"}:   "The endpoint did not take it. Try it with belfry webhooks test.",
}
