package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// A user is somebody who is signed in, here or at a peer, or whom somebody
// signed in here watches. The shard's lock guards it.
type user struct {
	id          string
	connections audience  // sessions signed in as this user
	watchers    audience  // sessions that have the user on their watchlist
	peers       peers.Set // at which the user is signed in
	shared      uint64    // when peers were told of the user; see barrier
}

// online reports whether the user is signed in anywhere.
func (u *user) online() bool { return u.connections.size > 0 || u.peers != 0 }

// changed tells the watchers if the user has come or gone.
func (u *user) changed(t *tenant, was bool) {
	switch now := u.online(); {
	case now == was || u.watchers.size == 0:
	case now:
		t.tellWatchers(u, []string{u.id}, nil)
		t.traceUser(trace.Watchlist, u.id, "online")
	default:
		t.tellWatchers(u, nil, []string{u.id})
		t.traceUser(trace.Watchlist, u.id, "offline")
	}
}

// changePeers changes at which peers the user is signed in.
func (u *user) changePeers(t *tenant, change func(peers.Set) peers.Set) {
	was := u.online()
	u.peers = change(u.peers)
	u.changed(t, was)
}

// An identity is whom a session is signed in as. The session's loop owns it.
type identity struct {
	data       protocol.UserData
	user       *user
	connection seat
	watches    []*watch
	subscribed bool // to the channel of the user, which changes nothing but answers
}

// A watch is one session's interest in one user.
type watch struct {
	seat
	user *user
}

// signIn answers pusher:signin.
func (s *Session) signIn(now time.Time, data []byte) {
	m := protocol.ParseSignin(data)
	u, err := s.checkSignIn(m)
	if err != nil {
		s.object(now, protocol.EventSignin, "", err)
		return
	}
	if !s.authorized() {
		return
	}
	if s.identity == nil {
		s.identity = &identity{}
		s.await(s.tenant.connectUser(s, u.ID))
	}
	watchlist := u.Watchlist
	u.Watchlist = nil
	s.identity.data = u
	s.traceSignedIn()
	s.send(frame.Text(func(b []byte) []byte { return protocol.AppendSigninSuccess(b, m.UserData) }))
	if s.app().WatchlistEvents {
		s.watch(watchlist)
	}
}

func (s *Session) checkSignIn(m protocol.Signin) (u protocol.UserData, _ *protocol.Error) {
	switch {
	case !m.HasAuth:
		return u, protocol.MissingParameter("data.auth")
	case !m.HasUserData:
		return u, protocol.MissingParameter("data.user_data")
	}
	if _, _, ok := protocol.SplitAuth(m.Auth); !ok {
		return u, protocol.ErrSigninFormat
	}
	if err := s.verify(m.Auth, protocol.UserText(s.id, m.UserData)); err != nil {
		return u, err
	}
	u, err := protocol.ParseUserData(m.UserData)
	if err != nil {
		return u, protocol.InvalidUserData(err.Error())
	}
	if s.identity != nil && s.identity.data.ID != u.ID {
		return u, protocol.ErrOtherUser
	}
	return u, nil
}

// signOut ends what signing in began.
func (s *Session) signOut() {
	if s.identity == nil {
		return
	}
	s.unwatch()
	s.tenant.disconnectUser(s)
	s.identity = nil
}

// userLocked returns the user of that id, made if need be. The shard's lock is held.
func (sh *shard) userLocked(id string) *user {
	u := sh.users[id]
	if u == nil {
		if sh.users == nil {
			sh.users = make(map[string]*user)
		}
		u = &user{id: id}
		u.connections.last = sh.order
		sh.users[id] = u
	}
	return u
}

// releaseUserLocked forgets a user that nobody is and nobody watches. The shard's
// lock is held.
func (sh *shard) releaseUserLocked(u *user) {
	if !u.online() && u.watchers.size == 0 {
		sh.order = max(sh.order, u.connections.last)
		delete(sh.users, u.id)
	}
}

// connectUser makes s one of the user's connections, and returns when peers
// were told of the user.
func (t *tenant) connectUser(s *Session, id string) (shared uint64) {
	sh := t.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u := sh.userLocked(id)
	s.identity.user = u
	was := u.online()
	u.connections.addLocked(&s.identity.connection, s)
	if u.connections.size == 1 {
		t.shareSignedInLocked(u, true)
	}
	u.changed(t, was)
	return u.shared
}

