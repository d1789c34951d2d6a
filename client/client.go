package client

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// A Client is one logical connection to one app. All methods are safe for
// concurrent use.
type Client struct {
	binder // of the client: sees every channel

	// Immutable after New.
	cfg   Config
	log   *slog.Logger
	debug bool   // whether the log wants to know of every message
	queue *Queue // the default one
	user  *User
	life  goroutines

	baseOnce sync.Once
	base     context.Context // parent of all contexts of the client
	cancel   context.CancelFunc

	delivered, dropped atomic.Uint64
	pending            atomic.Int64 // events that wait in all queues

	mu sync.Mutex
	// Guarded by mu.
	key      string
	endpoint Endpoint
	state    State
	socketID string // of the connection, when connected
	err      error
	closed   bool
	session  *session // nil unless started
	channels map[string]*Channel
	order    uint64        // number of the last subscription
	changed  chan struct{} // closed at every change that somebody may wait for
	auth     authQueue
	bucket   bucket
	taking   *conn // of the message that is being taken; nil otherwise
	stats    Stats
}

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
	c := &Client{
		cfg:      cfg,
		log:      cfg.Logger,
		debug:    cfg.Logger.Enabled(context.Background(), slog.LevelDebug),
		key:      key,
		endpoint: cfg.Endpoint,
		channels: make(map[string]*Channel),
		changed:  make(chan struct{}),
		bucket:   bucket{rate: cfg.ClientEventRate},
	}
	c.life.last, c.life.done = c.sweep, make(chan struct{})
	c.binder.c = c
	c.queue = &Queue{c: c, cfg: cfg.Queue}
	c.user = &User{binder: binder{c: c}}
	return c, nil
}

// context is the parent of the contexts that functions of the program get.
func (c *Client) context() context.Context {
	c.baseOnce.Do(func() {
		parent := context.Background()
		if c.cfg.BaseContext != nil {
			parent = c.cfg.BaseContext()
		}
		c.base, c.cancel = context.WithCancel(parent)
	})
	return c.base
}

// Connect starts to connect and returns at once. While the client is started
// it does nothing. The error is ErrClosed after Close.
func (c *Client) Connect() error {
	base := c.context()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if c.session != nil {
		return nil
	}
	c.log.Info("connecting", "endpoint", c.endpoint.webSocketURL(c.key, "").Redacted())
	c.session = newSession(c, base)
	c.setStateLocked(StateConnecting, nil)
	c.session.startLocked()
	return nil
}

// Disconnect ends the connection on purpose: there is no reconnect, channels
// and bindings stay, and Connect may follow at once. It never blocks: the
// closing handshake goes on for up to Config.CloseTimeout.
func (c *Client) Disconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.disconnectLocked()
	}
}

// disconnectLocked ends the session, if there is one, at the wish of the
// caller.
func (c *Client) disconnectLocked() {
	s := c.session
	if s == nil {
		c.err = nil
		c.setStateLocked(StateDisconnected, nil)
		return
	}
	lost := Disconnected{Class: ClassCaller, SocketID: c.socketID, WasConnected: s.conn != nil}
	s.endLocked(int(protocol.CloseNormal))
	c.err = nil
	c.setStateLocked(StateDisconnected, nil)
	if lost.WasConnected {
		c.stats.Disconnects++
		c.systemLocked(nil, lost, Event{})
	}
}

// Close is Disconnect for ever. It never blocks, so that bound functions may
// call it; once it returns, none of them is called again.
func (c *Client) Close() {
	c.context()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.disconnectLocked()
	c.closed = true
	all := append(c.binder.clearLocked(), c.user.binder.clearLocked()...)
	for _, ch := range c.channels {
		all = append(all, ch.endLocked()...)
		if ch.authorizer != nil {
			c.auth.used = append(c.auth.used, ch.authorizer)
		}
	}
	clear(c.channels)
	c.user.phaseLocked(userNobody, nil)
	c.announceLocked()
	c.mu.Unlock()
	c.life.close()
	c.cancel()
	for _, b := range all {
		b.end()
	}
}

