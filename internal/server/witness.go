package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/belfryhq/belfry/internal/admin"
)

// subjectWitnesses is where witnesses say that they are ones: they have no
// part in the bus, and the engine knows them like any other node.
const subjectWitnesses = "belfry.witnesses"

// A Witness is a node that has no clients, and is there to be counted. It is
// the engine, and what operators are answered.
type Witness struct{ process }

// NewWitness makes a witness. Of cfg it takes what is about the process, its
// operators and the cluster. Whoever calls NewWitness must call [Witness.Run].
// If it fails, nothing is left.
func NewWitness(cfg Config) (_ *Witness, err error) {
	w := new(Witness)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.abandon())
		}
	}()
	if err := w.begin(cfg); err != nil {
		return nil, err
	}
	if err := w.openEngine(); err != nil {
		return nil, err
	}
	if err := w.sayThatItIsOne(); err != nil {
		return nil, err
	}
	answers := w.administration()
	answers.API, answers.Node = admin.WitnessRoutes(), w.nodeInfo
	maps.Copy(answers.API, admin.TokenRoutes(w.tokens, func(string) bool { return true })) // it knows of no apps
	answers.Cluster, answers.RemoveNode = w.clusterStatus, w.engine.Remove
	w.openAdmin(answers)
	return w, nil
}

// sayThatItIsOne answers to nodes that ask who is a witness.
func (w *Witness) sayThatItIsOne() error {
	answer, err := w.engine.Conn().Subscribe(subjectWitnesses, func(m *nats.Msg) {
		_ = m.Respond([]byte(w.name)) // whoever asked has gone
	})
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	w.onStop("witness", func(context.Context) error {
		if err := answer.Unsubscribe(); !errors.Is(err, nats.ErrConnectionClosed) {
			return err
		}
		return nil
	})
	return nil
}

func (w *Witness) nodeInfo() admin.NodeInfo {
	info := w.process.nodeInfo()
	info.Witness = true
	return info
}

// clusterStatus is what an operator sees of the cluster from here.
func (w *Witness) clusterStatus(ctx context.Context) (admin.ClusterStatus, error) {
	self := admin.NodeStatus{State: admin.StateReady, Witness: true}
	if w.leaving.Load() {
		self.State = admin.StateDraining
	}
	status := w.status(ctx, self)
	status.Settled = true // there is nothing that peers could say
	w.markWitnesses(ctx, &status)
	return status, nil
}

// Listeners implements [Node].
func (w *Witness) Listeners() []Listener { return addresses(w.admin) }

// Reconfigure implements [Node]. A witness has nothing that could change.
func (w *Witness) Reconfigure(Config) error { return nil }

// Run implements [Node].
func (w *Witness) Run(ctx context.Context) error {
	return w.run(ctx, func() time.Duration { return 0 }, func() {})
}

// Alive implements [Node]. A witness has no work of its own that could be stuck.
func (w *Witness) Alive(context.Context) error { return nil }

// witnessPatience is how long witnesses have to answer.
const witnessPatience = 200 * time.Millisecond

// witnesses are the names of those among the nodes that answer.
func (p *process) witnesses(ctx context.Context, names []string) map[string]bool {
	found := make(map[string]bool)
	if len(names) == 0 {
		return found
	}
	conn := p.engine.Conn()
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
