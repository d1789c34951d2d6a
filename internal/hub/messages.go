package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// Receive is called with each message of the client, in order, at about now.
// Text is valid UTF-8; the session does not keep it.
func (s *Session) Receive(now time.Time, text []byte) {
	s.tenant.hub.metrics.messages.Inc()
	m, err := protocol.ParseMessage(text)
	if err != nil {
		s.object(now, m.Event, "", err)
		return
	}
	switch m.Event {
	case protocol.EventPing:
		s.send(pong)
	case protocol.EventPong:
	case protocol.EventSubscribe:
		s.subscribe(now, m.Data)
	case protocol.EventUnsubscribe:
		s.unsubscribe(now, m.Data)
	case protocol.EventSignin:
		s.signIn(now, m.Data)
	default:
		if !protocol.IsClientEvent(m.Event) {
			s.object(now, m.Event, m.Channel, protocol.UnknownEvent(m.Event))
			return
		}
		s.clientEvent(now, m)
	}
}

var pong = frame.Text(protocol.AppendPong)
