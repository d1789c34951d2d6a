package engine

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// raiseInterval is how often streams with too few copies are looked for
	// although the number of nodes is the same.
	raiseInterval = 30 * time.Second
	// raiseAgain is the same after one could not get them.
	raiseAgain = 5 * time.Second
	// electionTime is how long there may be no leader because one has just
	// died. Streams that others lead take writes meanwhile.
	electionTime = 10 * time.Second
	// twoFor is how long there are two nodes until it is said what that means.
	twoFor = 10 * time.Second
)

// A census is what replicate has seen of the cluster.
type census struct {
	ledAt  time.Time // when there was a leader last
	online int       // members that were there at the last look
	raised time.Time // when streams were last looked at; zero: they should be now
	twoAt  time.Time // since when there are two members
	warned bool      // of having two
}

// replicate looks after the copies of all streams, until the engine is closed.
// Every node watches, and the leader acts.
func (e *Engine) replicate() {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	c := census{ledAt: time.Now()}
	for {
		select {
		case <-tick.C:
			e.count(&c)
		case <-e.life.Done():
			return
		}
	}
}

// count looks at who is there.
func (e *Engine) count(c *census) {
	meta := e.ownView()
	led := meta != nil && meta.Leader != ""
	if led {
		c.ledAt = time.Now()
	}
	if alone := time.Since(c.ledAt) > electionTime; alone != e.alone.Swap(alone) {
		if alone {
			e.log.Error("too few nodes of the cluster can be reached; clients are served, but nothing is written")
		} else {
			e.log.Info("enough nodes of the cluster can be reached again")
		}
	}
	if !led {
		e.lookForOwnName()
		return
	}
	if online := e.online(); online != c.online {
		c.online, c.raised = online, time.Time{}
	}
	e.warnOfTwo(c, meta.Size)
	if meta.Leader != e.cfg.Cluster.Name || time.Since(c.raised) < raiseInterval {
		return
	}
	c.raised = time.Now()
	if !e.raise() {
		c.raised = time.Now().Add(raiseAgain - raiseInterval)
	}
}

// lookForOwnName finds out, while this node has no leader, whether the
// others have one and do not count this node any more. The server hears of
// that only if the word came through before they stopped talking to it.
func (e *Engine) lookForOwnName() {
	e.mu.Lock()
	s := e.server
	e.mu.Unlock()
	if s == nil || !e.alone.Load() || e.removed.Load() {
		return
	}
	meta, err := e.leaderView(e.life)
	if err != nil || meta.Leader == "" || meta.Peer == s.Node() {
		return
	}
	for _, r := range meta.Replicas {
		if r.Peer == s.Node() {
			return
		}
	}
	e.removed.Store(true)
	e.log.Error("this node was removed from the cluster; end it, and start it with an empty data directory if it is to be a member again")
}

// warnOfTwo says once what a cluster of two can not do.
func (e *Engine) warnOfTwo(c *census, members int) {
	switch {
	case members != 2:
		c.twoAt, c.warned = time.Time{}, false
	case c.twoAt.IsZero():
		c.twoAt = time.Now()
	case !c.warned && time.Since(c.twoAt) > twoFor:
		c.warned = true
		e.log.Warn("the cluster has two nodes: when one dies, the other goes on serving its clients and their events, but until it is back " +
			"no webhooks are sent, no usage is kept and no apps can be changed; a witness (belfry serve --witness) on a third machine prevents that")
	}
}

// raise gives streams as many copies as there should be by now, and reports
// whether all have them.
func (e *Engine) raise() bool {
	ctx, cancel := context.WithTimeout(e.life, attemptTimeout)
	defer cancel()
	want, all := e.Replicas(), true
	streams := e.js.ListStreams(ctx)
	for info := range streams.Info() {
		if info.Config.Replicas >= want {
			continue
		}
		if err := e.raiseOne(ctx, info, want); err != nil {
			all = false
			e.log.Warn("a stream can not have more copies yet", "stream", info.Config.Name, "copies", info.Config.Replicas, "wanted", want, "err", err)
		}
	}
	return all && streams.Err() == nil
}

func (e *Engine) raiseOne(ctx context.Context, info *jetstream.StreamInfo, want int) error {
	cfg := info.Config
	cfg.Replicas = want
	if _, err := e.js.UpdateStream(ctx, cfg); err != nil {
		return err
	}
	e.log.Info("stream has more copies", "stream", cfg.Name, "copies", want, "before", info.Config.Replicas)
	return nil
}
