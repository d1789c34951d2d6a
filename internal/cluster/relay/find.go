package relay

import (
	"context"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

const (
	// maxSession is the longest name of a session that is asked for.
	maxSession = 1 << 10
	// maxQuestions is how many are open at a time. More are not asked.
	maxQuestions = 1 << 12
	// muteWait is how long a peer is waited for that did not answer the last
	// question in time, and has not been heard since.
	muteWait = 20 * time.Millisecond
)

// A question is which peer has a session.
type question struct {
	waiting map[node.ID]bool // peers that have not said; guarded by finds.mu
	found   chan node.ID     // with room for one
	none    chan struct{}    // closed when all have said that they do not have it
}

// finds are the open questions.
type finds struct {
	mu        sync.Mutex
	last      uint64
	questions map[uint64]*question
	mute      map[node.ID]bool // peers that did not answer in time, and not since
}

func newFinds() finds {
	return finds{questions: make(map[uint64]*question), mute: make(map[node.ID]bool)}
}

// forget is told that a peer is gone or suspected: nobody waits for it any more.
func (f *finds) forget(peer node.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mute, peer)
	for _, q := range f.questions {
		q.answered(peer)
	}
}

// answered notes that a peer is not waited for any more. finds.mu is held.
func (q *question) answered(peer node.ID) {
	if !q.waiting[peer] {
		return
	}
	delete(q.waiting, peer)
	if len(q.waiting) == 0 {
		close(q.none)
	}
}

// open makes a question to the peers, or nil if there are too many.
func (f *finds) open(peers []*peer) (uint64, *question) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.questions) >= maxQuestions {
		return 0, nil
	}
	q := &question{waiting: make(map[node.ID]bool, len(peers)), found: make(chan node.ID, 1), none: make(chan struct{})}
	for _, p := range peers {
		q.waiting[p.link.ID()] = true
	}
	f.last++
	f.questions[f.last] = q
	return f.last, q
}

// close forgets a question. If it was left open, those who have not answered
// are mute from here on.
func (f *finds) close(number uint64, q *question, expired bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.questions, number)
	if !expired {
		return
	}
	for p := range q.waiting {
		f.mute[p] = true
	}
}

// onlyMute reports whether all that have not answered are mute.
func (f *finds) onlyMute(q *question) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := range q.waiting {
		if !f.mute[p] {
			return false
		}
	}
	return true
}

// Find returns the peer that has a session. It asks all of them at once and
// returns when one has said yes, or all have said no. A peer that does not
// answer within the bound, [Config.FindWait], is taken for one that does not
// have it; from then on it is hardly waited for, until it answers again, so
// that a peer which hangs does not delay every new session. Those that are
// suspected are not asked.
func (r *Relay) Find(ctx context.Context, session string) (node.ID, bool) {
	peers := r.reachable()
	if len(peers) == 0 || len(session) > maxSession {
		return "", false
	}
	number, q := r.finds.open(peers)
	if q == nil {
		r.count(answerRefused)
		return "", false
	}
	expired := false
	defer func() { r.finds.close(number, q, expired) }()
	for _, p := range peers {
		p.link.Send(&broker.Message{Kind: broker.Relay, Name: messageAsk, Count: number, Text: []byte(session)})
	}
	soon, late := time.NewTimer(muteWait), time.NewTimer(r.cfg.FindWait)
	defer soon.Stop()
	defer late.Stop()
	for {
		select {
		case to := <-q.found:
			r.count(answerFound)
			return to, true
		case <-q.none:
			r.count(answerNone)
			return "", false
		case <-ctx.Done():
			return "", false
		case <-soon.C:
			if !r.finds.onlyMute(q) {
				continue
			}
		case <-late.C:
		}
		expired = true
		r.count(answerSilence)
		return "", false
	}
}

func (r *Relay) count(a answer) { r.metrics.questions.WithLabelValues(string(a)).Inc() }

// told takes the answer of a peer.
func (f *finds) told(from node.ID, number uint64, yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mute, from)
	q := f.questions[number]
	switch {
	case q == nil: // it came too late
	case yes:
		select {
		case q.found <- from:
		default:
		}
	default:
		q.answered(from)
	}
}
