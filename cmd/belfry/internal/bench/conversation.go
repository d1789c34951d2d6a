package bench

import (
	"errors"
	"fmt"
	"slices"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// clientEvent is the name of the events that clients send, and backendEvent of
// those that are triggered.
const (
	clientEvent  = "client-bench"
	backendEvent = "bench"
)

// text handles one message. The shard is locked.
func (s *session) text(p []byte, now int64, out []byte) ([]byte, error) {
	if s.plan.work != churns { // where stamps are also in lists of members
		if st, ok := findStamp(p); ok {
			s.shard.bytes += uint64(len(p))
			s.event(st, now)
			return out, nil
		}
	}
	m, problem := protocol.ParseMessage(p)
	if problem != nil {
		return out, fmt.Errorf("the service sent what is no message: %.100q", p)
	}
	switch m.Event {
	case protocol.EventConnectionEstablished:
		return s.established(m.Data, now, out)
	case protocol.EventSubscriptionSucceeded:
		s.subscribed(now)
	case protocol.EventPing:
		out = appendFrame(out, opText, []byte(`{"event":"pusher:pong","data":{}}`))
	case protocol.EventMemberAdded:
		s.memberAdded(m.Data, len(p), now)
	case protocol.EventMemberRemoved:
		s.memberRemoved(m.Data, len(p), now)
	case protocol.EventError, protocol.EventSubscriptionError:
		return out, s.refused(m)
	}
	return out, nil
}

// event accounts for an event.
func (s *session) event(st stamp, now int64) {
	q := s.sequence(st)
	switch {
	case q != nil:
		s.shard.arrived(q.add(st.number), st.intended, now)
	case s.plan.counts(s.id):
		s.shard.delivered++
		s.shard.stray++
	default:
		s.shard.delivered++
	}
}

// sequence is where the session keeps account of the stream of an event, or
// nil if it should not have got it, or keeps none.
func (s *session) sequence(st stamp) *sequence {
	i := slices.Index(s.channels, st.channel)
	if i < 0 || s.sequences == nil || st.stream >= s.plan.streams || st.number == 0 || s.plan.own(s.id, st.stream) {
		return nil
	}
	return &s.sequences[i*s.plan.streams+st.stream]
}

// established subscribes.
func (s *session) established(data []byte, now int64, out []byte) ([]byte, error) {
	if s.phase != greeting {
		return out, errors.New("the service said pusher:connection_established twice")
	}
	var id string
	var timeout []byte
	content, _ := rawjson.String(data)
	err := rawjson.Object([]byte(content), func(key, value []byte) {
		switch string(key) {
		case "socket_id":
			id, _ = rawjson.String(value)
		case "activity_timeout":
			timeout = value
		}
	})
	if err != nil || id == "" {
		return out, errors.New("the service sent no socket id")
	}
	s.fleet.sawActivityTimeout(timeout)
	s.shard.greeting.record(now - s.intended)
	s.phase, s.missing = joining, len(s.channels)
	s.mu.Lock()
	s.socketID, s.present = id, true
	s.mu.Unlock()
	for _, c := range s.channels {
		out = appendFrame(out, opText, s.appendSubscribe(nil, c, s.firstJoin(c)))
	}
	return out, nil
}

// firstJoin is the stamp of the join before the load begins. Its number is not
// part of the stream.
func (s *session) firstJoin(channel int) stamp {
	return stamp{channel: channel, stream: 2 * s.plan.member(s.id)}
}

// appendSubscribe appends the message that subscribes to a channel. The stamp
// is for those who watch a presence channel.
func (s *session) appendSubscribe(dst []byte, channel int, st stamp) []byte {
	name := s.plan.names[channel]
	dst = append(dst, `{"event":"pusher:subscribe","data":{"channel":`...)
	dst = rawjson.AppendString(dst, name)
	switch kind := protocol.KindOf(name); {
	case kind.Presence():
		member := s.appendMember(nil, st)
		dst = append(dst, `,"channel_data":`...)
		dst = rawjson.AppendQuoted(dst, member)
		dst = s.appendAuth(dst, name+":"+string(member))
	case kind.Private():
		dst = s.appendAuth(dst, name)
	}
	return append(dst, "}}"...)
}

func (s *session) appendMember(dst []byte, st stamp) []byte {
	dst = append(dst, `{"user_id":`...)
	dst = rawjson.AppendString(dst, userID(s.id))
	dst = append(dst, `,"user_info":`...)
	dst = st.appendObject(dst, 0)
	return append(dst, '}')
}

func (s *session) appendAuth(dst []byte, what string) []byte {
	t := s.fleet.endpoint
	dst = append(dst, `,"auth":`...)
	return rawjson.AppendString(dst, t.key+":"+protocol.Sign(t.secret, s.socketID+":"+what))
}

// subscribed notes that a subscription was answered.
func (s *session) subscribed(now int64) {
	if s.phase != joining {
		return // came back to a presence channel
	}
	s.missing--
	if s.missing == 0 {
		s.phase = joined
		s.shard.joining.record(now - s.intended)
		s.fleet.arrived(now)
	}
}

// memberAdded accounts for the news of a member who came.
func (s *session) memberAdded(data []byte, size int, now int64) {
	s.shard.bytes += uint64(size)
	content, _ := rawjson.String(data)
	m, err := protocol.ParseMember(content)
	st, ok := findStamp(m.UserInfo)
	if err != nil || !ok || st.number == 0 {
		s.shard.delivered++ // from before the load
		return
	}
	s.event(st, now)
}

// memberRemoved accounts for the news of a member who left. It has no stamp,
// but every leave follows a join, whose number it gets.
func (s *session) memberRemoved(data []byte, size int, now int64) {
	s.shard.bytes += uint64(size)
	content, _ := rawjson.String(data)
	m, err := protocol.ParseMember(content)
	id, ok := userOf(m.UserID)
	if err != nil || !ok || s.sequences == nil || s.plan.member(id) >= s.plan.streams/2 {
		s.shard.delivered++
		return
	}
	joins := 2 * s.plan.member(id)
	number := s.sequences[joins].high + 1 // the first leave is that of the join before the load
	s.shard.arrived(s.sequences[joins+1].add(number), -1, now)
}

// refused handles pusher:error and pusher:subscription_error. While the session
// joins, it is the end of it; later it is noted.
func (s *session) refused(m protocol.Message) error {
	var text string
	err := rawjson.Object(m.Data, func(key, value []byte) {
		switch string(key) {
		case "message", "error":
			text, _ = rawjson.String(value)
		}
	})
	if err != nil || text == "" {
		text = fmt.Sprintf("%.200s", m.Data)
	}
	if s.phase == joined {
		s.shard.rec.problems.add("the service says: " + text)
		return nil
	}
	return fmt.Errorf("refused by the service: %s", text)
}