// Done is closed once Close was called and every goroutine of the client has
// ended.
func (c *Client) Done() <-chan struct{} { return c.life.done }

// Shutdown is Close, and waits for Done until ctx ends. The error is that of
// ctx. It must not be called by a bound function.
func (c *Client) Shutdown(ctx context.Context) error {
	c.Close()
	select {
	case <-c.life.done:
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
	err := c.await(ctx, func() (bool, error) {
		if c.state == StateFailed {
			return true, c.err
		}
		return false, nil
	})
	if ctx.Err() == nil {
		return err
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), runPatience)
	defer cancel()
	if err := c.Shutdown(bounded); err != nil {
		c.log.Warn("bound functions ignore their context", "err", err)
	}
	return ctx.Err()
}

// AwaitConnected blocks until the client is connected. It returns why it
// failed if it does, ErrClosed after Close, and the error of ctx if that ends
// before. It starts nothing.
func (c *Client) AwaitConnected(ctx context.Context) error {
	return c.await(ctx, func() (bool, error) {
		switch c.state {
		case StateConnected:
			return true, nil
		case StateFailed:
			return true, c.err
		}
		return false, nil
	})
}

// await blocks until over, which is called with mu held, says so.
func (c *Client) await(ctx context.Context, over func() (bool, error)) error {
	for {
		c.mu.Lock()
		ok, err := over()
		if !ok && c.closed {
			ok, err = true, ErrClosed
		}
		changed := c.changed
		c.mu.Unlock()
		if ok {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// announceLocked wakes everybody who waits for a change.
func (c *Client) announceLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// State returns where the client is with its connection.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// SocketID returns the id of the connection, which backends need to leave it
// out of an event. It is empty unless connected.
func (c *Client) SocketID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.socketID
}

// Err returns why the last connection ended or could not be made. It is nil
// when connected and after the caller's own Disconnect.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// NotifyOnline says that the network came back: a retry that waits begins now.
func (c *Client) NotifyOnline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.session.postLocked(mail{kind: mailOnline})
	}
}

// NotifyOffline says that the network may be gone: a connection has to answer
// a ping now, or is given up after Config.PongTimeout.
func (c *Client) NotifyOffline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil && c.session.conn != nil {
		c.session.conn.pingLocked()
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.key, c.endpoint = key, e
	if c.session != nil {
		c.session.postLocked(mail{kind: mailRestart})
	}
	return nil
}

// Channel returns the registered channel of that name, subscribed or not.
func (c *Client) Channel(name string) (*Channel, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, ok := c.channels[name]
	return ch, ok
}

// Channels returns all registered channels, subscribed or not, in the order in
// which they were subscribed to.
func (c *Client) Channels() []*Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.channelsLocked()
}

func (c *Client) channelsLocked() []*Channel {
	list := make([]*Channel, 0, len(c.channels))
	for _, ch := range c.channels {
		list = append(list, ch)
	}
	slices.SortFunc(list, func(a, b *Channel) int {
		if a.order < b.order {
			return -1
		}
		return 1
	})
	return list
}

// User returns the sign-in side of the client, always the same.
func (c *Client) User() *User { return c.user }

// setStateLocked changes the state, if it is another, and tells.
func (c *Client) setStateLocked(state State, err error) {
	if state == c.state {
		return
	}
	change := StateChange{Previous: c.state, Current: state, Err: err}
	if state == StateConnected {
		change.SocketID = c.socketID
	}
	c.state = state
	c.log.Info("state", "from", change.Previous, "to", state, "socket_id", change.SocketID, "err", err)
	c.announceLocked()
	c.systemLocked(nil, change, Event{})
}

// sweep closes connections that authorizers keep for the next request.
func (c *Client) sweep() {
	c.mu.Lock()
	all := append(c.auth.used, c.cfg.ChannelAuthorizer, c.cfg.UserAuthenticator)
	c.mu.Unlock()
	for _, a := range all {
		if idle, ok := a.(interface{ CloseIdleConnections() }); ok {
			idle.CloseIdleConnections()
		}
	}
}