// disconnectUser is the opposite of connectUser.
func (t *tenant) disconnectUser(s *Session) {
	u := s.identity.user
	sh := t.shard(u.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u.connections.removeLocked(&s.identity.connection)
	if u.connections.size == 0 {
		u.peers |= t.hub.lingering()
		t.shareSignedInLocked(u, false)
		u.changed(t, true)
	}
	sh.releaseUserLocked(u)
}

func (t *tenant) tellWatchers(u *user, online, offline []string) {
	t.hub.deliverLocked(&u.watchers, frame.Text(func(b []byte) []byte {
		return protocol.AppendWatchlistEvents(b, online, offline)
	}))
}

// watch replaces the session's watchlist, and tells it who of the new one is
// online.
func (s *Session) watch(ids []string) {
	s.unwatch()
	if limit := s.app().Limits.Watchlist; limit > 0 && len(ids) > limit {
		ids = ids[:limit]
		s.sendError(protocol.WatchlistLimit(limit))
	}
	if len(ids) == 0 {
		return
	}
	var online, offline []string
	for _, id := range ids {
		w, isOnline := s.tenant.startWatch(s, id)
		s.identity.watches = append(s.identity.watches, w)
		if isOnline {
			online = append(online, id)
		} else {
			offline = append(offline, id)
		}
	}
	s.send(frame.Text(func(b []byte) []byte {
		return protocol.AppendWatchlistEvents(b, online, offline)
	}))
}

func (s *Session) unwatch() {
	for _, w := range s.identity.watches {
		s.tenant.endWatch(w)
	}
	s.identity.watches = nil
}

func (t *tenant) startWatch(s *Session, id string) (w *watch, online bool) {
	sh := t.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	w = &watch{user: sh.userLocked(id)}
	w.user.watchers.addLocked(&w.seat, s)
	return w, w.user.online()
}

func (t *tenant) endWatch(w *watch) {
	sh := t.shard(w.user.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	w.user.watchers.removeLocked(&w.seat)
	sh.releaseUserLocked(w.user)
}

// subscribeUser answers a subscription to the channel of a user. Events to the
// user come with signing in and need no subscription, but clients ask for one.
func (s *Session) subscribeUser(now time.Time, channel, id string) {
	switch {
	case s.identity == nil || s.identity.data.ID != id:
		s.refuse(now, channel, unauthorized(protocol.OtherUsersChannel(channel)))
	case s.identity.subscribed:
		s.tenant.hub.metrics.refuseSubscription(refusedExisting)
		s.object(now, protocol.EventSubscribe, channel, protocol.ExistingSubscription(channel))
	default:
		s.identity.subscribed = true
		s.send(frame.Text(func(b []byte) []byte {
			return protocol.AppendSubscriptionSucceeded(b, channel)
		}))
	}
}

// unsubscribeUser reports whether there was a subscription.
func (s *Session) unsubscribeUser(id string) bool {
	if s.identity == nil || s.identity.data.ID != id || !s.identity.subscribed {
		return false
	}
	s.identity.subscribed = false
	return true
}

// triggerUser delivers a backend's event to a user's connections.
func (t *tenant) triggerUser(id, channel string, e *outgoing) reach {
	sh := t.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u := sh.users[id]
	if u == nil {
		t.traceUnheardLocked(sh, channel, e)
		return reach{}
	}
	to := reach{here: u.connections.size, peers: t.hub.peers.Present(u.peers)}
	to.elsewhere = to.peers.Len() // at least
	t.deliverEventLocked(&u.connections, e, channel, to)
	t.publishUserLocked(u, e, to.peers)
	return to
}

// Terminate closes every session that is signed in as that user.
func (h *Hub) Terminate(app *apps.App, userID string) {
	t := h.tenant(app)
	t.terminate(userID)
	if !h.peers.Alone() {
		h.peers.Send(peers.All, &broker.Message{Kind: broker.Terminate, App: app.ID, Name: userID})
	}
}

// terminate closes those of this node.
func (t *tenant) terminate(userID string) {
	sh := t.shard(userID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u := sh.users[userID]
	if u == nil || u.connections.size == 0 {
		return
	}
	t.traceUser(trace.Terminated, userID, "")
	t.hub.dismissLocked(&u.connections, protocol.ErrTerminated)
}
