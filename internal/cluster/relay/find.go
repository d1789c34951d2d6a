package relay

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

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

	questionSize = 1 + 16 + 8 // and the session
	answerSize   = questionSize + 1
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
	mute      map[node.ID]bool // peers that were not heard since a question of theirs was over
}

func newFinds() finds {
	return finds{questions: make(map[uint64]*question), mute: make(map[node.ID]bool)}
}

// heard notes that a peer says something.
func (f *finds) heard(peer node.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mute, peer)
}

// open makes a question to the peers, or nil if there are too many.
func (f *finds) open(peers []node.ID) (uint64, *question) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.questions) >= maxQuestions {
		return 0, nil
	}
	q := &question{waiting: make(map[node.ID]bool, len(peers)), found: make(chan node.ID, 1), none: make(chan struct{})}
	for _, p := range peers {
		q.waiting[p] = true
	}
	f.last++
	f.questions[f.last] = q
	return f.last, q
}

// close forgets a question. If it was left open, those who have not answered
// are mute from here on.
func (f *finds) close(number uint64, q *question, expired bool, peers []node.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.questions, number)
	if !expired {
		return
	}
	for p := range f.mute { // those who are gone are of no interest
		if !slices.Contains(peers, p) {
			delete(f.mute, p)
		}
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
// have it; from then on it is hardly waited for, until it is heard again, so
// that a peer which hangs does not delay every new session.
func (r *Relay) Find(ctx context.Context, session string) (node.ID, bool) {
	peers := slices.DeleteFunc(slices.Clone(r.cfg.Peers()), func(p node.ID) bool { return p == r.cfg.ID })
	if len(peers) == 0 || len(session) > maxSession {
		return "", false
	}
	number, q := r.finds.open(peers)
	if q == nil {
		r.count(answerRefused)
		return "", false
	}
	expired := false
	defer func() { r.finds.close(number, q, expired, peers) }()
	if r.publish(r.subject("find", ""), appendQuestion(nil, r.cfg.ID, number, session)) != nil {
		r.count(answerRefused)
		return "", false
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

// asked answers a question of a peer.
func (r *Relay) asked(b []byte) {
	from, number, session, ok := readQuestion(b)
	if !ok {
		r.metrics.bad.Inc()
		return
	}
	if from == r.cfg.ID {
		return
	}
	_ = r.publish(r.subject("found", from), appendFound(nil, r.cfg.ID, number, r.host.Has(session)))
}

// told takes the answer of a peer.
func (r *Relay) told(b []byte) {
	from, number, yes, ok := readFound(b)
	if !ok {
		r.metrics.bad.Inc()
		return
	}
	f := &r.finds
	f.heard(from)
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.questions[number]
	switch {
	case q == nil: // it came too late
	case yes:
		select {
		case q.found <- from:
		default:
		}
	case q.waiting[from]:
		delete(q.waiting, from)
		if len(q.waiting) == 0 {
			close(q.none)
		}
	}
}

func appendQuestion(dst []byte, from node.ID, number uint64, session string) []byte {
	dst = append(append(dst, version), from...)
	return append(binary.BigEndian.AppendUint64(dst, number), session...)
}

func readQuestion(b []byte) (from node.ID, number uint64, session string, ok bool) {
	if len(b) < questionSize || len(b) > questionSize+maxSession || b[0] != version {
		return "", 0, "", false
	}
	from = node.ID(b[1:17])
	return from, binary.BigEndian.Uint64(b[17:]), string(b[questionSize:]), from.Valid()
}

func appendFound(dst []byte, from node.ID, number uint64, yes bool) []byte {
	dst = binary.BigEndian.AppendUint64(append(append(dst, version), from...), number)
	if yes {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func readFound(b []byte) (from node.ID, number uint64, yes, ok bool) {
	if len(b) != answerSize || b[0] != version || b[questionSize] > 1 {
		return "", 0, false, false
	}
	from = node.ID(b[1:17])
	return from, binary.BigEndian.Uint64(b[17:]), b[questionSize] == 1, from.Valid()
}
