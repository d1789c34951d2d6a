package engine

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// startOver starts the embedded server of a node a second time, if it was empty
// and the cluster has streams: then the node is new, or has lost its directory.
//
// To the server, a stream that it hears of for the first time has just been
// made, so that two nodes that have lost their directories elect one of
// themselves, and what the others have is lost. A server that finds the stream
// in its own notes knows that its copy lacks everything, and has only those
// lead that have something. It takes four seconds until it elects anybody, so
// that there is time to start it again; see also [Engine.forgetFirst].
func (e *Engine) startOver(ctx context.Context) error {
	looking, cancel := context.WithCancel(ctx)
	defer cancel() // of what lists the rest of them
	streams := e.js.StreamNames(looking)
	if _, found := <-streams.Name(); !found {
		if err := streams.Err(); err != nil {
			return fmt.Errorf("engine: look for streams: %w", err)
		}
		return nil
	}
	e.log.Info("the node is empty and the cluster is not; its engine starts once more, to take what the others have")
	if err := e.replaceServer(); err != nil {
		return err
	}
	return e.awaitQuorum(ctx)
}

// replaceServer stops the embedded server and starts another one.
func (e *Engine) replaceServer() error {
	e.mu.Lock()
	old := e.server
	e.server = nil
	e.mu.Unlock()
	if old != nil {
		shutdown(old)
	}
	s, err := e.startServer()
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.server = s
	e.mu.Unlock()
	return nil
}

// settledMark is in the metadata of streams that no node is to lead first.
const settledMark = "belfry.settled"

// forgetFirst has the server forget which node was to lead a new stream first.
// That node would claim to lead it at once after it has lost its directory, and
// others that have lost theirs would agree. Any change makes it forget.
func (e *Engine) forgetFirst(ctx context.Context, cfg jetstream.StreamConfig) error {
	metadata := map[string]string{settledMark: "true"}
	for key, value := range cfg.Metadata {
		metadata[key] = value
	}
	cfg.Metadata = metadata
	_, err := e.js.UpdateStream(ctx, cfg)
	return err
}
