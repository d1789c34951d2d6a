package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"github.com/belfryhq/belfry/protocol"
)

// A LocalSigner signs with the app's secret, for backends that are clients too
// and for tests. A program that others run must not have the secret.
type LocalSigner struct {
	Key, Secret string // a pair of the app
	// MemberFunc says who to be on a presence channel. Without it, or with an
	// empty id, it is the user who is signed in.
	MemberFunc func(channel string) (id string, info any)
	// UserFunc says whom to sign in.
	UserFunc  func() (id string, info any, watchlist []string)
	MasterKey []byte // of encrypted channels
}

var (
	_ ChannelAuthorizer = (*LocalSigner)(nil)
	_ UserAuthenticator = (*LocalSigner)(nil)
)

// errSocketID is why nothing is signed: what is signed begins with what the
// service says is a socket id, and it could say anything.
var errSocketID = errors.New("client: LocalSigner signs for socket ids only")

// AuthorizeChannel signs for a channel. It never waits.
func (s *LocalSigner) AuthorizeChannel(_ context.Context, r AuthRequest) (a Auth, err error) {
	if _, ok := protocol.ParseSocketID(r.SocketID); !ok {
		return Auth{}, errSocketID
	}
	text := r.SocketID + ":" + r.Channel
	kind := protocol.KindOf(r.Channel)
	if kind.Presence() && s.MemberFunc != nil {
		if a.ChannelData, err = s.channelData(r.Channel); err != nil {
			return Auth{}, err
		}
		if a.ChannelData != "" {
			text += ":" + a.ChannelData
		}
	}
	if kind.Encrypted() {
		if len(s.MasterKey) == 0 {
			return Auth{}, errors.New("client: LocalSigner has no MasterKey for encrypted channels")
		}
		key := sha256.Sum256(append([]byte(r.Channel), s.MasterKey...))
		a.SharedSecret = base64.StdEncoding.EncodeToString(key[:])
	}
	a.Auth = s.Key + ":" + protocol.Sign(s.Secret, text)
	return a, nil
}

// channelData is who to be on a channel, or empty.
func (s *LocalSigner) channelData(channel string) (string, error) {
	id, info := s.MemberFunc(channel)
	if id == "" {
		return "", nil
	}
	text, err := encode(struct {
		UserID   string `json:"user_id"`
		UserInfo any    `json:"user_info,omitempty"`
	}{id, info})
	return string(text), err
}

// AuthenticateUser signs for the user. It never waits.
func (s *LocalSigner) AuthenticateUser(_ context.Context, r AuthRequest) (UserAuth, error) {
	if _, ok := protocol.ParseSocketID(r.SocketID); !ok {
		return UserAuth{}, errSocketID
	}
	if s.UserFunc == nil {
		return UserAuth{}, errors.New("client: LocalSigner has no UserFunc")
	}
	id, info, watchlist := s.UserFunc()
	text, err := encode(struct {
		ID        string   `json:"id"`
		UserInfo  any      `json:"user_info,omitempty"`
		Watchlist []string `json:"watchlist,omitempty"`
	}{id, info, watchlist})
	if err != nil {
		return UserAuth{}, err
	}
	return UserAuth{
		Auth:     s.Key + ":" + protocol.Sign(s.Secret, r.SocketID+"::user::"+string(text)),
		UserData: string(text),
	}, nil
}
