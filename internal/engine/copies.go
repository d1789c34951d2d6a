package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoLeader says that a stream has no leader now, so that nobody knows what
// is in it.
var ErrNoLeader = errors.New("engine: the stream has no leader")

// Led returns ErrNoLeader if what is said of a stream was not said by its
// leader. While there is none, any copy answers, and says what it has itself.
func Led(info *jetstream.StreamInfo) error {
	if info.Cluster != nil && info.Cluster.Leader == "" {
		return ErrNoLeader
	}
	return nil
}

// copiesPatience is how long servers have to say what they have.
const copiesPatience = 2 * time.Second

// Last is the highest number of a message that any copy of a stream has, on the
// nodes that this one is connected to. It is an error if one of those does not
// answer. Zero means that there is no cluster.
//
// The leader of a stream may have less, if in spite of [Engine.startOver] one
// leads that has lost its directory. What is written then may cost the others
// what they have.
func (e *Engine) Last(ctx context.Context, stream string) (uint64, error) {
	if !e.Clustered() {
		return 0, nil
	}
	body, err := json.Marshal(natsserver.JSzOptions{Account: natsserver.DEFAULT_GLOBAL_ACCOUNT, Accounts: true, Streams: true})
	if err != nil {
		return 0, fmt.Errorf("engine: %w", err)
	}
	inbox := e.system.NewInbox()
	answers, err := e.system.SubscribeSync(inbox)
	if err != nil {
		return 0, fmt.Errorf("engine: %w", err)
	}
	defer func() { _ = answers.Unsubscribe() }() // of a connection that is closed it is over anyway
	if err := e.system.PublishRequest(askState, inbox, body); err != nil {
		return 0, fmt.Errorf("engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, copiesPatience)
	defer cancel()
	last := uint64(0)
	for here := e.gathering().here; len(here) > 0; here = here[1:] {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return 0, fmt.Errorf("engine: %d nodes do not say what they have: %w", len(here), err)
		}
		last = max(last, lastOf(m.Data, stream))
	}
	return last, nil
}

// lastOf is what a server's answer says of its own copy.
func lastOf(text []byte, stream string) uint64 {
	var answer struct {
		Data *natsserver.JSInfo `json:"data"`
	}
	if json.Unmarshal(text, &answer) != nil || answer.Data == nil {
		return 0
	}
	for _, account := range answer.Data.AccountDetails {
		for _, s := range account.Streams {
			if s.Name == stream {
				return s.State.LastSeq
			}
		}
	}
	return 0
}
