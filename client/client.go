package client

import (
	"context"
	"strings"
	"time"
)

// A Client is one logical connection to one app. All methods are safe for
// concurrent use.
type Client struct {
	binder // of the client: sees every channel

	// Immutable after New. Each component has its own lock.
	cfg        Config
	n          counters
	goroutines goroutines
	subs       *subscriptions
	life       *lifecycle
}

var _ Binder = (*Client)(nil)

// New checks a configuration and returns a client that is idle: no goroutine,
// no connection. The error is an ErrConfig.
func New(key string, cfg Config) (*Client, error) {
	if key == "" {
		return nil, configError("no key")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg}
	c.goroutines = goroutines{last: func() { c.subs.sweep() }, done: make(chan struct{})}
	c.d = newDelivery(&c.cfg, &c.binder, &c.goroutines, &c.n, func(err error) {
		if cn := c.subs.conn.Load(); cn != nil {
			cn.fail(err)
		}
	})
	c.queue = c.d.queue
	c.subs = newSubscriptions(&c.cfg, c.d, &authorizations{cfg: &c.cfg, goroutines: &c.goroutines, n: &c.n}, &c.n)
	c.life = &lifecycle{
		cfg: &c.cfg, log: cfg.Logger, d: c.d, n: &c.n, goroutines: &c.goroutines, subs: c.subs,
		key: key, endpoint: cfg.Endpoint,
	}
	return c, nil
}

// Connect starts to connect and returns at once. While the client is started
// it does nothing. The error is ErrClosed after Close.
func (c *Client) Connect() error { return c.life.connect() }

// Disconnect ends the connection on purpose: there is no reconnect, channels
// and bindings stay, and Connect may follow at once. It never blocks: the
// closing handshake goes on for up to Config.CloseTimeout.
func (c *Client) Disconnect() { c.life.disconnect() }

// Close is Disconnect for ever. It never blocks, so that bound functions may
// call it; once it returns, none of them is called again.
func (c *Client) Close() {
	c.d.context() // to have something to end
	if c.life.close() {
		c.goroutines.close()
		c.d.end()
	}
}

// Done is closed once Close was called and every goroutine of the client has
// ended.
func (c *Client) Done() <-chan struct{} { return c.goroutines.done }

// Shutdown is Close, and waits for Done until ctx ends. The error is that of
// ctx. It must not be called by a bound function.
func (c *Client) Shutdown(ctx context.Context) error {
	c.Close()
	select {
	case <-c.goroutines.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// runPatience is how long Run waits for bound functions that ignore their
// context.
const runPatience = 10 * time.Second

// Run connects and waits. When ctx ends it closes the client, waits up to ten
// seconds for what is still running, and returns the error of ctx. If the
// client fails, Run returns why and leaves it as it is. The error is ErrClosed
// after Close. It must not be called by a bound function.
func (c *Client) Run(ctx context.Context) error {
	if err := c.Connect(); err != nil {
		return err
	}
	err := c.life.await(ctx, StateFailed)
	if ctx.Err() == nil {
		return err
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), runPatience)
	defer cancel()
	if err := c.Shutdown(bounded); err != nil {
		c.cfg.Logger.Warn("bound functions ignore their context", "err", err)
	}
	return ctx.Err()
}

// AwaitConnected blocks until the client is connected. It returns why it
// failed if it does, ErrClosed after Close, and the error of ctx if that ends
// before. It starts nothing.
func (c *Client) AwaitConnected(ctx context.Context) error { return c.life.await(ctx, StateConnected) }

// State returns where the client is with its connection.
func (c *Client) State() State {
	state, _, _ := c.life.now()
	return state
}

// SocketID returns the id of the connection, which backends need to leave it
// out of an event. It is empty unless connected.
func (c *Client) SocketID() string {
	_, socketID, _ := c.life.now()
	return socketID
}

// Err returns why the last connection ended or could not be made. It is nil
// when connected and after the caller's own Disconnect.
func (c *Client) Err() error {
	_, _, err := c.life.now()
	return err
}

// NotifyOnline says that the network came back: a retry that waits begins now.
func (c *Client) NotifyOnline() { c.life.tell(mailOnline) }

// NotifyOffline says that the network may be gone: a connection has to answer
// a ping now, or is given up after Config.PongTimeout.
func (c *Client) NotifyOffline() {
	if cn := c.subs.conn.Load(); cn != nil {
		cn.ping()
	}
}

// SwitchApp changes the key and the endpoint. Channels, bindings and the
// sign-in request stay, and a client that is started connects to the new place
// at once. The error is an ErrConfig or ErrClosed, and nothing is changed then.
func (c *Client) SwitchApp(key string, e Endpoint) error {
	if key == "" {
		return configError("no key")
	}
	if err := e.check(); err != nil {
		return err
	}
	return c.life.move(key, e)
}

// Subscribe registers a channel of any kind by its full name and returns it at
// once; the service is asked when there is a connection. While a channel is
// registered, Subscribe returns the same one. The error is
// ErrInvalidChannelName, ErrNoAuthorizer or ErrClosed.
func (c *Client) Subscribe(name string, opts ...SubscribeOption) (*Channel, error) {
	return c.subs.subscribe(name, opts)
}

// SubscribePrivate is Subscribe with "private-" in front of the name, where
// that is absent.
func (c *Client) SubscribePrivate(name string, opts ...SubscribeOption) (*Channel, error) {
	return c.Subscribe(withPrefix("private-", name), opts...)
}

// SubscribePresence is Subscribe with "presence-" in front of the name, where
// that is absent.
func (c *Client) SubscribePresence(name string, opts ...SubscribeOption) (*Channel, error) {
	return c.Subscribe(withPrefix("presence-", name), opts...)
}

func withPrefix(prefix, name string) string {
	if strings.HasPrefix(name, prefix) {
		return name
	}
	return prefix + name
}

// Unsubscribe ends the registered channel of that name, and reports whether
// there was one.
func (c *Client) Unsubscribe(name string) bool {
	ch, ok := c.Channel(name)
	if ok {
		ch.Unsubscribe()
	}
	return ok
}

// UnsubscribeAll ends all registered channels.
func (c *Client) UnsubscribeAll() {
	for _, ch := range c.Channels() {
		ch.Unsubscribe()
	}
}

// Channel returns the registered channel of that name, subscribed or not.
func (c *Client) Channel(name string) (*Channel, bool) { return c.subs.channel(name) }

// Channels returns all registered channels, subscribed or not, in the order in
// which they were subscribed to.
func (c *Client) Channels() []*Channel { return c.subs.list() }

// User returns the sign-in side of the client, always the same.
func (c *Client) User() *User { return c.subs.user }

// Send writes any event, for what the package has no method for. The channel
// may be empty. Its errors are those of Channel.Trigger.
func (c *Client) Send(ctx context.Context, event string, data any, channel string) error {
	text, err := message(event, channel, data)
	if err != nil {
		return err
	}
	return c.subs.send(ctx, text, nil)
}

// NewQueue returns another queue. It ends with the client. Functions of other
// clients may be bound in it too: it calls them in one order with those of this
// client, until this one is closed.
func (c *Client) NewQueue(cfg QueueConfig) *Queue { return c.d.newQueue(cfg.withDefaults("unnamed")) }

// Stats returns the counters of the client. They are sent to nobody.
func (c *Client) Stats() Stats {
	s := c.n.stats()
	if cn := c.subs.conn.Load(); cn != nil {
		s.Connected = time.Since(cn.since)
	}
	return s
}
