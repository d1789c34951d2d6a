package main

import "github.com/belfryhq/belfry/client"

// newSigner returns what signs for a subscription with the secret of the target.
func newSigner(t target, s subscription) *client.LocalSigner {
	return &client.LocalSigner{
		Key: t.pair.Key, Secret: t.pair.Secret,
		MemberFunc: func(string) (string, any) { return s.userID, s.info() },
		UserFunc:   func() (string, any, []string) { return s.user(), nil, nil },
		MasterKey:  []byte("none"), // subscribing needs one; nothing is decrypted
	}
}
