package watch

import (
	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/cmd/belfry/internal/target"
)

// newSigner returns what signs for a subscription with the secret of the target.
func newSigner(t target.Target, s Subscription) *client.LocalSigner {
	return &client.LocalSigner{
		Key: t.Pair.Key, Secret: t.Pair.Secret,
		MemberFunc: func(string) (string, any) { return s.UserID, s.info() },
		UserFunc:   func() (string, any, []string) { return s.user(), nil, nil },
		MasterKey:  []byte("none"), // subscribing needs one; nothing is decrypted
	}
}
