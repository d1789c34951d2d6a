package client

import (
	"context"
	"encoding/base64"
	"errors"
)

// A ChannelAuthorizer answers whether a connection may join a channel. The
// context ends when the connection is lost, the channel is unsubscribed, or
// Config.AuthTimeout is over. An authorizer that ignores it keeps a
// goroutine, and its place among Config.AuthConcurrency, until it returns.
// An error that has a method Temporary() bool that returns true, or that is
// a deadline, is tried again; others are final for the connection.
type ChannelAuthorizer interface {
	AuthorizeChannel(ctx context.Context, r AuthRequest) (Auth, error)
}

// A UserAuthenticator answers who the user of a connection is. Its context and
// errors are those of a [ChannelAuthorizer].
type UserAuthenticator interface {
	AuthenticateUser(ctx context.Context, r AuthRequest) (UserAuth, error)
}

// ChannelAuthorizerFunc is a function that is a ChannelAuthorizer.
type ChannelAuthorizerFunc func(ctx context.Context, r AuthRequest) (Auth, error)

// AuthorizeChannel calls f.
func (f ChannelAuthorizerFunc) AuthorizeChannel(ctx context.Context, r AuthRequest) (Auth, error) {
	return f(ctx, r)
}

// UserAuthenticatorFunc is a function that is a UserAuthenticator.
type UserAuthenticatorFunc func(ctx context.Context, r AuthRequest) (UserAuth, error)

// AuthenticateUser calls f.
func (f UserAuthenticatorFunc) AuthenticateUser(ctx context.Context, r AuthRequest) (UserAuth, error) {
	return f(ctx, r)
}

// An AuthRequest says what is asked.
type AuthRequest struct {
	SocketID string // of the connection; part of what is signed
	Channel  string // empty for user authentication
	// Attempt counts from 1 on each connection. After a 401 or 403 there is one
	// more: the moment to get a new token for the endpoint.
	Attempt int
}

// An Auth lets a connection join a channel.
type Auth struct {
	Auth         string // key:signature
	ChannelData  string // JSON, of presence channels; empty: as the user who is signed in
	SharedSecret string // 32 bytes in base64, of encrypted channels; it is never sent
}

// key is that of an encrypted channel.
func (a Auth) key() (*[32]byte, error) {
	key, err := base64.StdEncoding.DecodeString(a.SharedSecret)
	if err != nil || len(key) != 32 {
		return nil, errors.New("the shared_secret is not 32 bytes of base64")
	}
	return (*[32]byte)(key), nil
}

// A UserAuth signs a user in.
type UserAuth struct {
	Auth     string // key:signature
	UserData string // JSON
}
