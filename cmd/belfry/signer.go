package main

import (
	"context"
	"fmt"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/protocol"
)

// A signer signs with the secret of the target, and only for what is a socket
// id: the text that is signed begins with what the service says is one.
type signer struct{ local client.LocalSigner }

func newSigner(t target, s subscription) *signer {
	return &signer{client.LocalSigner{
		Key: t.pair.Key, Secret: t.pair.Secret,
		MemberFunc: func(string) (string, any) { return s.userID, s.info() },
		UserFunc:   func() (string, any, []string) { return s.user(), nil, nil },
		MasterKey:  []byte("none"), // subscribing needs one; nothing is decrypted
	}}
}

// AuthorizeChannel signs for a channel.
func (s *signer) AuthorizeChannel(ctx context.Context, r client.AuthRequest) (client.Auth, error) {
	if err := checkSocketID(r.SocketID); err != nil {
		return client.Auth{}, err
	}
	return s.local.AuthorizeChannel(ctx, r)
}

// AuthenticateUser signs for the user.
func (s *signer) AuthenticateUser(ctx context.Context, r client.AuthRequest) (client.UserAuth, error) {
	if err := checkSocketID(r.SocketID); err != nil {
		return client.UserAuth{}, err
	}
	return s.local.AuthenticateUser(ctx, r)
}

func checkSocketID(id string) error {
	if _, ok := protocol.ParseSocketID(id); !ok {
		return fmt.Errorf("the socket id %q is none that can be signed", id)
	}
	return nil
}
