package hub

import (
	"context"
	"errors"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/protocol"
)

// Errors of [Hub.History].
var (
	// ErrNoHistory says that no events of the channel are kept.
	ErrNoHistory = errors.New("hub: the channel has no history")
	// ErrSilentPeers says that peers which may have more have not answered.
	ErrSilentPeers = errors.New("hub: some nodes have not answered about a history")
)

// History reads a page of the history of a channel, for a backend. Peers that have
// published on the channel are asked if need be. The reason is why there is no page.
func (h *Hub) History(ctx context.Context, app *apps.App, channel string, q history.Query) (history.Page, history.Reason, error) {
	t := h.tenant(app)
	if !t.keeps(channel) {
		return history.Page{}, history.Complete, ErrNoHistory
	}
	defer t.evict()
	if t.durable() != nil && !t.former.current(h.peers.Changes()) {
		if err := t.awaitFormers(ctx); err != nil {
			return history.Page{}, history.Complete, err
		}
	}
	for range 1 + atOnce { // what others were asking for may not be all that the page needs
		asked := t.askPeers(channel, q)
		if asked == nil {
			return t.page(channel, q)
		}
		select {
		case answer := <-asked:
			switch {
			case answer.ours && answer.whole:
				return t.page(channel, q)
			case answer.ours:
				return history.Page{}, history.Complete, ErrSilentPeers
			}
		case <-ctx.Done():
			return history.Page{}, history.Complete, ctx.Err()
		}
	}
	return history.Page{}, history.Complete, ErrSilentPeers
}

// awaitFormers reads what there is of publishers that are gone.
func (t *tenant) awaitFormers(ctx context.Context) error {
	done := make(chan struct{})
	t.readFormers(false, func() { close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// asked is what came of a question to peers.
type asked struct {
	ours  bool // it was about all that the page needs
	whole bool
}

// askPeers asks the peers for what a page may need. It returns nil if this node has
// it.
func (t *tenant) askPeers(channel string, q history.Query) <-chan asked {
	sh := t.shard(channel)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.openLocked(channel, protocol.KindOf(channel))
	remembered := t.rememberedLocked(ch)
	if t.hub.peers.Alone() || t.sureOfLocked(ch, q.After) {
		return nil
	}
	from := q.After
	if q.Backwards {
		from = nil
	}
	answer := make(chan asked, 1)
	ours := remembered.recall == nil
	t.recallLocked(ch, from, func(whole bool) { answer <- asked{ours, whole} })
	return answer
}

// page reads a page of what this node has.
func (t *tenant) page(channel string, q history.Query) (history.Page, history.Reason, error) {
	sh := t.shard(channel)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := time.Now()
	sh.shelf.Expire(now, t.app().History.TTL)
	page, reason := t.rememberedLocked(sh.openLocked(channel, protocol.KindOf(channel))).log.Page(q, now)
	return page, reason, nil
}
