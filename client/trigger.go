package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A TriggerOption changes a trigger.
type TriggerOption func(*triggering)

type triggering struct{ wait bool }

// WhenSubscribed makes Trigger wait for the subscription, instead of failing
// with ErrNotSubscribed.
func WhenSubscribed() TriggerOption { return func(t *triggering) { t.wait = true } }

// Trigger sends a client event to the other subscribers of a private or
// presence channel. Data is sent as JSON, a [json.RawMessage] as it is. Nil
// means that the event was written to the connection, not that anybody got it.
//
// The error is ErrInvalidEventName for a name without "client-", ErrUnsupported
// on public and encrypted channels, ErrNotSubscribed, ErrNotConnected,
// ErrRateLimited, ErrUnsubscribed or ErrClosed, or that of ctx or of encoding data.
func (ch *Channel) Trigger(ctx context.Context, event string, data any, opts ...TriggerOption) error {
	var t triggering
	for _, o := range opts {
		o(&t)
	}
	switch {
	case !strings.HasPrefix(event, clientEventPrefix) || !utf8.ValidString(event):
		return fmt.Errorf("%w: %q", ErrInvalidEventName, event)
	case !ch.kind.ClientEvents() || ch.kind.Encrypted():
		return fmt.Errorf("%w: client events on %s", ErrUnsupported, ch.name)
	}
	text, err := message(event, ch.name, data)
	if err != nil {
		return err
	}
	if t.wait {
		if err := ch.AwaitSubscribed(ctx); err != nil {
			return err
		}
	}
	if !ch.subs.takeToken() {
		return ErrRateLimited
	}
	return ch.subs.send(ctx, text, ch)
}

// takeToken takes a token for a client event, if there is one.
func (s *subscriptions) takeToken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bucket.take(time.Now())
}

// send has an event of the program written, on a channel unless that is nil. It
// waits for a place in the queue and for the writer, until ctx ends.
func (s *subscriptions) send(ctx context.Context, text []byte, on *Channel) error {
	cn, err := s.sender(on)
	if err != nil {
		return err
	}
	if err := cn.reserve(ctx); err != nil {
		return err
	}
	done, err := s.sendReserved(cn, text, on)
	if err != nil {
		cn.release()
		return err
	}
	return written(ctx, done)
}

// sender is the connection over which an event may be sent now.
func (s *subscriptions) sender(on *Channel) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cn, err := s.connLocked()
	if err != nil {
		return nil, err
	}
	return cn, on.sendableLocked()
}

// sendReserved queues an event that has a place, if it may still be sent.
func (s *subscriptions) sendReserved(cn *conn, text []byte, on *Channel) (done <-chan error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := on.sendableLocked(); err != nil {
		return nil, err
	}
	return cn.sendReserved(text)
}

// sendableLocked says why an event may not be sent on the channel now, if so.
// Without a channel there is no such reason.
func (ch *Channel) sendableLocked() error {
	switch {
	case ch == nil || ch.state == SubSubscribed:
		return nil
	case ch.state == SubEnded:
		return ErrUnsubscribed
	}
	return ErrNotSubscribed
}

// message is an event as it is sent.
func message(event, channel string, data any) ([]byte, error) {
	text, err := raw(data)
	if err != nil {
		return nil, fmt.Errorf("client: data of %s: %w", event, err)
	}
	return encode(struct {
		Event   string          `json:"event"`
		Channel string          `json:"channel,omitempty"`
		Data    json.RawMessage `json:"data"`
	}{event, channel, text})
}

// A bucket limits client events: rate a second, and as many at once. A rate of
// zero is no limit.
type bucket struct {
	rate   float64
	tokens float64
	last   time.Time
}

// take takes a token, if there is one.
func (b *bucket) take(now time.Time) bool {
	if b.rate == 0 {
		return true
	}
	burst := max(b.rate, 1)
	if b.last.IsZero() {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+now.Sub(b.last).Seconds()*b.rate)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
