package client

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/belfryhq/belfry/protocol"
)

var _ Binder = (*User)(nil)

// A User is who the client is signed in as. What backends send to that user is
// bound on it, like events on a channel; there is nothing to subscribe to.
type User struct {
	binder // of the user

	subs *subscriptions // immutable

	// Guarded by subscriptions.mu.
	wanted  bool // whether to sign in on every connection
	phase   userPhase
	id      string
	data    string
	job     *authJob
	err     error
	pending *timer    // of the answer of the service
	waiting []func()  // presence channels that wait for the end of a sign-in
	changed broadcast // of phase
}

type userPhase uint8

const (
	userNobody      userPhase = iota
	userAuthorizing           // waiting for the authenticator
	userRequested             // the service was asked
	userSignedIn
	userFailed // until the next connection, or SignIn
)

// SignIn signs in, now or as soon as there is a connection, and again on every
// connection that follows. It does not wait. The error is ErrNoAuthenticator or
// ErrClosed.
func (u *User) SignIn() error {
	s := u.subs
	if s.cfg.UserAuthenticator == nil {
		return ErrNoAuthenticator
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	u.wanted = true
	if cn, err := s.connLocked(); err == nil && (u.phase == userNobody || u.phase == userFailed) {
		u.connectedLocked(cn)
	}
	return nil
}

// SignOut forgets the wish to be signed in. The protocol has no way to sign
// out, so a client that is signed in connects anew.
func (u *User) SignOut() {
	s := u.subs
	s.mu.Lock()
	defer s.mu.Unlock()
	u.wanted = false
	switch u.phase {
	case userSignedIn, userRequested:
		s.conn.Load().restart()
	case userAuthorizing:
		s.auth.cancel(u.job)
		u.job = nil
		u.phaseLocked(userNobody, nil)
		u.resumeLocked()
	}
}

// ID returns who is signed in on the current connection. It is empty if nobody
// is.
func (u *User) ID() string {
	u.subs.mu.Lock()
	defer u.subs.mu.Unlock()
	return u.id
}

// Data returns the user_data of who is signed in, or nil.
func (u *User) Data() json.RawMessage {
	u.subs.mu.Lock()
	defer u.subs.mu.Unlock()
	if u.phase != userSignedIn {
		return nil
	}
	return json.RawMessage(u.data)
}

// AwaitSignedIn blocks until the user is signed in. It returns why that failed
// if it is not tried again on this connection, ErrClosed, or the error of ctx,
// whichever comes first.
func (u *User) AwaitSignedIn(ctx context.Context) error {
	return await(ctx, &u.subs.mu, &u.changed, func() (bool, error) {
		switch {
		case u.subs.closed:
			return true, ErrClosed
		case u.phase == userSignedIn:
			return true, nil
		case u.phase == userFailed:
			return true, u.err
		}
		return false, nil
	})
}

func (u *User) phaseLocked(p userPhase, err error) {
	u.phase, u.err = p, err
	if p != userSignedIn {
		u.id, u.data = "", ""
	}
	u.changed.tellLocked()
}

// connectedLocked begins to sign in on a connection, if that is wanted.
func (u *User) connectedLocked(cn *conn) {
	if !u.wanted {
		return
	}
	u.phaseLocked(userAuthorizing, nil)
	u.subs.authorizeLocked(&u.job, &authJob{
		cn: cn, with: u.subs.cfg.UserAuthenticator,
		granted: func(_ Auth, a UserAuth) { u.requestLocked(cn, a) },
		refused: func(err error, willRetry bool) {
			u.subs.log.Error("authentication of the user failed", "err", err, "will_retry", willRetry)
			if willRetry {
				u.d.happened(&u.binder, SignInFailed{err, true}, signinError(err))
			} else {
				u.failedLocked(err)
			}
		},
	})
}

// requestLocked asks the service to sign the user in.
func (u *User) requestLocked(cn *conn, a UserAuth) {
	u.phaseLocked(userRequested, nil)
	cn.send(mustMessage(protocol.EventSignin, struct {
		Auth     string `json:"auth"`
		UserData string `json:"user_data"`
	}{a.Auth, a.UserData}))
	if d := u.subs.cfg.SubscribeTimeout; d > 0 {
		u.subs.afterLocked(cn, &u.pending, d, func() { u.failedLocked(errors.New("client: no answer to the sign-in in time")) })
	}
}

// failedLocked says that nobody is signed in on this connection.
func (u *User) failedLocked(err error) {
	u.answeredLocked()
	u.phaseLocked(userFailed, err)
	u.d.happened(&u.binder, SignInFailed{err, false}, signinError(err))
	u.resumeLocked()
}

// answeredLocked says that no answer of the service is awaited any more.
func (u *User) answeredLocked() {
	if cn := u.subs.conn.Load(); cn != nil {
		cn.agenda.cancel(u.pending)
	}
	u.pending = nil
}

// signinError is what pusher-js calls pusher:signin_error.
func signinError(err error) Event {
	status := 0
	if a, ok := errors.AsType[*AuthError](err); ok {
		status = a.StatusCode
	}
	text, _ := encode(map[string]any{"type": "AuthError", "error": err.Error(), "status": status})
	return Event{Name: eventSigninError, Data: string(text)}
}

// signedInLocked takes the service's confirmation.
func (u *User) signedInLocked(cn *conn, e Event) {
	if u.phase != userRequested {
		return
	}
	u.answeredLocked()
	var data struct {
		UserData json.RawMessage `json:"user_data"`
	}
	var user struct {
		ID *string `json:"id"`
	}
	err := json.Unmarshal([]byte(e.Data), &data)
	text := content(data.UserData)
	if err == nil {
		err = json.Unmarshal([]byte(text), &user)
	}
	if err != nil || user.ID == nil || *user.ID == "" {
		u.failedLocked(&ProtocolError{Frame: e.Data[:min(len(e.Data), maxQuote)], Err: errors.New("the sign-in was confirmed for nobody")})
		return
	}
	u.phaseLocked(userSignedIn, nil)
	u.id, u.data = *user.ID, text
	// Some services send the user's events to subscribers only.
	cn.send(subscribeMessage(protocol.UserChannel(u.id), Auth{}, nil))
	u.d.happened(&u.binder, SignedIn{u.id, json.RawMessage(text)}, e)
	u.resumeLocked()
}

// objectedLocked takes an error of the service that may be the answer to a
// sign-in: it has no code that says so, only words.
func (u *User) objectedLocked(e *ServerError) {
	if u.phase != userRequested || e.HasCode {
		return
	}
	text := strings.ToLower(e.Message)
	for _, words := range []string{"::user::", "user_data", "user data", "data.auth", "signed in", "sign in", "signin", "sign-in"} {
		if strings.Contains(text, words) {
			u.failedLocked(e)
			return
		}
	}
}

// lostLocked takes the user back to where it was without a connection.
func (u *User) lostLocked() {
	u.subs.auth.cancel(u.job)
	u.job, u.waiting = nil, nil
	u.pending = nil
	u.phaseLocked(userNobody, nil)
}

// resumeLocked goes on with presence channels that waited for a sign-in.
func (u *User) resumeLocked() {
	waiting := u.waiting
	u.waiting = nil
	for _, f := range waiting {
		f()
	}
}
