package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/belfryhq/belfry/internal/node"
)

// subjectWitnesses is where witnesses say that they are ones: they have no
// part in the bus, and the engine knows them like any other node.
const subjectWitnesses = "belfry.witnesses"

// openWitness makes a node that has no clients, and is there to be counted.
func (s *Server) openWitness() error {
	s.cluster.id, s.cluster.since = node.NewID(), time.Now()
	if err := s.openEngine(); err != nil {
		return err
	}
	answer, err := s.state.engine.Conn().Subscribe(subjectWitnesses, func(m *nats.Msg) {
		_ = m.Respond([]byte(s.state.name)) // whoever asked has gone
	})
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	s.onStop("witness", func(context.Context) error {
		if err := answer.Unsubscribe(); !errors.Is(err, nats.ErrConnectionClosed) {
			return err
		}
		return nil
	})
	s.openAdmin(s.administration(nil))
	return nil
}

// witnessPatience is how long witnesses have to answer.
const witnessPatience = 200 * time.Millisecond

// witnesses are the names of those among the nodes that answer.
func (s *Server) witnesses(ctx context.Context, names []string) map[string]bool {
	found := make(map[string]bool)
	if len(names) == 0 {
		return found
	}
	conn := s.state.engine.Conn()
	inbox := conn.NewInbox()
	answers, err := conn.SubscribeSync(inbox)
	if err != nil {
		return found
	}
	defer func() { _ = answers.Unsubscribe() }() // of a connection that is closed it is over anyway
	if conn.PublishRequest(subjectWitnesses, inbox, nil) != nil {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, witnessPatience)
	defer cancel()
	for len(found) < len(names) {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			break
		}
		found[string(m.Data)] = true
	}
	return found
}
