package hub

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/internal/history/recall"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// New returns a hub. Close it.
func New(cfg Config) *Hub {
	h := &Hub{
		cfg:     cfg,
		metrics: newMetrics(cfg.Registerer),
		seed:    maphash.MakeSeed(),
		began:   time.Now(),

		departures: make([]departures, cfg.Loops.Len()),
		questions:  recall.NewQuestions(),
	}
	h.service.metrics = h.metrics
	h.peers = peers.New(peers.Config{
		Receive: h.receive, Vacate: h.vacate, Resync: h.resync,
		Share: func() { h.eachTenant((*tenant).shareCoarse) },
	})
	registerPeers(cfg.Registerer, h.peers)
	h.patience = peerPatience
	h.asker.Self, h.asker.Peers, h.asker.Silent = cfg.Node, h.peers.All(), h.peers.Silent
	h.SetMaxConnections(cfg.MaxConnections)
	cfg.Apps.Watch(h.appChanged)
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	h.running.Go(func() { h.sweep(ctx) })
	if cfg.Durable != nil {
		h.readings.wake = wakeup.New()
		h.running.Go(func() { h.readings.serve(ctx) })
	}
	if cfg.Broker != nil {
		h.running.Go(func() { h.peers.Run(ctx) })
		h.running.Go(func() {
			h.questions.Serve(ctx, cfg.Node, func(q recall.Question) { h.answer(ctx, q) })
		})
	}
	return h
}

// Close stops what the hub does by itself. Call it when the sessions are gone,
// and the broker is closed.
func (h *Hub) Close() {
	h.cancel()
	h.running.Wait()
	h.eachTenant(func(t *tenant) { t.stopTimers() })
}

// sweepInterval is how often cached events that nobody asks for are dropped.
const sweepInterval = time.Minute

// sweep is a goroutine that forgets expired cached events until the hub is
// closed.
func (h *Hub) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			h.eachTenant(func(t *tenant) {
				t.dropExpired(now)
				t.markHistories()
			})
		case <-ctx.Done():
			return
		}
	}
}
