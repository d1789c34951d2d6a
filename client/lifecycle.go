package client

import (
	"context"
	"log/slog"
	"sync"

	"github.com/belfryhq/belfry/protocol"
)

// A lifecycle is where a client is with its connection, for everybody to see,
// and the session that is there now.
type lifecycle struct {
	// Immutable.
	cfg        *Config
	log        *slog.Logger
	d          *delivery
	n          *counters
	goroutines *goroutines
	subs       *subscriptions

	mu sync.Mutex
	// Guarded by mu.
	key      string
	endpoint Endpoint
	state    State
	socketID string // of the connection, when connected
	err      error  // why the last connection ended or could not be made
	session  *session
	closed   bool
	changed  broadcast // of state and closed
}

// connect starts a session, unless there is one.
func (l *lifecycle) connect() error {
	ctx := l.d.context()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.session != nil {
		return nil
	}
	l.log.Info("connecting", "endpoint", l.endpoint.webSocketURL(l.key, "").Redacted())
	l.session = &session{life: l, agenda: newAgenda()}
	l.setLocked(StateConnecting, nil)
	l.session.start(ctx)
	return nil
}

// disconnect ends the session at the wish of the caller.
func (l *lifecycle) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.disconnectLocked()
	}
}

// disconnectLocked ends the session, if there is one, at the wish of the
// caller.
func (l *lifecycle) disconnectLocked() {
	lost := Disconnected{Class: ClassCaller, SocketID: l.socketID}
	if l.session != nil {
		lost.WasConnected = l.session.endLocked(int(protocol.CloseNormal))
	}
	l.err = nil
	l.setLocked(StateDisconnected, nil)
	if lost.WasConnected {
		l.n.disconnects.Add(1)
		l.d.happened(nil, lost, Event{})
	}
}

// close is disconnect for ever, and ends all channels. It reports whether it
// was the first.
func (l *lifecycle) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.disconnectLocked()
	l.closed = true
	l.subs.close()
	l.d.all.clear(true)
	l.changed.tellLocked()
	return true
}

// await blocks until the client is in a state, or has failed.
func (l *lifecycle) await(ctx context.Context, state State) error {
	return await(ctx, &l.mu, &l.changed, func() (bool, error) {
		switch {
		case l.state == StateFailed:
			return true, l.err
		case l.state == state:
			return true, nil
		case l.closed:
			return true, ErrClosed
		}
		return false, nil
	})
}

// now is where the client is.
func (l *lifecycle) now() (state State, socketID string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.socketID, l.err
}

// tell has the session do something, if there is one.
func (l *lifecycle) tell(kind mailKind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tellLocked(kind)
}

// tellLocked is tell with mu held.
func (l *lifecycle) tellLocked(kind mailKind) {
	if l.session != nil {
		l.session.agenda.post(mail{kind: kind})
	}
}

// move changes where to connect to.
func (l *lifecycle) move(key string, e Endpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.key, l.endpoint = key, e
	l.tellLocked(mailRestart)
	return nil
}

// target is where to connect to now.
func (l *lifecycle) target() (key string, e Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.key, l.endpoint
}

// detachLocked takes the connection away from the client, if there is one, and
// returns it.
func (l *lifecycle) detachLocked() *conn {
	l.socketID = ""
	return l.subs.disconnected()
}

// setLocked changes the state, if it is another, and tells.
func (l *lifecycle) setLocked(state State, err error) {
	if state == l.state {
		return
	}
	change := StateChange{Previous: l.state, Current: state, Err: err}
	if state == StateConnected {
		change.SocketID = l.socketID
	}
	l.state = state
	l.log.Info("state", "from", change.Previous, "to", state, "socket_id", change.SocketID, "err", err)
	l.changed.tellLocked()
	l.d.happened(nil, change, Event{})
}
