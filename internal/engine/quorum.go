package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	pollInterval = 50 * time.Millisecond
	// sayInterval is how often it is said that other nodes are missing.
	sayInterval = 5 * time.Second
)

// awaitQuorum returns when the nodes have a leader and JetStream answers.
func (e *Engine) awaitQuorum(ctx context.Context) error {
	poll, say := time.NewTicker(pollInterval), time.NewTicker(sayInterval)
	defer poll.Stop()
	defer say.Stop()
	for {
		select {
		case <-poll.C:
			if e.answers(ctx) {
				return e.found()
			}
		case <-say.C:
			g := e.gathering()
			e.log.Info("waiting for other nodes", "here", len(g.here), "of", g.size, "needed", g.needed, "nodes", g.here)
		case <-ctx.Done():
			g := e.gathering()
			return fmt.Errorf("engine: no quorum: %d of %d nodes are here and %d are needed: %w", len(g.here), g.size, g.needed, context.Cause(ctx))
		}
	}
}

// answers reports whether there is a leader and JetStream answers.
func (e *Engine) answers(ctx context.Context) bool {
	if meta := e.ownView(); meta == nil || meta.Leader == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := e.js.AccountInfo(ctx)
	return err == nil
}

// foundedFile is in the directory of a node that was part of the cluster once.
// Before, all the nodes that it was told of have to be there: none of them has
// anything, so that nobody knows whether those who are away do.
const foundedFile = "founded"

func (e *Engine) hasFounded() bool {
	_, err := os.Stat(filepath.Join(e.dir(), foundedFile))
	return err == nil
}

// found notes that the node is part of the cluster.
func (e *Engine) found() error {
	if err := os.WriteFile(filepath.Join(e.dir(), foundedFile), nil, 0o600); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// A gathering is who of a cluster is there.
type gathering struct {
	here         []string // names, this node's first
	size, needed int
}

func (e *Engine) gathering() gathering {
	g := gathering{here: []string{e.cfg.Cluster.Name}}
	if meta := e.ownView(); meta != nil {
		g.size, g.needed = meta.Size, meta.QuorumNeeded
		if !e.hasFounded() {
			g.needed = g.size
		}
	}
	e.mu.Lock()
	s := e.server
	e.mu.Unlock()
	if s == nil {
		return g
	}
	routes, err := s.Routez(nil)
	if err != nil {
		return g
	}
	for _, r := range routes.Routes {
		if !slices.Contains(g.here, r.RemoteName) {
			g.here = append(g.here, r.RemoteName)
		}
	}
	return g
}
