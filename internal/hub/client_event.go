package hub

import (
	"time"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/rate"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// clientEvent relays an event of this client to the others on its channel.
func (s *Session) clientEvent(now time.Time, m protocol.Message) {
	metrics := s.tenant.hub.metrics
	if !s.mayTrigger(now) {
		metrics.clientEventsRefused.Inc()
		s.traceError(m.Event, m.Channel, protocol.ErrClientEventRate)
		s.sendError(protocol.ErrClientEventRate) // one for each event that is lost, unlike other complaints
		return
	}
	sub, err := s.checkClientEvent(m)
	if err != nil {
		metrics.clientEventsRefused.Inc()
		s.object(now, m.Event, m.Channel, err)
		return
	}
	metrics.clientEvents.Inc()
	s.tenant.meter.client.Add(1)
	data := m.Data
	if !rawjson.IsString(data) {
		data = protocol.AppendDataLiteral(nil, data)
	}
	s.tenant.relay(sub, m.Event, data)
}

// mayTrigger takes one client event of what the client may trigger a second.
func (s *Session) mayTrigger(now time.Time) bool {
	limit := s.app().Limits.ClientEventsPerSecond
	if limit <= 0 {
		return true
	}
	_, ok := s.clientEvents.Take(now, 1, rate.PerSecond(limit))
	return ok
}

// checkClientEvent returns the sender's subscription to the event's channel.
func (s *Session) checkClientEvent(m protocol.Message) (*subscription, *protocol.Error) {
	app := s.app()
	if !app.ClientEvents {
		return nil, protocol.ErrClientEventsDisabled
	}
	if limit := app.Limits.EventNameLength; limit > 0 && utf8.RuneCountInString(m.Event) > limit {
		return nil, protocol.EventNameTooLong(limit)
	}
	if !m.HasChannel {
		return nil, protocol.MissingParameter("channel")
	}
	if !protocol.KindOf(m.Channel).ClientEvents() {
		return nil, protocol.ErrClientEventChannel
	}
	sub := s.subs.Get(m.Channel)
	if sub == nil {
		return nil, protocol.NotSubscribed(m.Channel)
	}
	if limit := app.Limits.EventData; limit > 0 && protocol.DataLen(m.Data) > limit {
		return nil, protocol.EventDataTooLong(limit)
	}
	return sub, nil
}
