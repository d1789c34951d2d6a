package hub

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// A sink is a socket that keeps nothing.
type sink struct{}

func (sink) Send(*frame.Frame)     {}
func (sink) Close(*protocol.Error) {}

// sinks connects sessions that keep nothing of what they get.
func sinks(b *testing.B, n *testNode, many int) []*Session {
	b.Helper()
	sessions := make([]*Session, many)
	for i := range sessions {
		s, refused := n.hub.Connect(request("key"), sink{}, i%n.loops.Len())
		if refused != nil {
			b.Fatal(refused)
		}
		sessions[i] = s
	}
	return sessions
}

func unlimitedNode(b *testing.B) *testNode {
	return newTestNode(b, func(a *apps.App) { a.Limits = apps.Unlimited() })
}

// subscribeText is the message that subscribes a session, signed.
func subscribeText(s *Session, channel, channelData string) []byte {
	text := protocol.ChannelText(s.ID(), channel)
	data := ""
	if channelData != "" {
		text = protocol.ChannelDataText(s.ID(), channel, channelData)
		data = `,"channel_data":` + quote(channelData)
	}
	return fmt.Appendf(nil, `{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q%s}}`, channel, token("key", "secret", text), data)
}

// drain runs what was posted, and keeps the memory of the queues.
func (q *queue) drain() {
	for i := range q.jobs {
		for _, run := range q.jobs[i] {
			run(i)
		}
		clear(q.jobs[i])
		q.jobs[i] = q.jobs[i][:0]
	}
}

func BenchmarkTrigger(b *testing.B) {
	for _, many := range []int{0, 1, 1000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			n := unlimitedNode(b)
			now := time.Now()
			for _, s := range sinks(b, n, many) {
				s.Receive(now, subscribeText(s, "news", ""))
			}
			n.loops.drain()
			e := Event{"price", []byte(quote(`{"symbol":"ABC","price":12.5,"at":1700000000}`))}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.hub.Trigger(context.Background(), n.app, []string{"news"}, e, protocol.SocketID{}); err != nil {
					b.Fatal(err)
				}
				n.loops.drain()
			}
		})
	}
}

func BenchmarkPing(b *testing.B) {
	n := unlimitedNode(b)
	s := sinks(b, n, 1)[0]
	now, text := time.Now(), []byte(`{"event":"pusher:ping","data":{}}`)
	b.ReportAllocs()
	for b.Loop() {
		s.Receive(now, text)
	}
}

func BenchmarkSubscribeUnsubscribe(b *testing.B) {
	for _, channel := range []string{"news", "private-orders"} {
		b.Run(channel, func(b *testing.B) {
			n := unlimitedNode(b)
			s := sinks(b, n, 1)[0]
			now, in := time.Now(), subscribeText(s, channel, "")
			out := fmt.Appendf(nil, `{"event":"pusher:unsubscribe","data":{"channel":%q}}`, channel)
			b.ReportAllocs()
			for b.Loop() {
				s.Receive(now, in)
				s.Receive(now, out)
			}
		})
	}
}

func BenchmarkClientEventToRoomOfTen(b *testing.B) {
	n := unlimitedNode(b)
	now := time.Now()
	room := sinks(b, n, 10)
	for i, s := range room {
		s.Receive(now, subscribeText(s, "presence-room", fmt.Sprintf(`{"user_id":"%d"}`, i)))
	}
	n.loops.drain()
	text := []byte(`{"event":"client-typing","channel":"presence-room","data":{"on":true,"x":12,"y":34}}`)
	b.ReportAllocs()
	for b.Loop() {
		room[0].Receive(now, text)
		n.loops.drain()
	}
}

// The hundredth member comes and goes.
func BenchmarkPresenceJoinOfHundred(b *testing.B) {
	n := unlimitedNode(b)
	now := time.Now()
	members := sinks(b, n, 100)
	messages := make([][]byte, len(members))
	for i, s := range members {
		messages[i] = subscribeText(s, "presence-room", fmt.Sprintf(`{"user_id":"%d","user_info":{"name":"member %d"}}`, i, i))
		s.Receive(now, messages[i])
	}
	n.loops.drain()
	last := len(members) - 1
	leave := []byte(`{"event":"pusher:unsubscribe","data":{"channel":"presence-room"}}`)
	b.ReportAllocs()
	for b.Loop() {
		members[last].Receive(now, leave)
		members[last].Receive(now, messages[last])
		n.loops.drain()
	}
}
