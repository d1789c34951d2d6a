// Package backend is the server side of Pusher Channels for Go programs: it
// triggers events, asks which channels and users there are, authorizes
// clients, and receives webhooks. It works with Belfry, with the hosted
// service and with every other service that speaks the Channels HTTP API.
//
// A [Client] stands for one app. It is made of a [Config] or of a URL such as
// https://KEY:SECRET@realtime.example.com/apps/1, which programs usually find
// in the variable PUSHER_URL. It never guesses a host: one that is given no
// host and no cluster is refused, so that no event goes to somebody else's
// service by mistake.
//
//	c, err := backend.NewFromEnv(backend.Config{})
//	if err != nil {
//		return err
//	}
//	_, err = c.Trigger(ctx, "orders", "created", map[string]any{"id": 7})
//
// Clients are immutable and safe for concurrent use. Every call that goes to
// the service takes a context. Events are published at most once: a call
// that publishes is repeated by the package only where it is asked to, and then under
// one idempotency key; see [Config.TriggerRetries]. Queries are, see
// [Config.Retries].
//
// # Validation
//
// What the service would refuse is refused before it is sent, with the
// documented limits: see [Limits]. Such an error is a [*ValidationError], which
// wraps the reason, as in errors.Is(err, [ErrDataTooLarge]). Everything that
// the service refuses is an [*APIError]; what prevents an answer is a
// [*TransportError]. All of them are an [Error] and say whether the same call
// can succeed later. No error and no log has a secret or a signature in it.
//
// # Clients
//
// [Client.ChannelAuthHandler] and [Client.UserAuthHandler] are the HTTP endpoints
// that client libraries ask for permission, and [Client.WebhookHandler] is the
// one that the service calls. The functions below them, such as
// [Client.AuthorizeChannel] and [Client.Webhook], do the same for programs
// that have a way of their own with requests.
package backend

// Version is the version of this package, as the service is told.
const Version = "0.1.0"
