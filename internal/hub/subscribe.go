package hub

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// A refusal is why a subscription was refused: what the client is told, and
// what the listeners of the channel are.
type refusal struct {
	err      *protocol.Error
	listener protocol.SubscriptionError
}

func unauthorized(e *protocol.Error) *refusal {
	return &refusal{e, protocol.SubscriptionUnauthorized}
}

func overLimit(e *protocol.Error) *refusal { return &refusal{e, protocol.SubscriptionLimit} }

var refuseFull = overLimit(protocol.ErrPresenceFull)

// subscribe answers pusher:subscribe. The order of the checks is documented in
// docs/protocol.md, "Subscribing".
func (s *Session) subscribe(now time.Time, data []byte) {
	m := protocol.ParseSubscribe(data)
	if !m.HasChannel {
		s.tenant.hub.metrics.refuseSubscription(refusedMalformed)
		s.object(now, protocol.EventSubscribe, "", protocol.MissingParameter("data.channel"))
		return
	}
	if id, ok := protocol.UserOf(m.Channel); ok {
		s.subscribeUser(now, m.Channel, id)
		return
	}
	if r := s.checkName(m.Channel); r != nil {
		s.refuse(now, m.Channel, r)
		return
	}
	if s.subs.Get(m.Channel) != nil {
		s.tenant.hub.metrics.refuseSubscription(refusedExisting)
		s.object(now, protocol.EventSubscribe, m.Channel, protocol.ExistingSubscription(m.Channel))
		return
	}
	kind := protocol.KindOf(m.Channel)
	member, r := s.authorizeSubscription(m, kind)
	if r == nil {
		r = s.checkLimits(member)
	}
	if r != nil {
		s.refuse(now, m.Channel, r)
		return
	}
	due := s.authorizeBy
	if kind.Private() && !s.authorized() {
		return
	}
	ask := s.resumption(m)
	sub, j, r := s.tenant.join(s, m.Channel, kind, member, ask)
	if r != nil {
		s.unauthorize(due)
		s.refuse(now, m.Channel, r)
		return
	}
	s.subs.Add(sub)
	s.tenant.hub.metrics.subscriptions.Inc()
	s.await(j.shared)
	if ask != nil {
		s.tenant.resume(sub)
		return
	}
	s.send(j.succeeded)
	if j.cached != nil {
		s.send(j.cached)
	}
}

// unsubscribe answers pusher:unsubscribe, with nothing if it is in order.
func (s *Session) unsubscribe(now time.Time, data []byte) {
	m := protocol.ParseSubscribe(data)
	if !m.HasChannel {
		s.object(now, protocol.EventUnsubscribe, "", protocol.MissingParameter("data.channel"))
		return
	}
	if sub := s.subs.Get(m.Channel); sub != nil {
		s.subs.Remove(sub)
		s.tenant.hub.metrics.subscriptions.Dec()
		s.await(s.tenant.leave(sub))
		return
	}
	if id, ok := protocol.UserOf(m.Channel); !ok || !s.unsubscribeUser(id) {
		s.object(now, protocol.EventUnsubscribe, m.Channel, protocol.NoSubscription(m.Channel))
	}
}

// refuse tells the client and the channel's listeners that there is no
// subscription.
func (s *Session) refuse(now time.Time, channel string, r *refusal) {
	s.tenant.hub.metrics.refuseSubscription(r.reason())
	s.traceError(protocol.EventSubscribe, channel, r.err)
	if !s.mayComplain(now) {
		return
	}
	s.sendError(r.err)
	if !s.tenant.hub.cfg.HostedErrorsOnly && s.library.Takes(protocol.EventSubscriptionError, protocol.KindOf(channel)) {
		s.send(frame.Text(func(b []byte) []byte {
			return protocol.AppendSubscriptionError(b, channel, r.listener)
		}))
	}
}

func (s *Session) checkName(channel string) *refusal {
	err := protocol.CheckChannel(channel, s.app().Limits.ChannelNameLength)
	switch {
	case errors.Is(err, protocol.ErrChannelTooLong):
		return &refusal{protocol.InvalidChannel(channel), protocol.SubscriptionNameTooLong}
	case err != nil:
		return &refusal{protocol.InvalidChannel(channel), protocol.SubscriptionInvalidChannel}
	}
	return nil
}

// authorizeSubscription checks the token of a subscription that needs one, and
// returns whom it makes present on a presence channel.
func (s *Session) authorizeSubscription(m protocol.Subscribe, kind protocol.Kind) (*protocol.Member, *refusal) {
	if !kind.Private() {
		return nil, nil // auth and channel_data are not looked at: nobody signed them
	}
	if _, _, ok := protocol.SplitAuth(m.Auth); !ok {
		return nil, unauthorized(protocol.InvalidAuth(m.Channel))
	}
	texts := []string{protocol.ChannelText(s.id, m.Channel)}
	switch {
	case m.BadChannelData:
		return nil, unauthorized(s.unsigned(m))
	case m.HasChannelData && m.ChannelData == "" && !kind.Presence():
		texts = append(texts, protocol.ChannelDataText(s.id, m.Channel, ""))
	case m.HasChannelData:
		texts[0] = protocol.ChannelDataText(s.id, m.Channel, m.ChannelData)
	}
	if err := s.verify(m.Auth, texts...); err != nil {
		return nil, unauthorized(err)
	}
	if !kind.Presence() {
		return nil, nil
	}
	return s.memberOf(m)
}

// unsigned is the refusal of a subscription with channel_data that is no string:
// no signature can be right for it.
func (s *Session) unsigned(m protocol.Subscribe) *protocol.Error {
	text := protocol.ChannelDataText(s.id, m.Channel, "")
	if err := s.verify(m.Auth, text); err != nil {
		return err
	}
	_, digest, _ := protocol.SplitAuth(m.Auth)
	return protocol.InvalidSignature(text, digest)
}

// memberOf returns the user that a subscription with a good token is for.
func (s *Session) memberOf(m protocol.Subscribe) (*protocol.Member, *refusal) {
	member, err := protocol.Member{}, protocol.ErrChannelDataMissing
	switch {
	case m.HasChannelData:
		member, err = protocol.ParseMember(m.ChannelData)
	case s.identity != nil:
		member, err = protocol.Member{UserID: s.identity.data.ID, UserInfo: s.identity.data.UserInfo}, nil
	}
	if err != nil {
		return nil, unauthorized(protocol.InvalidChannelData(err.Error()))
	}
	if err := member.CheckInfo(); err != nil {
		return nil, unauthorized(err)
	}
	return &member, nil
}

// checkLimits holds a subscription against the app's limits, but for that on
// members, which join knows.
func (s *Session) checkLimits(member *protocol.Member) *refusal {
	limits := &s.app().Limits
	if limits.ChannelsPerConnection > 0 && s.subs.Len() >= limits.ChannelsPerConnection {
		return overLimit(protocol.ErrTooManyChannels)
	}
	if member == nil {
		return nil
	}
	if limits.PresenceUserID > 0 && utf8.RuneCountInString(member.UserID) > limits.PresenceUserID {
		return overLimit(protocol.InvalidChannelData("user_id is too long"))
	}
	if limits.PresenceUserInfo > 0 && len(member.UserInfo) > limits.PresenceUserInfo {
		return overLimit(protocol.InvalidChannelData("user_info is too long"))
	}
	return nil
}
