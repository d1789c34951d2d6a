package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/belfryhq/belfry/protocol"
)

const (
	dialTimeout = 15 * time.Second
	minBackOff  = time.Second
	maxBackOff  = 30 * time.Second
)

// A watcher keeps one connection and prints what arrives on it.
type watcher struct {
	target       target
	subscription subscription
	out          io.Writer // events
	status       io.Writer // everything else

	connected bool // at least once
	attempts  int  // since the last connection that was established
	printed   int  // events
}

var errCounted = errors.New("all events that were asked for have arrived")

// A refusedError is a reason for not connecting again.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

func refusef(format string, args ...any) error {
	return &refusedError{fmt.Sprintf(format, args...)}
}

func refused(err error) bool {
	_, ok := errors.AsType[*refusedError](err)
	return ok
}

// A closedError is a connection that the service closed with a code.
type closedError struct {
	code   protocol.CloseCode
	reason string
}

func (e *closedError) Error() string { return fmt.Sprintf("closed with %d: %s", e.code, e.reason) }

// run connects again and again until ctx ends, enough has arrived, or the
// service refuses.
func (w *watcher) run(ctx context.Context) error {
	for {
		err := w.session(ctx)
		closed, _ := errors.AsType[*closedError](err)
		switch {
		case ctx.Err() != nil, errors.Is(err, errCounted):
			return nil
		case closed != nil && closed.code.Action() == protocol.DoNotReconnect:
			return fmt.Errorf("the service refused the connection (%d): %s", closed.code, closed.reason)
		case refused(err), closed == nil && !w.connected:
			return err
		}
		pause := w.pause(closed)
		fmt.Fprintf(w.status, "connection lost (%v); connecting again in %s\n", err, pause.Round(100*time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// pause is how long to wait before the next attempt: hardly at all where the
// service asks to come back at once, else longer each time.
func (w *watcher) pause(closed *closedError) time.Duration {
	if closed != nil && closed.code.Action() == protocol.ReconnectNow && w.attempts == 0 {
		return 0
	}
	pause := min(minBackOff<<min(w.attempts, 10), maxBackOff)
	w.attempts++
	return pause + rand.N(pause/4)
}

// session connects, subscribes and prints until the connection ends.
func (w *watcher) session(ctx context.Context) error {
	dialer := ws.Dialer{Timeout: dialTimeout, Header: ws.HandshakeHeaderHTTP(http.Header{"User-Agent": {"belfry-cli"}})}
	conn, early, _, err := dialer.Dial(ctx, w.target.webSocketURL())
	if err != nil {
		return w.explainDial(err)
	}
	defer conn.Close()
	var source io.Reader = conn
	if early != nil { // frames that came together with the handshake
		source = early
	}
	c := &clientConn{conn: conn, incoming: make(chan incoming), done: make(chan struct{}), timeout: protocol.ActivityTimeout}
	defer close(c.done)
	go c.read(source)
	return w.converse(ctx, c)
}

func (w *watcher) explainDial(err error) error {
	if status, ok := errors.AsType[ws.StatusError](err); ok {
		return fmt.Errorf("%s://%s answered %d instead of speaking WebSocket; is the address right?", w.target.base.Scheme, w.target.base.Host, int(status))
	}
	return w.target.explainUnreachable(err)
}

// converse handles one connection until it ends.
func (w *watcher) converse(ctx context.Context, c *clientConn) error {
	quiet := time.NewTimer(c.timeout)
	defer quiet.Stop()
	pinged := false
	for {
		select {
		case <-ctx.Done():
			return c.close()
		case <-quiet.C:
			if pinged {
				return errors.New("the service does not answer any more")
			}
			pinged = true
			if err := c.send(frame{Event: protocol.EventPing, Data: []byte("{}")}); err != nil {
				return err
			}
			quiet.Reset(protocol.PongTimeout)
		case in := <-c.incoming:
			if in.err != nil {
				return in.err
			}
			if err := w.receive(c, in); err != nil {
				return err
			}
			pinged = false
			quiet.Reset(c.timeout)
		}
	}
}

// receive handles one message or control frame.
func (w *watcher) receive(c *clientConn, in incoming) error {
	switch in.op {
	case ws.OpPing:
		return wsutil.WriteClientMessage(c.conn, ws.OpPong, in.payload)
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameDataUnsafe(in.payload)
		return &closedError{protocol.CloseCode(code), reason}
	case ws.OpText:
		var f frame
		if err := json.Unmarshal(in.payload, &f); err != nil {
			return fmt.Errorf("the service sent something else than JSON: %w", err)
		}
		return w.frame(c, f, in.payload)
	}
	return nil
}

// frame prints a message, and does what it asks for.
func (w *watcher) frame(c *clientConn, f frame, text []byte) error {
	if w.subscription.all || f.isNews() {
		var line bytes.Buffer
		if err := json.Compact(&line, text); err != nil {
			return err
		}
		line.WriteByte('\n')
		if _, err := w.out.Write(line.Bytes()); err != nil {
			return refusef("standard output: %v", err)
		}
		w.printed++
		if w.printed == w.subscription.count {
			return errors.Join(c.close(), errCounted)
		}
	}
	switch f.Event {
	case protocol.EventConnectionEstablished:
		return w.established(c, f)
	case protocol.EventPing:
		return c.send(frame{Event: protocol.EventPong, Data: []byte("{}")})
	case protocol.EventSubscriptionSucceeded:
		fmt.Fprintf(w.status, "subscribed to %s%s\n", f.Channel, presenceCount(f))
	case protocol.EventSigninSuccess:
		fmt.Fprintf(w.status, "signed in as %s\n", w.subscription.user())
	case protocol.EventSubscriptionError:
		return refusef("the service refused the subscription to %s", f.Channel)
	case protocol.EventError:
		return w.refusal(f)
	}
	return nil
}

// isNews reports whether f is about a channel and not an answer to us.
func (f frame) isNews() bool {
	switch f.Event {
	case protocol.EventSubscriptionSucceeded, protocol.EventSubscriptionError:
		return false
	}
	return f.Channel != ""
}

// established subscribes.
func (w *watcher) established(c *clientConn, f frame) error {
	var data struct {
		SocketID        string `json:"socket_id"`
		ActivityTimeout int    `json:"activity_timeout"`
	}
	if err := json.Unmarshal(f.content(), &data); err != nil {
		return fmt.Errorf("the service sent no socket id: %w", err)
	}
	id, ok := protocol.ParseSocketID(data.SocketID)
	if !ok {
		return refusef("the socket id %q is none that can be signed", data.SocketID)
	}
	if data.ActivityTimeout > 0 {
		c.timeout = time.Duration(data.ActivityTimeout) * time.Second
	}
	w.connected, w.attempts = true, 0
	fmt.Fprintf(w.status, "connected to %s as %s\n", w.target.base.Host, id)
	for _, f := range w.subscription.frames(w.target, id) {
		if err := c.send(f); err != nil {
			return err
		}
	}
	return nil
}

// refusal handles a pusher:error. A fatal one is followed by a close, which
// says the same.
func (w *watcher) refusal(f frame) error {
	var data struct {
		Code    protocol.CloseCode `json:"code"`
		Message string             `json:"message"`
	}
	if err := json.Unmarshal(f.content(), &data); err != nil {
		return fmt.Errorf("the service sent an error that can not be read: %w", err)
	}
	if data.Code.Fatal() {
		return &closedError{data.Code, data.Message}
	}
	if data.Code == 0 { // what we send are subscriptions, so one was refused
		return refusef("the service refused: %s", data.Message)
	}
	fmt.Fprintf(w.status, "the service says: %s\n", data.Message)
	return nil
}

// presenceCount says how many are on a presence channel.
func presenceCount(f frame) string {
	var data struct {
		Presence *struct {
			Count int `json:"count"`
		} `json:"presence"`
	}
	if json.Unmarshal(f.content(), &data) != nil || data.Presence == nil {
		return ""
	}
	return fmt.Sprintf(" (members: %d)", data.Presence.Count)
}
