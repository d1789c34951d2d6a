package client

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// subscriptions are the channels and the user of a client, and what the service
// was asked about them on the current connection.
type subscriptions struct {
	// Immutable.
	cfg  *Config
	log  *slog.Logger
	d    *delivery
	n    *counters
	auth *authorizations
	user *User

	conn atomic.Pointer[conn] // nil unless connected; written under mu

	mu sync.Mutex
	// Guarded by mu, with the state of every channel and of the user.
	wires    map[string]*wire // by channel
	channels map[string]*Channel
	order    uint64   // number of the last subscription
	bucket   bucket   // of client events
	sockets  []string // ids that this client has had, the last ones
	used     []any    // authorizers of channels, to be told when the client ends
	closed   bool
}

// A wire is what a connection has asked of the service for one channel. It
// outlasts the Channel if the answer is still to come.
type wire struct {
	confirmed bool
	cancelled bool      // unsubscribe as soon as the answer comes
	auth      Auth      // what was sent with it
	key       *[32]byte // of an encrypted channel
	timeout   *timer    // of the answer
}

func newSubscriptions(cfg *Config, d *delivery, auth *authorizations, n *counters) *subscriptions {
	s := &subscriptions{
		cfg: cfg, log: cfg.Logger, d: d, n: n, auth: auth,
		channels: make(map[string]*Channel),
		bucket:   bucket{rate: cfg.ClientEventRate},
	}
	s.user = &User{binder: binder{d: d, queue: d.queue}, subs: s}
	return s
}

// channel returns the registered channel of that name.
func (s *subscriptions) channel(name string) (*Channel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, ok := s.channels[name]
	return ch, ok
}

// list returns all registered channels.
func (s *subscriptions) list() []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listLocked()
}

// listLocked is all registered channels in the order in which they were
// subscribed to.
func (s *subscriptions) listLocked() []*Channel {
	return slices.SortedFunc(maps.Values(s.channels), func(a, b *Channel) int { return cmp.Compare(a.order, b.order) })
}

// connLocked is the connection, if there is one.
func (s *subscriptions) connLocked() (*conn, error) {
	if s.closed {
		return nil, ErrClosed
	}
	cn := s.conn.Load()
	if cn == nil {
		return nil, ErrNotConnected
	}
	return cn, nil
}

// authorizeLocked asks an authorizer about a channel, or an authenticator about
// the user. The answer is taken with mu held, if slot still has the job by then:
// who no longer wants the answer takes the job out.
func (s *subscriptions) authorizeLocked(slot **authJob, j *authJob) {
	granted, refused := j.granted, j.refused
	j.granted = func(a Auth, u UserAuth) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if *slot == j {
			*slot = nil
			granted(a, u)
		}
	}
	j.refused = func(err error, willRetry bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if *slot == j {
			refused(err, willRetry)
		}
	}
	*slot = j
	s.auth.ask(j)
}

// afterLocked calls f after d, with mu held, if the connection is still there
// and slot still has the timer by then.
func (s *subscriptions) afterLocked(cn *conn, slot **timer, d time.Duration, f func()) {
	var t *timer
	t = cn.agenda.after(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if *slot == t && s.conn.Load() == cn {
			f()
		}
	})
	*slot = t
}

// disconnected takes everything back to where it is without a connection, and
// returns the one that there was, if any.
func (s *subscriptions) disconnected() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	cn := s.conn.Swap(nil)
	if cn == nil {
		return nil
	}
	cn.detach()
	s.auth.forget(cn)
	s.wires = nil
	s.user.lostLocked()
	for _, ch := range s.channels {
		ch.lostLocked()
	}
	return cn
}

// close ends all channels, and keeps others from being registered.
func (s *subscriptions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, ch := range s.channels {
		ch.endLocked()
		ch.clear(true)
		if ch.authorizer != nil {
			s.used = append(s.used, ch.authorizer)
		}
	}
	clear(s.channels)
	s.user.phaseLocked(userNobody, nil)
	s.user.clear(true)
}

// sweep closes connections that authorizers keep for the next request.
func (s *subscriptions) sweep() {
	s.mu.Lock()
	all := append(s.used, s.cfg.ChannelAuthorizer, s.cfg.UserAuthenticator)
	s.mu.Unlock()
	for _, a := range all {
		if idle, ok := a.(interface{ CloseIdleConnections() }); ok {
			idle.CloseIdleConnections()
		}
	}
}
